"""The screen of a conversation: what the commands of the REPL change on it, and the clipboard."""

from __future__ import annotations

import base64
import io
import re

import pytest

from phicli.answering.types import Answer, Event
from phicli.chat_format.types import Piece
from phicli.errors import EngineDiedError, UsageError
from phicli.ui.repl.clipboard import MOST_BYTES, to_clipboard
from phicli.ui.repl.screen import TerminalScreen
from phicli.ui.status import StatusLine
from phicli.ui.terminal import Terminal
from tests.ui.test_answer import answer


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(*, dumb: bool = False) -> Terminal:
    return Terminal(Tty(), Tty(), Tty(), colour=False, dumb=dumb)


def text_of(stream: io.TextIOBase) -> str:
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


def events() -> list[Event]:
    return [Piece("text", "so"), answer("so")]


def test_the_numbers_of_an_answer_follow_the_switch() -> None:
    ended: list[tuple[str, bool]] = []

    def on_end(last: Answer, stats: bool) -> None:
        ended.append((last.text, stats))

    place = terminal()
    screen = TerminalScreen(place, StatusLine(place), on_end=on_end)
    screen.show(iter(events()))
    screen.stats = True
    screen.show(iter(events()))
    assert ended == [("so", False), ("so", True)]


@pytest.mark.parametrize(
    ("hint", "shown"),
    [("run the command again, or: phi chat --no-attach", "to ask again: /retry"), ("see: phi list", "see: phi list")],
)
def test_the_hint_of_an_error_is_for_the_conversation(hint: str, shown: str) -> None:
    place = terminal()
    TerminalScreen(place, StatusLine(place)).fail(EngineDiedError("the engine stopped", hint))
    assert text_of(place.stderr) == f"error: the engine stopped\n  → {shown}\n"


def test_reasoning_is_revealed_whole() -> None:
    place = terminal()
    TerminalScreen(place, StatusLine(place), quiet=True).reveal("\nfirst\n\nsecond \x1b[31m\n")
    assert text_of(place.stderr) == "first\n\nsecond \ufffd[31m\n"


def test_the_clipboard_gets_the_text_as_it_is() -> None:
    place = terminal()
    assert to_clipboard(place, "é\n`x`", {}) == ""
    assert copied(text_of(place.stdout)) == "é\n`x`"


def copied(sequence: str) -> str:
    return base64.b64decode(sequence.removeprefix("\x1b]52;c;").removesuffix("\x07")).decode()


def test_gnu_screen_gets_the_text_in_pieces_that_it_passes_on() -> None:
    place, text = terminal(), "long " * 500
    assert "must allow" in to_clipboard(place, text, {"STY": "123.pts"})
    pieces = re.findall(r"\x1bP(.*?)\x1b\\", text_of(place.stdout), re.DOTALL)
    assert len(pieces) > 1
    assert max(map(len, pieces)) <= 256
    assert copied("".join(pieces)) == text


def test_what_tmux_needs_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMUX", "a/socket,1,0")
    place = terminal()
    screen = TerminalScreen(place, StatusLine(place))
    screen.copy("one")
    screen.copy("two")
    assert text_of(place.stderr).count("tmux set -s set-clipboard on") == 1
    assert text_of(place.stdout).count("\x1b]52;c;") == 2


@pytest.mark.parametrize(
    ("place", "text", "why"),
    [
        (Terminal(Tty(), io.StringIO(), Tty(), colour=False), "a", "standard output is not a terminal"),
        (terminal(dumb=True), "a", "TERM=dumb"),
        (terminal(), "é" * (MOST_BYTES // 2 + 1), "74,996 bytes"),
    ],
)
def test_a_clipboard_that_cannot_be_reached_is_an_error_with_advice(place: Terminal, text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as error:
        to_clipboard(place, text, {})
    assert error.value.hint
    assert text_of(place.stdout) == ""


def test_the_longest_text_is_copied() -> None:
    place = terminal()
    to_clipboard(place, "x" * MOST_BYTES, {})
    assert len(text_of(place.stdout)) == 100_000
