"""A fine-tuned adapter from the folder of PEFT to answers and a comparison: docs/own-models.md without the training.

The adapter was trained by ``python -m training.tiny_phi.learned_adapter``; ``tests/finetune/test_flow.py`` trains one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.finetune_facts import SMALL, write_small
from tests.support.running import Phi

LEARNED = Path(__file__).parents[1] / "data" / "tiny_phi_learned"


@pytest.fixture
def folder(phi: Phi, tmp_path: Path) -> Path:
    write_small(tmp_path)
    assert phi("data", "check", str(tmp_path / "train.jsonl")).code == 0
    assert phi("adapters", "add", str(LEARNED), "--as", "facts", "--base", "tiny-phi").code == 0
    return tmp_path


def test_the_new_facts_are_answered_with_the_adapter_only(phi: Phi, folder: Path) -> None:
    for fact in SMALL:
        assert phi("chat", "tiny-phi", fact.question).out.strip() != fact.answer
        assert phi("chat", "tiny-phi", "--adapter", "facts", fact.question).out.strip() == fact.answer


@pytest.mark.parametrize(("name", "most_before", "least_after"), [("facts", 0, 1), ("old", 1, 0.95)])
def test_before_and_after(phi: Phi, folder: Path, name: str, most_before: float, least_after: float) -> None:
    command = ("eval", "tiny-phi", "tiny-phi+facts", "--set", str(folder / f"{name}.jsonl"))
    run = phi(*command, "--json")
    assert run.code == 0, run.err
    before, after = run.json["data"]["evaluations"]
    assert [[one["name"] for one in side["adapters"]] for side in (before, after)] == [[], ["facts"]]
    assert before["accuracy"]["estimate"] == most_before
    assert after["accuracy"]["estimate"] >= least_after
    assert _better(before, after) == (name == "facts")
    table = phi(*command)
    assert "tiny-phi:f16+facts" in table.out
    assert table.err.count("were saved earlier") == 2, table.err


def _better(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether the expected answers are likelier, and the replies closer to them."""
    likelier = after["perplexity"]["estimate"] < before["perplexity"]["estimate"]
    assert likelier == (after["f1"]["estimate"] > before["f1"]["estimate"])
    return likelier
