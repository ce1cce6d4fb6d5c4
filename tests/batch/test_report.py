"""What ``phi batch`` prints at the end."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from phicli.batch.options import BatchOptions
from phicli.batch.places import require_place
from phicli.batch.report import Report
from phicli.batch.source import open_source
from phicli.errors import UsageError
from phicli.plan.chat_options import ChatOptions
from phicli.ui.batch import print_report
from phicli.ui.terminal import Terminal


@pytest.mark.parametrize(
    ("name", "has_responses", "place"),
    [
        ("o.jsonl", False, "the key error in o.jsonl"),
        ("o.csv", False, "the column error in o.csv"),
        ("o.jsonl", True, "response.body.error in o.jsonl"),
    ],
)
def test_further_failures_are_where_the_output_has_them(name: str, has_responses: bool, place: str) -> None:
    said = io.StringIO()
    report = Report(Path(name), Path("j"), "m", 9, 0, 9, asked=9, cut_off=0, has_responses=has_responses)
    print_report(Terminal(io.StringIO(), io.StringIO(), said, colour=False), report, as_json=False, quiet=False)
    assert f"9 more; see {place}" in " ".join(said.getvalue().split())


@pytest.mark.parametrize(
    ("report", "summary"),
    [
        (
            Report(Path("o.jsonl"), Path("j"), "m", 50_000, 49_000, 1_000, 0, 30_000, 0, 0, 0, 8_000_000, 28_800.0),
            "o.jsonl: 49,000 of 50,000 lines answered, 1,000 failed, 30,000 asked in 8 h 0 min (1 per second), "
            "8,000,000 tokens generated",
        ),
        (
            Report(Path("o.csv"), Path("j"), "m", 1, 1, 0, asked=1, completion_tokens=8, elapsed_s=62.54),
            "o.csv: 1 of 1 line answered, 1 asked in 62.5 s (0.96 per minute), 8 tokens generated",
        ),
        (Report(Path("o.csv"), Path("j"), "m", 1200, 0, 1200), "all 1,200 lines already, 1,200 of them failed"),
    ],
)
def test_the_summary_of_a_night(report: Report, summary: str) -> None:
    said = io.StringIO()
    print_report(Terminal(io.StringIO(), io.StringIO(), said, colour=False), report, as_json=False, quiet=False)
    assert summary in " ".join(said.getvalue().split())


def test_a_folder_that_is_not_there_is_to_be_created(tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("a\n", encoding="utf-8")
    wanted = BatchOptions(str(source), tmp_path / "no" / "o.csv", "m", ChatOptions())
    with open_source(str(source)) as opened, pytest.raises(UsageError) as error:
        require_place(wanted, opened)
    assert "mkdir -p" in error.value.hint


def test_the_lines_of_each_remote_are_said() -> None:
    said = io.StringIO()
    report = Report(Path("o"), Path("j"), "m", 5, 5, 0, asked=5, workers={"east/a": 3, "west/a": 2})
    print_report(Terminal(io.StringIO(), io.StringIO(), said, colour=False), report, as_json=False, quiet=False)
    assert "answered by east/a: 3, west/a: 2" in said.getvalue()
