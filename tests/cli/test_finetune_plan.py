"""``phi finetune --plan azure`` as people and scripts use it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.disks import small_file_system
from tests.support.running import Phi
from tests.support.waiting import wait_until
from tests.training_data.examples import GOOD, OF_THE_CARD, WITH_TOOLS, line, numbered


@pytest.fixture
def train(tmp_path: Path) -> Path:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"".join([*numbered(20), line(GOOD), line(WITH_TOOLS), line(OF_THE_CARD)]))
    return path


def plan(phi: Phi, train: Path, *options: str, model: str = "phi-4-mini"):  # type: ignore[no-untyped-def]
    return phi("finetune", "--plan", "azure", model, str(train), "--out", str(train.with_name("out")), *options)


def test_the_folder_is_what_azure_takes(phi: Phi, train: Path) -> None:
    done = plan(phi, train, "--split", "0.2", "--epochs", "3")
    assert done.code == 0
    out = train.with_name("out")
    assert {path.name for path in out.iterdir()} == {"train.jsonl", "validation.jsonl", "job.yaml", "STEPS.md"}
    assert "num_train_epochs 3" in done.out
    assert "nothing was sent" in done.err
    files = [out / "train.jsonl", out / "validation.jsonl"]
    assert all(path.read_bytes().startswith(b"\xef\xbb\xbf") for path in files)
    checked = phi("data", "check", str(files[0]), "--validation", str(files[1]), "--for", "azure", "--json")
    assert checked.code == 0
    assert [one["examples"] for one in checked.json["data"]["files"]] == [18, 5]
    assert not list(train.parent.glob(".out*"))


def test_json_and_what_is_lost(phi: Phi, train: Path) -> None:
    thinking = {"messages": [
        {"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4", "reasoning_content": "easy"},
    ]}  # fmt: skip
    with train.open("ab") as file:
        file.write(b"\n" + line(thinking))
    done = plan(phi, train, "--json")
    assert done.json["data"]["lost_count"] == 1
    data = done.json["data"]
    assert (done.code, data["model"], data["way"], data["examples"], data["validation_examples"]) == (
        0, "Phi-4-mini-instruct", "serverless", 24, None,
    )  # fmt: skip
    assert [(one["line"], one["place"]) for one in data["lost"]] == [(25, "messages[1].reasoning_content")]
    assert Path(data["files"]["steps"]).read_text(encoding="utf-8").count("could not be written") == 1
    assert data["parameters"] == {"epochs": None, "batch_size": None, "learning_rate": None}


def test_data_that_azure_refuses_leaves_no_folder(phi: Phi, train: Path) -> None:
    few = train.with_name("few.jsonl")
    few.write_bytes(b"".join(numbered(9)))
    done = plan(phi, few)
    assert (done.code, "9 examples: Azure AI Foundry takes no fewer than 10" in done.out) == (9, True)
    few.write_bytes(b"".join(numbered(12)))
    done = plan(phi, few, "--split", "0.5")
    assert (done.code, "(training part): 6 examples" in done.out) == (9, True)
    with train.open("ab") as file:
        file.write(line(GOOD) + b'{"messages": []}\n')
    done = plan(phi, train, "--json")
    assert (done.code, done.json["error"]["code"]) == (9, "check_failed")
    assert {one["line"] for one in done.json["data"]["findings"]} == {24, 25}
    assert plan(phi, train, "--validation", str(train)).code == 9
    assert sorted(path.name for path in train.parent.glob("*out*")) == []


def test_options_that_mean_nothing_there(phi: Phi, train: Path) -> None:
    done = plan(phi, train, "--rank", "8", "--threads", "2")
    assert (done.code, "--rank, --threads mean nothing with --plan azure" in " ".join(done.err.split())) == (2, True)
    assert plan(phi, train, "--split", "0.1", "--validation", str(train)).code == 2
    assert "the only plan is azure" in phi("finetune", "--plan", "gcp", "phi-4", str(train)).err
    for option in ("--epochs", "--learning-rate"):
        done = plan(phi, train, option, "inf")
        assert (done.code, f"{option} inf is not between" in done.err) == (2, True)
    assert not train.with_name("out").exists()


def test_settings_that_mean_something_there(phi: Phi, train: Path, environment: dict[str, str]) -> None:
    environment |= {"PHI_FINETUNE_EPOCHS": "4", "PHI_FINETUNE_RANK": "8"}
    done = phi("finetune", "--plan", "azure", "phi-4", str(train), "--out", str(train.with_name("out")), "--json")
    assert (done.code, done.json["data"]["parameters"]["epochs"]) == (0, 4)


def test_names_that_are_wrong(phi: Phi, train: Path) -> None:
    done = plan(phi, train, model="phi-4-min")
    assert (done.code, "did you mean phi-4-mini" in done.err) == (3, True)
    assert plan(phi, train.with_name("trian.jsonl")).code == 3
    assert phi("finetune", "--plan", "azure", "phi-4", "-", stdin=train.read_bytes()).code == 2


def test_a_folder_that_is_there_stays(phi: Phi, train: Path) -> None:
    out = train.with_name("out")
    out.mkdir()
    assert plan(phi, train).code == 0  # an empty one may be used
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    done = plan(phi, train, "--split", "0.1")
    assert (done.code, "already exists and is not empty" in done.err) == (2, True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_full_disk(phi: Phi, tmp_path: Path, train: Path) -> None:
    train.write_bytes(b"".join(numbered(20_000)))
    with small_file_system(tmp_path / "disk", "size=256k") as disk:
        done = phi("finetune", "--plan", "azure", "phi-4", str(train), "--out", str(disk / "deep" / "out"))
        assert (done.code, "is full" in done.err) == (5, True), done.err
        assert not list(disk.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
def test_ctrl_c_leaves_nothing(train: Path, environment: dict[str, str]) -> None:
    train.write_bytes(b"".join(numbered(40_000)))
    command = [sys.executable, "-m", "phicli", "finetune", "--plan", "azure", "phi-4", str(train), "--out",
               str(train.with_name("out"))]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment)
    wait_until(lambda: bool(list(train.parent.glob(".out.new-*/*train.jsonl*"))))
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, b"Traceback" in said) == (130, False), said.decode()
    assert {path.name for path in train.parent.iterdir() if "out" in path.name} == set()


def test_what_a_kill_left_is_removed_later(phi: Phi, train: Path) -> None:
    left = train.with_name(".out.new-0badc0de")
    left.mkdir()
    os.utime(left, (1, 1))
    assert plan(phi, train).code == 0
    assert not left.exists()
    assert json.loads((train.with_name("out") / "train.jsonl").read_text("utf-8-sig").splitlines()[0])["messages"]
