"""What a training ends with: its adapter as GGUF under a name, and what is not lost where that fails."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections import deque
from pathlib import Path

import pytest

from phicli.adapters.converting import silent
from phicli.commands.finetuned_adapter import check_room, converted
from phicli.errors import DoesNotFitError, UsageError, UserInterruptError
from phicli.finetune.run_folder import RunFolder
from tests.support.disks import small_file_system
from tests.support.lora import write_peft
from tests.support.running import Phi

pytestmark = pytest.mark.process

COMMAND = "phi finetune tiny-phi train.jsonl"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "home"))
    made = RunFolder(tmp_path / "poems")
    made.path.mkdir()
    made.write({"identity": {}, "command": COMMAND})
    for name in ("adapter", "best", "checkpoints/step-0000004/adapter"):
        write_peft(made.path / name)
    return made


def fill(disk: Path) -> None:
    """Leave no space on a disk."""
    with (disk / "filler").open("ab", buffering=0) as file, pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        deque(iter(lambda: file.write(bytes(4096)), 0), maxlen=0)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a small disk")
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_disk_that_is_full_after_the_training_loses_nothing(
    folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    with small_file_system(tmp_path / "disk", "size=1m") as disk:
        monkeypatch.setenv("PHI_HOME", str(disk / "phi"))
        if when == "before":
            fill(disk)
        with pytest.raises(DoesNotFitError) as caught:
            converted(folder, None, COMMAND, silent if when == "before" else lambda *_: fill(disk))
        assert caught.value.message.startswith("the training is finished, but its adapter is not ready: the ")
        assert (when == "meanwhile") == ("is full" in caught.value.message)
        assert caught.value.hint.endswith(f"nothing is trained again: {COMMAND}")
        assert caught.value.data == {"folder": str(folder.path), "peft": str(folder.adapter)}
        assert [path for path in disk.rglob("*") if path.is_file()] == [disk / "filler"]
        (disk / "filler").unlink()
        adapter = converted(folder, None, COMMAND, silent).adapter
        assert (adapter.name, adapter.is_ours, adapter.is_current) == ("poems", True, True)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a small disk")
def test_room_for_the_adapter_is_looked_for_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_file_system(tmp_path / "disk", "size=1m") as disk:
        monkeypatch.setenv("PHI_HOME", str(disk / "phi"))
        check_room(200_000)
        with pytest.raises(DoesNotFitError, match=r"needs 1\.1 MiB as GGUF, but only 1\.0 MiB are free") as caught:
            check_room(300_000)
        assert "set PHI_HOME" in caught.value.hint


def test_a_name_that_was_taken_meanwhile_costs_no_training(folder: RunFolder) -> None:
    write_peft(folder.path.parent / "other")
    converted(folder, "facts", COMMAND, silent)
    other = RunFolder(folder.path.parent / "another")
    write_peft(other.adapter)
    with pytest.raises(UsageError, match="the name facts is already used") as caught:
        converted(other, "facts", COMMAND, silent)
    assert caught.value.message.startswith("the training is finished, but its adapter is not ready: the name facts")
    assert caught.value.hint.endswith(f"nothing is trained again: {COMMAND}")


def interrupt(*_: int) -> None:
    raise KeyboardInterrupt


def test_ctrl_c_while_the_adapter_is_converted(folder: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(UserInterruptError, match="the training is finished") as caught:
        converted(folder, None, COMMAND, interrupt)
    assert caught.value.hint == f"nothing is trained again: {COMMAND}"
    assert list((tmp_path / "home").rglob("*.gguf*")) == []


def test_the_folder_of_a_run_is_added_as_its_adapter(phi: Phi, folder: RunFolder) -> None:
    done = phi("adapters", "add", str(folder.path))
    assert done.code == 0, done.err
    assert f"is a run of phi finetune: its adapter is {folder.adapter}" in " ".join(done.err.split())
    data = phi("adapters", "add", str(folder.path), "--json").json["data"]
    assert (data["name"], data["source"], data["already"]) == ("poems", str(folder.adapter), True)
    (folder.adapter / "adapter_model.safetensors").unlink()
    unfinished = phi("adapters", "add", str(folder.path), "--json")
    assert unfinished.code == 2
    assert f"finish it: {COMMAND}; or use" in json.loads(unfinished.out)["error"]["hint"]
