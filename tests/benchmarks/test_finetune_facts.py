"""What tiny-phi learns in the benchmark of fine-tuning, and what it must not have seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.finetune_facts import DEVELOPMENT, REPORTED, Known, write_all
from phicli.training_data.checking import Checking, CheckOptions

SETS = {"first": DEVELOPMENT[0], "second": DEVELOPMENT[1], "reported": REPORTED}


def test_settings_are_chosen_with_other_facts_than_the_reported_ones() -> None:
    for word in ("question", "answer", "reworded"):
        both = [getattr(one, word) for facts in SETS.values() for one in facts]
        assert len(set(both)) == len(both) == 30


@pytest.mark.parametrize("name", SETS)
def test_tiny_phi_knows_none_of_them(name: str) -> None:
    known = Known.every(2)
    said = {message["content"] for side in (known.rehearsed, known.held_out) for one in side for message in one}
    for fact in SETS[name]:
        assert not said & {fact.question, fact.answer, fact.reworded}


@pytest.mark.parametrize("distance", [2, 4])
def test_held_out_answers_are_not_rehearsed(distance: int) -> None:
    known = Known.every(distance)
    assert all(one not in known.rehearsed for one in known.held_out)
    assert len(known.rehearsed) == -(-(len(known.rehearsed) + len(known.held_out)) // distance)


@pytest.mark.parametrize("name", SETS)
def test_the_files_pass_the_check(name: str, tmp_path: Path) -> None:
    write_all(tmp_path, SETS[name], 2)
    paths = sorted(tmp_path.glob("*.jsonl"))
    assert [path.stem for path in paths] == ["facts", "held-out", "rehearsed", "reworded", "train"]
    for path in paths:
        checking = Checking(CheckOptions())
        with path.open("rb") as file:
            checking.read(file, path.name)
        report = checking.report()
        assert (report.usable, [one for one in report.findings.kept() if one.severity == "error"]) == (True, [])
