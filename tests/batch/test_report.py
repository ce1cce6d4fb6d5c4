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
