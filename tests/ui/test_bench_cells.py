"""What all tables of benchmarks for spreadsheets and documents have in common."""

from __future__ import annotations

import csv
import io

import pytest

from phicli.ui.bench.cells import csv_text, markdown_table, markdown_text
from phicli.ui.tables import Column


def test_names_of_files_cannot_tear_a_table_apart_or_reach_a_terminal() -> None:
    names = ["a,b", 'a"b', "a\nb", "a\rb\r\nc", "a\x1b[31mb", "a\x9bb", "a\u202eb"]
    text = csv_text(["name", "speed"], [[name, 1.5] for name in names])
    head, *rows = csv.reader(io.StringIO(text, newline=""))
    assert head == ["name", "speed"]
    assert [row[0] for row in rows] == ["a,b", 'a"b', "a\nb", "ab\nc", "a\ufffd[31mb", "a\ufffdb", "a\ufffdb"]
    assert {row[1] for row in rows} == {"1.5"}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\tx"])
def test_no_text_is_a_formula(text: str) -> None:
    assert csv_text(["name"], [[text]]).splitlines()[1].startswith("'")


def test_values_are_those_of_json() -> None:
    assert csv_text(["a", "b", "c"], [[True, None, -1.5]]) == "a,b,c\ntrue,,-1.5\n"


def test_a_cell_of_markdown_stays_a_cell() -> None:
    lines = markdown_table([Column("model"), Column("t/s", right=True)], [{"model": "a|b\n*c*", "t/s": "1"}])
    assert lines == ["| model | t/s |", "| --- | ---: |", "| a\\|b \\*c\\* | 1 |"]
    assert markdown_text("kv_type _x_ <b>") == "kv_type \\_x\\_ \\<b\\>"
