"""``phi list`` on terminals of several widths, and in a pipe."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from phicli.catalog.load import catalog
from phicli.errors import OutputClosedError
from phicli.plan.installed import InstalledModel
from phicli.plan.overview import Overview, overview
from phicli.ui.models.table import PIPE_COLUMNS, print_models
from phicli.ui.terminal import Terminal
from tests.ui.test_terminal import Gone, Screen, shown

HERE = (
    InstalledModel(
        "phi-4-mini:q8_0", "Q8_0", Path("/m/8.gguf"), 4_000_000_000, "hub cache", "owner/repo", variant_id="phi-4-mini"
    ),
    InstalledModel("mine", "Q4_K_M", Path("/m/4.gguf"), 2_491_874_272, "ollama", variant_id="phi-4-mini"),
    InstalledModel("some/Other:Q6_K", "Q6_K", Path("/m/[b]o\x1b.gguf"), 5 << 30, "hub cache", "some/Other"),
)


def piped(found: Overview, **how: Any) -> tuple[list[str], str]:
    """Lines of standard output, and standard error."""
    terminal = Terminal(io.StringIO(), io.StringIO(), io.StringIO(), colour=False)
    print_models(terminal, found, **how)
    return shown(terminal.stdout).splitlines(), shown(terminal.stderr)


def on_screen(
    monkeypatch: pytest.MonkeyPatch, found: Overview, width: int, *, colour: bool = False, encoding: str = "utf-8"
) -> str:
    class Sized(Screen):
        @property
        def encoding(self) -> str:  # type: ignore[override]
            return encoding

    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal(Screen(), Sized(), Screen(), colour)
    print_models(terminal, found)
    return shown(terminal.stdout)


def test_a_pipe_gets_a_line_for_each_model_with_all_of_its_text() -> None:
    lines, _ = piped(overview(everything=True, here=HERE))
    assert len(lines) == 1 + len(catalog().variants) + 1
    starts = [lines[0].index(title) for title in PIPE_COLUMNS]
    assert starts == sorted(starts)
    for line, variant in zip(lines[1:], catalog().variants, strict=False):
        assert line.split()[0] == variant.id
        for text in (variant.license, variant.strength, variant.runs_on):
            assert text in line
    assert not [line for line in lines if "…" in line or "\x1b" in line or line != line.rstrip()]


def test_the_first_columns_are_words() -> None:
    lines, _ = piped(overview(everything=True, here=HERE))
    rows = {line.split()[0]: line.split()[: len(PIPE_COLUMNS) - 3] for line in lines[1:]}
    assert rows["phi-4-mini"][:7] == ["phi-4-mini", "3.8B", "-", "128K", "Q4_K_M", "2.32GiB", "Q8_0,Q4_K_M"]
    assert rows["phi-4-mini"][7].split(",") == list(
        next(one for one in catalog().variants if one.id == "phi-4-mini").capabilities
    )
    assert rows["phi-3.5-moe"][1:4] == ["42B", "6.6B", "128K"]
    assert rows["tiny-phi"][6] == "built-in"
    assert rows["some/Other:Q6_K"][:7] == ["some/Other:Q6_K", "-", "-", "-", "Q6_K", "5.00GiB", "Q6_K"]


def test_what_is_left_out_is_told_on_standard_error() -> None:
    found = overview(here=HERE)
    _, errors = piped(found)
    assert f"{found.hidden} more" in errors
    assert "phi list --all\n" in errors
    assert "phi list --all --family phi-4\n" in piped(overview(here=HERE, family="phi-4"))[1]
    assert piped(overview(here=HERE, everything=True))[1] == ""


def test_nothing_installed() -> None:
    lines, errors = piped(overview(here=(), only_installed=True), only_installed=True)
    assert lines == []
    assert "phi pull" in errors


@pytest.mark.parametrize("width", [50, 60, 80, 100, 140, 200])
def test_no_line_is_wider_than_the_terminal_and_no_name_is_lost(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    text = on_screen(monkeypatch, overview(everything=True, here=HERE), width)
    assert max(map(len, text.splitlines())) <= width
    words = text.split()
    assert [one.id for one in catalog().variants if one.id not in words] == []
    assert "some/Other:Q6_K" in words


@pytest.mark.parametrize("width", [80, 100, 140, 200])
def test_no_text_of_a_column_that_is_there_is_cut(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    found = overview(here=HERE)
    words = on_screen(monkeypatch, found, width).split()
    for row in found.rows:
        if row.variant:
            assert set(row.variant.strength.split()) <= set(words)


def test_columns_go_as_the_terminal_narrows(monkeypatch: pytest.MonkeyPatch) -> None:
    found = overview(here=HERE)
    heads = {width: on_screen(monkeypatch, found, width).splitlines()[0] for width in (50, 60, 80, 200)}
    assert [title for title in ("license", "capabilities", "main strength") if title not in heads[200]] == []
    assert "main strength" in heads[80]
    assert "license" not in heads[80]
    assert "main strength" not in heads[60]
    assert "size" in heads[60]
    assert heads[50].split() == ["name", "params", "here"]


def test_what_can_run_the_others_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    text = on_screen(monkeypatch, overview(everything=True, here=HERE), 300)
    _, below = text.split("Not supported by llama.cpp")
    for variant in catalog().variants:
        assert (variant.id in below.split()) is not variant.runs_here
        assert variant.runs_here or variant.runs_on in below


def test_colour_only_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    found = overview(here=HERE)
    assert "\x1b" not in on_screen(monkeypatch, found, 80)
    assert "\x1b[" in on_screen(monkeypatch, found, 80, colour=True)


def test_installed_is_marked_with_what_the_terminal_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    found = overview(here=HERE)
    assert "✓ Q8_0, Q4_K_M" in on_screen(monkeypatch, found, 200)
    plain = on_screen(monkeypatch, found, 200, encoding="ascii")
    assert "* Q8_0, Q4_K_M" in plain
    assert plain.isascii()


def test_a_reader_that_left(monkeypatch: pytest.MonkeyPatch) -> None:
    class GoneScreen(Gone):
        def isatty(self) -> bool:
            return True

    for stream in (Gone(), GoneScreen()):
        terminal = Terminal(io.StringIO(), stream, io.StringIO(), colour=False)
        with pytest.raises(OutputClosedError):
            print_models(terminal, overview(here=HERE))
