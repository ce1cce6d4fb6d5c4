"""The table of a benchmark on terminals of several widths, and in a pipe."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.records.run import Run, Workload
from phicli.ui.bench.figures import Signs, bar, duration, rate, with_spread
from phicli.ui.bench.run_facts import shape_of
from phicli.ui.bench.table import print_table
from phicli.ui.terminal import Terminal
from tests.support.runs import HARDWARE, depths, drafted, quants, run, threads
from tests.ui.test_terminal import Screen, shown


def on_screen(
    monkeypatch: pytest.MonkeyPatch,
    runs: Sequence[Run],
    width: int,
    *,
    colour: bool = False,
    encoding: str = "utf-8",
    notes: Sequence[str] = (),
) -> list[str]:
    class Sized(Screen):
        @property
        def encoding(self) -> str:  # type: ignore[override]
            return encoding

    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal(Screen(), Sized(), Screen(), colour)
    print_table(terminal, runs, notes)
    return shown(terminal.stdout).splitlines()


def piped(runs: Sequence[Run], notes: Sequence[str] = ()) -> list[str]:
    terminal = Terminal(io.StringIO(), io.StringIO(), io.StringIO(), colour=False)
    print_table(terminal, runs, notes)
    return shown(terminal.stdout).splitlines()


def bar_of(line: str) -> float:
    return line.count("█") + sum(("▏▎▍▌▋▊▉".index(one) + 1) / 8 for one in line if one in "▏▎▍▌▋▊▉")


@pytest.mark.parametrize("width", [60, 80, 100, 140])
@pytest.mark.parametrize("make", [quants, depths, threads])
def test_no_line_is_too_long_and_no_number_is_broken(monkeypatch: pytest.MonkeyPatch, make: object, width: int) -> None:
    assert callable(make)
    runs = make()
    lines = on_screen(monkeypatch, runs, width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for one in runs:
        assert one.decode_tps is not None
        assert one.ttft_ms is not None
        assert any(rate(one.decode_tps.mean) in line.replace("±", " ").split() for line in lines), one.decode_tps
        assert duration(one.ttft_ms.mean).replace(" ", "") in text.replace(" ", "")
        assert text.count(f"{one.subject.model}:q") >= 1
    assert "xllamacpp 2026.10.11549" in text
    assert "load average 0.21" in " ".join(text.split())


def test_bars_are_proportional_to_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    best, other = (line for line in on_screen(monkeypatch, quants(), 140) if "█" in line)
    assert bar_of(best) == 32
    assert bar_of(other) == pytest.approx(32 * 5.98 / 9.8, abs=0.07)


def test_bars_show_the_prompt_where_nothing_is_generated(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Workload(512, 0, 0)
    runs = [run(decode_tps=None, prompt_tps=tps, workload=work, threads=count) for count, tps in ((1, 20.0), (2, 40.0))]
    lines = on_screen(monkeypatch, runs, 140)
    assert "decode" not in "\n".join(lines)
    slow, fast = (line for line in lines if "█" in line)
    assert bar_of(slow) * 2 == bar_of(fast)


def test_a_run_that_measured_nothing_has_empty_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = run(quant="Q8_0", repeat=0, complete=False, peak=None, cold_ttft_ms=None)
    lines = on_screen(monkeypatch, [run(), nothing], 140)
    (line,) = [line for line in lines if line.startswith("phi-4-mini:q8_0")]
    assert line.split()[1:] == ["0,", "interrupted", "1.24", "s"]
    (line,) = [line for line in piped([run(), nothing]) if line.startswith("phi-4-mini:q8_0")]
    assert line.split()[1:] == ["0,", "interrupted", "-", "-", "-", "1.24", "s", "-", "-", "-"]


def test_only_what_differs_is_a_column(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = on_screen(monkeypatch, threads(), 140)
    head = next(line for line in lines if line.startswith("model"))
    assert head.split()[:3] == ["model", "threads", "repack"]
    assert "depth" not in head
    common = next(line for line in lines if "5 repetitions" in line)
    assert "batch 128 · kv f16 · flash auto · prompt 512 · 128 generated · depth 0" in common
    assert "threads" not in common


def test_speculation_has_columns_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = on_screen(monkeypatch, drafted(), 160)
    head = next(line for line in lines if line.startswith("model")).split()
    assert head[:3] == ["model", "speculation", "text"]
    rows = {tuple(line.split()[1:3]): line for line in lines if line.startswith("phi-4-mini")}
    assert all("4 of 5" in row for (kind, _), row in rows.items() if kind == "ngram-simple")
    assert "70%" in rows["ngram-simple", "copy"]
    assert "25%" in rows["ngram-simple", "new"]
    assert not any(sign in rows["none", "copy"] for sign in ("%", " of "))
    assert not any("depth" in line for line in lines), "a text has a prompt of its own"


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_speculation_fits_into_every_width(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    lines = on_screen(monkeypatch, drafted(), width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert all(figure in text.replace(" ", "") for figure in ("70%", "25%", "4of5"))


def test_a_run_without_speculation_says_so_only_of_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n".join(on_screen(monkeypatch, drafted()[:1], 160))
    assert "no speculation" in text
    assert "copied text" in text
    assert "speculation" not in "\n".join(on_screen(monkeypatch, [run()], 160))


def test_context_is_no_column_where_it_follows_from_the_depth() -> None:
    titles = [fact.title for fact in shape_of(depths()).varying]
    assert titles == ["depth"]
    assert [fact.title for fact in shape_of([run(), run(context_tokens=4096)]).varying] == ["context"]


def test_the_only_model_stands_above_a_narrow_table(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = on_screen(monkeypatch, threads(), 60)
    assert lines[0] == "phi-4-mini:q4_k_m"
    assert "phi-4-mini" not in "\n".join(lines[1:])
    assert len([line for line in lines if line.split()[:2] == ["threads", "repack"]]) == 2
    assert any("█" in line for line in lines)


def test_long_names_are_folded_where_nothing_else_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [run(name * 6, repack=repack) for name in ("abcdefghij", "klmnopqrst") for repack in (False, True)]
    lines = on_screen(monkeypatch, runs, 60)
    assert max(map(len, lines)) <= 60
    assert sum(line.count("9.80") for line in lines) == 4


def test_what_was_interrupted_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    cut = run(quant="Q8_0", repeat=2, complete=False)
    for lines in (on_screen(monkeypatch, [run(), cut], 140), on_screen(monkeypatch, [run(), cut], 60), piped([cut])):
        text = "\n".join(lines)
        assert "interrupted" in text
    assert "2 repetitions, interrupted" in "\n".join(piped([cut]))


def test_without_colour_there_is_no_escape_and_with_it_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in "\n".join(on_screen(monkeypatch, quants(), 80))
    assert "\x1b[36m" in "\n".join(on_screen(monkeypatch, quants(), 80, colour=True))


def test_a_terminal_that_knows_only_ascii_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = on_screen(monkeypatch, quants(), 80, encoding="ascii")
    assert all(line.isascii() for line in lines)
    assert any("34.0 +- 0.3" in line and "####" in line for line in lines)


def test_a_pipe_gets_all_columns_and_no_bars() -> None:
    lines = piped(quants(), ["a note"])
    assert lines[3].split()[0] == "MODEL"
    assert "ANONYMOUS" in lines[3]
    assert not [line for line in lines if "█" in line or "\x1b" in line or line != line.rstrip()]
    assert lines[-2:] == ["", "a note"]


def test_energy_is_shown_where_the_machine_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = on_screen(monkeypatch, [run(energy_j=32.0)], 140)
    assert "tokens/J" in "\n".join(lines)
    assert "4.00" in "\n".join(lines)
    assert "tokens/J" not in "\n".join(on_screen(monkeypatch, [run()], 140))


def test_notes_are_wrapped_at_words(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = on_screen(monkeypatch, quants(), 60, notes=["word " * 20])
    assert lines[-1].split() == ["word"] * len(lines[-1].split())
    assert max(map(len, lines)) <= 60


def test_a_name_cannot_forge_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    evil = run("a.gguf\nphi-4:q8_0  99 t/s\x1b[2J", None)
    for lines in (on_screen(monkeypatch, [evil], 140), piped([evil])):
        assert not [line for line in lines if line.startswith("phi-4")]
        assert "\x1b" not in "\n".join(lines)


def test_files_of_one_name_are_told_apart_by_their_paths() -> None:
    one = run("a.gguf", None)
    runs = [replace(one, subject=replace(one.subject, path=Path(f"/{place}/a.gguf"))) for place in ("x", "y")]
    assert shape_of(runs).labels == ("/x/a.gguf", "/y/a.gguf")
    assert shape_of(runs[:1]).labels == ("a.gguf",)


def test_machines_that_differ_are_a_column() -> None:
    other = run(hardware={**HARDWARE, "cpu": "another one", "gpus": ["a card"]}, load_average=1.5)
    shape = shape_of([run(), other])
    assert [fact.title for fact in shape.varying] == ["processor"]
    assert shape.setting(other) == "another one, 2 cores, a card"
    assert shape.machine == ("xllamacpp 2026.10.11549", "load average 0.21 to 1.50")


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(None, ""), (3.24, "3.2 ms"), (512.0, "512 ms"), (999.6, "1.00 s"), (75_240.0, "75.2 s"), (123_456.0, "123 s")],
)
def test_durations(milliseconds: float | None, text: str) -> None:
    assert duration(milliseconds) == text


def test_one_repetition_has_no_spread() -> None:
    assert with_spread(run(repeat=1).decode_tps, Signs()) == "9.80"
    assert with_spread(run(repeat=2, decode_tps=123.0).decode_tps, Signs()) == "122 ± 1"


def test_a_bar_shows_anything_above_nothing() -> None:
    assert bar(0.001, 16, fine=True) == "▏"
    assert bar(0.001, 16, fine=False) == "#"
    assert bar(0.0, 16, fine=True) == bar(0.0, 16, fine=False) == ""
    assert bar(1.0, 16, fine=True) == "█" * 16
