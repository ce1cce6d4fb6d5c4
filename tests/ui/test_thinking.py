"""Reasoning on a terminal: the line that moves, the line that stays, and what is above them."""

from __future__ import annotations

import fcntl
import io
import itertools
import os
import struct
import sys
import termios
from collections.abc import Iterator

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phicli.answering.types import Answer, Event, Notice, Reasoned
from phicli.chat_format.types import Piece
from phicli.engine.types import Usage
from phicli.ui.answer import AnswerPrinter
from phicli.ui.status import StatusLine
from phicli.ui.terminal import Terminal
from phicli.ui.thinking import Thinking, tail_of
from phicli.ui.wrapping import cells

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
ANSWER = Answer("It is 4.", "so", (), "stop", Usage(7, 300, 0), None, 0.0, None, 0.0, 512, 307, reasoning_tokens=3)
LONG = "Let me see, two and two, that is what they ask for, and it is not hard to find out what it is."


class Stream(io.StringIO):
    """Text for a terminal whose size a file descriptor has."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(newline="")
        self._descriptor = descriptor

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor


class Screen:
    """A terminal that shows what it was sent, and remembers it."""

    def __init__(self, columns: int, *, colour: bool = True) -> None:
        self._ours, self._theirs = os.openpty()
        self.resize(columns)
        self._stream = Stream(self._theirs)
        self.terminal = Terminal(io.StringIO(), self._stream, self._stream, colour=colour)
        self._columns = columns

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))

    def show(self, *events: Event, quiet: bool = False, thinking: Thinking = "hide") -> None:
        """Show an answer, and remember what was on the screen before each event."""
        printer = AnswerPrinter(self.terminal, StatusLine(self.terminal), quiet=quiet, thinking=thinking)
        printer.show(self._each(events))

    @property
    def sent(self) -> str:
        return self._stream.getvalue()

    @property
    def lines(self) -> list[str]:
        screen = pyte.Screen(self._columns, 40)
        screen.set_mode(pyte.modes.LNM)
        pyte.Stream(screen).feed(self.sent)
        lines = [line.rstrip() for line in screen.display]
        return lines[: max((number for number, line in enumerate(lines, 1) if line), default=0)]

    def close(self) -> None:
        os.close(self._ours)
        os.close(self._theirs)

    def _each(self, events: tuple[Event, ...]) -> Iterator[Event]:
        self.history: list[list[str]] = []
        for event in events:
            self.history.append(self.lines)
            yield event


@pytest.fixture(autouse=True)
def seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock comes a second later."""
    times = itertools.count()
    monkeypatch.setattr("phicli.ui.thinking.monotonic", lambda: float(next(times)))


def thought(text: str = LONG, tokens: int = 340) -> list[Event]:
    words = text.split(" ")
    return [Reasoned(tokens), *(Piece("reasoning", f"{word} ") for word in words)]


