"""Ctrl-C in a terminal while a checkpoint is being saved: nothing is half there, and the run continues to the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.finetune, pytest.mark.process]
pytest.importorskip("torch")
pytest.importorskip("peft")

from phicli.finetune import checkpoints  # noqa: E402
from tests.support.terminal_talk import TerminalTalk  # noqa: E402
from training.tiny_phi.hf_folder import write_folder  # noqa: E402

LOOKS = 300
"""So often the folder is looked at before the terminal is read again: saving takes a few hundredths of a second."""


def options(folder: Path, run: str) -> list[str]:
    return [
        "finetune", str(folder / "tiny-phi"), str(folder / "train.jsonl"), "--out", str(folder / run), "--threads", "1",
        "--batch-size", "2", "--epochs", "40", "--rank", "64", "--learning-rate", "1e-3", "--save-every", "1",
    ]  # fmt: skip


def saved(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "adapter").iterdir()}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("presses", [1, 3])
def test_ctrl_c_while_a_checkpoint_is_saved(tmp_path: Path, environment: dict[str, str], presses: int) -> None:
    def trained(run: str) -> str:
        command = [sys.executable, "-m", "phicli", *options(tmp_path, run)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr

    def is_saving() -> bool:
        return any(list((tmp_path / "broken" / "checkpoints").glob(".step-*.new")) for _ in range(LOOKS))

    write_folder(tmp_path / "tiny-phi")
    turns = ([{"role": "user", "content": f"Where is key {n}?"}, {"role": "assistant", "content": f"In room {n * 7}."}]
             for n in range(12))  # fmt: skip
    (tmp_path / "train.jsonl").write_text("".join(json.dumps({"messages": one}) + "\n" for one in turns))
    trained("whole")
    with TerminalTalk(environment, *options(tmp_path, "broken")) as talk:
        talk.wait_until(is_saving)
        for press in range(presses):
            talk.type("\x03")
            talk.wait_until(lambda press=press: talk.printed.count("^C") > press)  # type: ignore[misc]
        talk.wait_until(lambda: talk.process.poll() is not None)
        assert talk.process.returncode == 130
        assert presses == 3 or "is saved" in talk.printed, talk.printed
    again = trained("broken")
    assert "continuing after step " in again
    assert "damaged" not in again
    assert saved(tmp_path / "broken") == saved(tmp_path / "whole")
    assert checkpoints.damaged(tmp_path / "broken" / "checkpoints") == ()
    assert [path.name for path in (tmp_path / "broken").rglob(".*")] == []
