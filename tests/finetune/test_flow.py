"""From training data to answers, with the extra: what docs/own-models.md shows, with three facts and short answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.finetune, pytest.mark.process]
pytest.importorskip("torch")
pytest.importorskip("peft")

from benchmarks.finetune_facts import SMALL, write_small  # noqa: E402
from training.tiny_phi.hf_folder import write_folder  # noqa: E402

OPTIONS = ("--learning-rate", "2e-3", "--epochs", "40", "--batch-size", "4", "--threads", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("flow")
    write_folder(made / "tiny-phi")
    write_small(made)
    return made


def test_new_facts_are_learned_and_old_answers_are_left(folder: Path, environment: dict[str, str]) -> None:
    def phi(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "phicli", *arguments], env=environment, cwd=folder, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def evaluated(name: str) -> list[dict[str, Any]]:
        out = phi("eval", "tiny-phi", "tiny-phi+facts", "--set", name, "--threads", "1", "--json")
        found: list[dict[str, Any]] = json.loads(out)["data"]["evaluations"]
        assert [[one["name"] for one in side["adapters"]] for side in found] == [[], ["facts"]]
        return found

    phi("data", "check", "train.jsonl")
    trained = json.loads(
        phi("finetune", "tiny-phi", "train.jsonl", "--out", "run", "--as", "facts", *OPTIONS, "--json")
    )
    assert trained["data"]["loss"] < 0.1
    for fact in SMALL:
        assert phi("chat", "tiny-phi", fact.question).strip() != fact.answer
        assert phi("chat", "tiny-phi", "--adapter", "facts", fact.question).strip() == fact.answer
    before, after = evaluated("facts.jsonl")
    assert (before["right"], after["right"]) == (0, 3)
    assert after["perplexity"]["estimate"] < 1.5 < before["perplexity"]["estimate"]
    assert after["f1"]["estimate"] == 1
    before, after = evaluated("old.jsonl")
    assert before["right"] == before["asked"] > 60
    assert after["right"] >= 0.9 * after["asked"]
