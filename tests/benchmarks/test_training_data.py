"""The benchmark of ``phi data check``: what is compared, and that the data is good."""

from __future__ import annotations

import json

import pytest

from benchmarks.training_data import Data, check, compared, plain, speeds, with_tools


@pytest.mark.parametrize("data", [plain("short"), with_tools(300)], ids=lambda one: one.name)
def test_the_data_is_good(data: Data) -> None:
    report = check(data.content)
    assert report.usable, report.findings.kept()
    assert report.files[0].examples == len(data.lines) == len({json.dumps(json.loads(line)) for line in data.lines})


def test_both_sides_are_measured_in_every_round() -> None:
    row = compared(with_tools(300), 3)
    assert (len(row.ours), len(row.theirs), row.unit) == (3, 3, "ms")
    assert row.ratio > 1, "a check does more than json.loads"


def test_data_with_errors_is_not_measured() -> None:
    with pytest.raises(RuntimeError, match="broken: the data is not good"):
        compared(Data("broken", [b"{}\n"]), 1)


def test_tokens_per_second() -> None:
    (row,) = speeds("tiny-phi", [with_tools(50)], 1)
    name, total, speed = (cell.strip() for cell in row.strip("| ").split("|"))
    assert name == "with tools"
    assert int(total.replace(",", "")) > 50 * 20
    assert float(speed.replace(",", "")) > 0