@pytest.fixture(autouse=True)
def no_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminals of these tests have widths of their own."""
    monkeypatch.delenv("COLUMNS", raising=False)


def test_reasoning_is_one_line_that_moves_and_then_one_that_stays() -> None:
    screen = Screen(40)
    screen.show(*thought(), Piece("text", "It is 4."), ANSWER)
    assert screen.lines[-1] == "It is 4."
    assert screen.lines[0].startswith("thought for ")
    assert " ".join(line.strip() for line in screen.lines[:-1]).endswith("340 tokens; /think show prints it")
    during = screen.history[2:-1]
    assert all(len(lines) <= 1 and cells(lines[0]) < 40 for lines in during)
    assert during[-1][0].endswith("what it is.")
    assert "\x1b[2m" in screen.sent


def test_nothing_that_was_printed_before_is_touched() -> None:
    screen = Screen(40)
    screen.show(Piece("text", "first line\nsecond line"), ANSWER)
    before = screen.lines
    screen.show(*thought(), Notice("a larger context"), *thought(), Piece("text", "It is 4."), ANSWER)
    assert screen.lines[: len(before)] == before
    assert all(lines[: len(before)] == before for lines in screen.history[1:])
    assert screen.lines[len(before)] == "note: a larger context"
    assert screen.lines[-1] == "It is 4."
    assert sum("thought for" in line for line in screen.lines) == 1


def test_shown_reasoning_stays() -> None:
    screen = Screen(40)
    screen.show(*thought(), Piece("text", "It is 4."), ANSWER, thinking="show")
    assert " ".join(line.strip() for line in screen.lines) == f"{LONG} It is 4."


def test_quiet_shows_nothing_of_it() -> None:
    screen = Screen(40)
    screen.show(*thought(), Piece("text", "It is 4."), ANSWER, quiet=True)
    assert screen.lines == ["It is 4."]


def test_a_terminal_without_colors_gets_the_line_that_stays() -> None:
    screen = Screen(100, colour=False)
    screen.show(*thought(), Piece("text", "It is 4."), ANSWER)
    assert screen.lines[0].startswith("thought for ")
    assert screen.lines[1:] == ["It is 4."]
    assert "\x1b" not in screen.sent
    assert "Let me" not in screen.sent


def test_a_file_gets_all_of_it() -> None:
    out, err = io.StringIO(), io.StringIO()
    terminal = Terminal(io.StringIO(), out, err, colour=False)
    AnswerPrinter(terminal, StatusLine(terminal), thinking="hide").show(iter([*thought("so it is"), ANSWER]))
    assert err.getvalue() == "so it is \n"


def test_reasoning_behind_text_is_counted_at_the_end() -> None:
    screen = Screen(100)
    again = [Reasoned(440), Piece("reasoning", "but wait")]
    screen.show(*thought("so"), Piece("text", "It is 4."), *again, Piece("text", " Yes."), ANSWER)
    assert screen.lines[1] == "It is 4. Yes."
    assert [line for line in screen.lines if "100 tokens" in line] == [screen.lines[2]]


def test_an_interruption_leaves_the_line_that_stays() -> None:
    screen = Screen(100)

    def events() -> Iterator[Event]:
        yield from thought()
        raise KeyboardInterrupt

    printer = AnswerPrinter(screen.terminal, StatusLine(screen.terminal), thinking="hide")
    with pytest.raises(KeyboardInterrupt):
        printer.show(events())
    assert len(screen.lines) == 1
    assert screen.lines[0].endswith("340 tokens; /think show prints it")


def test_an_answer_that_is_only_reasoning() -> None:
    screen = Screen(100)
    only = Answer("", LONG, (), "length", Usage(7, 300, 0), None, 0.0, None, 0.0, 512, 307, reasoning_tokens=300)
    screen.show(*thought(tokens=300), only)
    assert len(screen.lines) == 2
    assert screen.lines[1] == "note: the model gave no answer: its reasoning was cut off after 300 tokens"


def test_a_narrower_terminal_gets_a_shorter_line() -> None:
    screen = Screen(80)
    events = thought(LONG)

    def shrinking() -> Iterator[Event]:
        for number, event in enumerate(events):
            if number == len(events) // 2:
                screen.resize(20)
            yield event

    printer = AnswerPrinter(screen.terminal, StatusLine(screen.terminal), thinking="hide")
    printer.show(shrinking())
    drawn = [part.split("\x1b[22m")[0] for part in screen.sent.split("\x1b[J\x1b[?7l\x1b[2m")[1:]]
    assert max(map(len, drawn)) > 20
    assert all(len(line) < 20 for line in drawn[len(events) // 2 :])


def test_a_terminal_that_is_narrower_than_it_says_keeps_what_is_above() -> None:
    """It was resized just now, and has not told yet."""
    screen = Screen(30)
    screen.show(Piece("text", "first"), ANSWER)
    screen.resize(80)
    screen.show(*thought(), Piece("text", "It is 4."), ANSWER)
    assert (screen.lines[0], screen.lines[-1]) == ("first", "It is 4.")
    assert screen.lines[1].startswith("thought for ")
    assert all(len(lines) == 2 for lines in screen.history[2:-1])


@given(text=st.text(max_size=300), columns=st.integers(-1, 60))
def test_the_end_of_a_text_fits_into_its_columns(text: str, columns: int) -> None:
    line = tail_of(text, columns)
    assert cells(line) <= max(columns, 0)
    assert line.isprintable() or not line.strip() or "\x1b" not in line


def test_the_end_of_a_text_of_wide_characters_and_control_characters() -> None:
    assert tail_of("好的" * 40, 10) == "的好的好的"
    assert tail_of("a\x1b[2Jb\r\n\tc", 20) == "a�[2Jb c"
    assert tail_of("one two three", 9) == "two three"
