"""``phi runs list`` and ``phi runs show`` on terminals of all widths."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest

from phicli.records.history import Entry, entry_of
from phicli.ui.bench.entry_tables import table_of
from phicli.ui.bench.run_list import print_list
from phicli.ui.bench.runs import print_entry
from phicli.ui.terminal import Terminal
from tests.support.runs import run
from tests.ui.test_terminal import Screen, shown

LEVELS: list[dict[str, Any]] = [
    {"concurrency": count, "answered": 8, "throughput_tps": 70.125, "client_cpu_share": 0.25, "requests_per_s": 61.5,
     "mean_generated_tokens": 12, "decode_tps": {"mean": 24.5, "stdev": 1.5}}
    for count in (1, 2)
]  # fmt: skip
RESULTS = [
    {"id": f"arithmetic-{number:02}", "right": False, "reason": "the reply contains no number", "prompt_tokens": 67}
    for number in range(20)
]
ENTRY = Entry(
    "2q2rgw0zzz", "2026-11-22T23:00:00+00:00", "endpoint", "m", None, "e", "e 1", "CPU",
    {"levels": LEVELS, "results": RESULTS, "uses": RESULTS[:3]},
)  # fmt: skip


def on_screen(monkeypatch: pytest.MonkeyPatch, width: int, entry: Entry = ENTRY) -> tuple[list[str], str]:
    monkeypatch.setenv("COLUMNS", str(width))
    terminal = Terminal(io.StringIO(), Screen(), io.StringIO(), colour=False)
    print_entry(terminal, entry, as_json=False)
    return shown(terminal.stdout).splitlines(), shown(terminal.stderr)


def part(lines: list[str], title: str) -> list[str]:
    """What stands below ``title``."""
    after = lines[lines.index(title) + 1 :]
    return after[: after.index("")] if "" in after else after


@pytest.mark.parametrize("width", [40, 60, 80, 140])
def test_no_line_is_too_long_and_no_word_is_broken(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    lines, _ = on_screen(monkeypatch, width)
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    for words in ("throughput tps", "24.5 (stdev 1.5)", "arithmetic-19", "61.5"):
        assert words in text


def test_a_table_that_is_too_wide_lies_on_its_side(monkeypatch: pytest.MonkeyPatch) -> None:
    upright = part(on_screen(monkeypatch, 140)[0], "Levels")
    assert [line.split()[0] for line in upright] == ["concurrency", "1", "2"]
    lying = part(on_screen(monkeypatch, 80)[0], "Levels")
    assert lying[0].split() == ["concurrency", "1", "2"]
    assert lying[-1].split() == ["decode", "tps", "24.5", "(stdev", "1.5)", "24.5", "(stdev", "1.5)"]


def test_few_rows_that_are_too_wide_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = part(on_screen(monkeypatch, 50)[0], "Uses")
    assert told[0].strip().startswith("arithmetic-00  right no, reason the")


def test_of_many_rows_the_last_columns_go_and_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    lines, told = on_screen(monkeypatch, 60)
    assert part(lines, "Results")[0].split() == ["id", "right", "reason"]
    assert told == "not shown here: prompt_tokens; to see everything: phi runs show 2q2rgw0zzz --json\n"
    assert on_screen(monkeypatch, 140)[1] == ""


def test_off_a_terminal_a_table_is_as_wide_as_it_is() -> None:
    section, left_out = table_of("levels", LEVELS)
    assert len(section.table) == 3
    assert left_out == []


def test_rows_without_anything_short_have_no_table() -> None:
    section, left_out = table_of("results", [{"text": "long " * 20}], 80)
    assert section.empty
    assert left_out == ["text"]


def test_a_name_is_one_line_of_the_list_and_wide_characters_have_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    terminal = Terminal(io.StringIO(), Screen(), io.StringIO(), colour=False)
    names = ["a\nb\x1b[31m\u202e.gguf", "漢字漢字模型模型.gguf"]
    entries = [entry_of(replace(run(name, None), run_id=f"r{place}")) for place, name in enumerate(names)]
    print_list(terminal, entries, more=False, as_json=False)
    _, first, second = shown(terminal.stdout).splitlines()
    assert "a b\ufffd[31m\ufffd.gguf" in first
    assert "漢字漢字模型模型.gguf" in second


def test_a_speed_is_not_below_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    one = run(repeat=2)
    slow = replace(one, samples=(one.samples[0], replace(one.samples[1], decode_ms=99_000.0)))
    lines, _ = on_screen(monkeypatch, 140, entry_of(slow))
    (line,) = [line for line in part(lines, "Speed") if "generation" in line]
    assert "(95 % interval 0.00 to " in line


def test_the_engine_decides_about_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    lines, _ = on_screen(monkeypatch, 80, entry_of(run()))
    assert "  gpu layers       chosen by the engine" in lines


def test_the_ids_in_the_list_are_whole_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are typed behind the other commands."""
    monkeypatch.setenv("COLUMNS", "40")
    terminal = Terminal(io.StringIO(), Screen(), io.StringIO(), colour=False)
    print_list(terminal, [replace(ENTRY, model="phi-4-mini", quant="Q4_K_M")], more=False, as_json=False)
    rows = shown(terminal.stdout).splitlines()
    assert max(map(len, rows)) <= 40
    assert rows[1].split()[:2] == [ENTRY.run_id, ENTRY.kind]
