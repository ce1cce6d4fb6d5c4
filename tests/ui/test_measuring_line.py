"""The line that is there while something is measured."""

from __future__ import annotations

import io
import os
import sys

import pytest

from phicli.ui.bench.progress import MeasuringLine, about
from phicli.ui.terminal import Terminal
from tests.ui.test_terminal import screen, shown


def visible(text: str) -> list[str]:
    """What stands on the lines in the end; only what this line writes is understood."""
    return [line.rpartition("\r\x1b[K")[2] for line in text.split("\n")]


def test_it_goes_away() -> None:
    terminal = screen()
    with MeasuringLine(terminal) as line:
        line.show("reading")
        line.show("generating", 12.4)
        assert visible(shown(terminal.stderr)) == ["generating · 12 s left"]
    assert visible(shown(terminal.stderr)) == [""]
    assert shown(terminal.stdout) == ""


def test_what_is_said_stays_above_it() -> None:
    terminal = screen()
    with MeasuringLine(terminal) as line:
        line.say("first")
        line.show("reading")
        line.say("a notice")
        line.show("generating")
        assert visible(shown(terminal.stderr)) == ["first", "a notice", "generating"]


def test_off_a_terminal_only_notices_are_written() -> None:
    terminal = Terminal(io.StringIO(), io.StringIO(), io.StringIO(), colour=False)
    with MeasuringLine(terminal) as line:
        line.show("reading", 3)
        line.say("a notice")
    assert shown(terminal.stderr) == "a notice\n"


def test_switched_off_it_shows_nothing() -> None:
    terminal = screen()
    with MeasuringLine(terminal, enabled=False) as line:
        line.show("reading", 3)
    assert shown(terminal.stderr) == ""


def test_a_long_name_leaves_room_for_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    terminal = screen()
    with MeasuringLine(terminal) as line:
        line.show("processing 512 tokens: " + "long-" * 20, 150)
        (text,) = visible(shown(terminal.stderr))
        assert text.startswith("processing 512 tokens: ")
        assert text.endswith("… · 2 min left")
        assert len(text) < 38


def test_wide_characters_take_two_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    terminal = screen()
    with MeasuringLine(terminal) as line:
        line.show("reading 512 tokens: " + "漢字" * 10, 150)
        (text,) = visible(shown(terminal.stderr))
        assert text == "reading 512 tokens: 漢… · 2 min left"  # 36 columns of the 37


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_its_width_is_that_of_its_own_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output can be a pipe, which is as wide as one likes."""
    import fcntl
    import struct
    import termios

    monkeypatch.delenv("COLUMNS", raising=False)
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 30, 0, 0))
    with os.fdopen(theirs, "w", encoding="utf-8") as stderr:
        with MeasuringLine(Terminal(io.StringIO(), io.StringIO(), stderr, colour=False)) as line:
            line.show("processing 512 tokens: " + "long-" * 20)
        written = b""
        while written.count(b"\r\x1b[K") < 2:
            written += os.read(ours, 1000)
    os.close(ours)
    text = written.decode().split("\r\x1b[K")[1]
    assert text.startswith("processing 512 tokens: ")
    assert len(text) == 27


def test_a_name_cannot_break_the_line() -> None:
    terminal = screen()
    with MeasuringLine(terminal) as line:
        line.show("a\nb\x1b[2J")
        assert "\n" not in shown(terminal.stderr)
        assert "\x1b[2J" not in shown(terminal.stderr)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (89, "89 s"), (90, "2 min"), (5000, "83 min"), (5400, "1 h 30 min")]
)
def test_times_in_words(seconds: float, text: str) -> None:
    assert about(seconds) == text
