"""``phi finetune`` with files and folders that are not there or in the wrong order: said before packages are needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phicli.app import main
from tests.training_data.examples import numbered

pytestmark = pytest.mark.usefixtures("no_settings")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "weights").mkdir()
    (tmp_path / "train.jsonl").write_bytes(b"".join(numbered(20)))
    (tmp_path / "faq.csv").write_text("question,answer\nWhy?,So.\n", encoding="utf-8")
    (tmp_path / "odd.csv").write_bytes(b"".join(numbered(20)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


TABLE = ("faq.csv is a table, not JSON Lines", "convert it: phi data convert faq.csv -o faq.jsonl")
CASES = {
    "finetune phi-4-mini train.jsonl": (
        3, "fine-tuning needs a folder with the original weights of phi-4-mini, not the GGUF file that phi chat uses",
        "download them: hf download microsoft/Phi-4-mini-instruct --local-dir Phi-4-mini-instruct; then: phi finetune "
        "./Phi-4-mini-instruct TRAIN.jsonl; without hf: pipx install huggingface_hub",
    ),
    "finetune tiny-phi train.jsonl": (
        3, "the original weights of tiny-phi cannot be downloaded",
        "in a checkout of phi with the extras finetune and training: python -m training.tiny_phi.hf_folder tiny-phi; "
        "then: phi finetune ./tiny-phi TRAIN.jsonl",
    ),
    "finetune train.jsonl weights": (
        2, "train.jsonl is a file, but the folder with the weights comes first",
        "name the folder first: phi finetune weights train.jsonl",
    ),
    "finetune train.jsonl phi-4-mini": (
        2, "train.jsonl is a file, but the folder with the weights comes first",
        "name the folder first: phi finetune phi-4-mini train.jsonl",
    ),
    "finetune weights trian.jsonl": (3, "the file trian.jsonl does not exist", "did you mean train.jsonl?"),
    "finetune weights train.jsonl --validation held-out.jsonl": (
        3, "the file held-out.jsonl does not exist", "name a file of JSON Lines, such as train.jsonl",
    ),
    "finetune weights faq.csv": (2, *TABLE),
    "finetune weights train.jsonl --validation faq.csv": (2, *TABLE),
    "finetune phi-4-mini faq.csv --plan azure": (2, *TABLE),
    "data check faq.csv": (2, *TABLE),
    "data check train.jsonl --validation faq.csv": (2, *TABLE),
    "data split faq.csv": (2, *TABLE),
    "finetune weights train.jsonl --validation 0.1": (
        2, "--validation 0.1 is not a file", "for a share of the training data: --split 0.1",
    ),
    "finetune phi-4-mini train.jsonl --plan azure --validation 20%": (
        2, "--validation 20% is not a file", "for a share of the training data: --split 0.2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("words", CASES)
@pytest.mark.usefixtures("here")
def test_what_is_wrong_is_said_first(capsys: pytest.CaptureFixture[str], words: str) -> None:
    code, message, hint = CASES[words]
    assert main([*words.split(), "--json"]) == code
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["message"], error["hint"]) == (message, hint)


@pytest.mark.usefixtures("here")
def test_json_lines_with_the_name_of_a_table_are_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "odd.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"]["usable"]
