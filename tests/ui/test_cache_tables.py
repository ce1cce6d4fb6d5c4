"""The tables of ``phi cache`` fit the terminal: columns go before words are cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.hub.disk.inventory import inventory
from phicli.hub.disk.verification import FileVerdict
from phicli.ui.cache.tables import print_inventory, print_verdicts
from phicli.ui.terminal import Terminal
from tests.support.cache_layout import NEW, Repo
from tests.ui.test_terminal import Screen, screen, shown

MINI = "unsloth/Phi-4-mini-instruct-GGUF"
EIGHT = "Phi-4-mini-instruct-Q8_0.gguf"
FOUR = "Phi-4-mini-instruct-Q4_K_M.gguf"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    repo = Repo(tmp_path / "hub", MINI)
    repo.put(NEW, EIGHT, b"x" * 5_000_000)
    repo.put(NEW, FOUR, b"x").resolve().unlink()
    return tmp_path / "hub"


def wide(monkeypatch: pytest.MonkeyPatch, width: int) -> Terminal:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    terminal = screen()
    return Terminal(terminal.stdin, type("Sized", (Screen,), {"encoding": "utf-8"})(), terminal.stderr, colour=False)


@pytest.mark.parametrize(
    ("width", "heads", "cells"),
    [
        (50, ["model", "size", "state"], ["a broken link", "4.8 MiB"]),
        (60, ["model", "size", "state"], ["a broken link", "4.8 MiB"]),
        (80, ["model", "size", "last", "used", "verified", "state"], ["a broken link"]),
        (130, ["model", "size", "last", "used", "verified", "state", "revision", "file"], [EIGHT, "22222222"]),
        (
            250,
            ["model", "size", "last", "used", "verified", "state", "revision", "parameters", "context", "file"],
            [f"{MINI}/{EIGHT}"],
        ),
    ],
)
def test_the_list(cache: Path, monkeypatch: pytest.MonkeyPatch, width: int, heads: list[str], cells: list[str]) -> None:
    terminal = wide(monkeypatch, width)
    print_inventory(terminal, inventory(cache), {}, as_json=False)
    lines = shown(terminal.stdout).splitlines()
    assert lines[0].split() == heads
    assert len(lines) == 3
    assert max(map(len, lines)) <= width
    for cell in cells:
        assert cell in "\n".join(lines)


def test_hashes_are_shortened_before_names(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = FileVerdict("phi-4-mini:q8_0", Path(EIGHT), 5_000_000, "bad", "ab" * 32, "cd" * 32)
    for width, expected in ((70, "cd" * 6), (300, "cd" * 32)):
        terminal = wide(monkeypatch, width)
        print_verdicts(terminal, [verdict])
        row = shown(terminal.stdout).splitlines()[1].split()
        assert row[:5] == ["phi-4-mini:q8_0", "4.8", "MiB", "bad", expected]


def test_a_name_that_is_too_long_is_folded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Repo(tmp_path, f"owner/{'long-' * 15}name").put(NEW, f"{'long-' * 15}name.gguf", b"x")
    terminal = wide(monkeypatch, 60)
    print_inventory(terminal, inventory(tmp_path), {}, as_json=False)
    lines = shown(terminal.stdout).splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[1].split()[-1] == "ok"
