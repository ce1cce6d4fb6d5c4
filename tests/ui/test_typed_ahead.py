"""What is typed while nothing asks for it."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator

import pytest

if sys.platform == "win32":
    pytest.skip("Windows has no such terminals", allow_module_level=True)

import termios

from phicli.ui.confirm import which
from phicli.ui.terminal import Terminal
from phicli.ui.typed_ahead import TypedAhead, line_mode
from tests.support.keyboards import TypingPerson, typing_person
from tests.support.waiting import wait_until


@pytest.fixture
def person() -> Iterator[TypingPerson]:
    with typing_person() as person:
        yield person


@pytest.fixture
def ahead(person: TypingPerson) -> Iterator[TypedAhead]:
    ahead = TypedAhead(person.stdin.fileno())
    yield ahead
    ahead.close()


def test_nothing_is_shown_or_lost_above_the_size_of_the_systems_buffer(person: TypingPerson, ahead: TypedAhead) -> None:
    text = "0123456789" * 5_000
    ahead.hold()
    assert not int(person.modes[3]) & (termios.ECHO | termios.ICANON)  # type: ignore[call-overload]
    assert int(person.modes[3]) & termios.ISIG  # type: ignore[call-overload]
    person.press(text)
    bursts = b"".join(ahead.take())
    ahead.hold()
    bursts += b"".join(ahead.take())
    assert text.encode().startswith(bursts)
    assert len(bursts) > 4096


def test_lines_that_were_typed_before_end_with_enter(person: TypingPerson, ahead: TypedAhead) -> None:
    person.press("early\r")
    ahead.hold()
    assert b"".join(ahead.take()) == b"early\r"


def test_a_question_gets_only_what_is_typed_after_it(person: TypingPerson, ahead: TypedAhead) -> None:
    ahead.hold()
    person.press("2\r")
    terminal = Terminal(person.stdin, sys.stdout, sys.stderr, colour=False)
    before = person.modes

    def answer() -> None:
        wait_until(lambda: person.modes != before)
        person.press("1\r")

    answering = threading.Thread(target=answer)
    answering.start()
    assert which(terminal, "Which?", ["one", "two"]) == 0
    answering.join()
    assert person.modes == before
    assert b"".join(ahead.take()) == b"2\r"


def test_a_question_restores_the_terminal_after_an_interruption(person: TypingPerson, ahead: TypedAhead) -> None:
    before = person.modes
    ahead.hold()
    asked = []

    def interrupted() -> None:
        with line_mode():
            asked.append(person.modes)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert asked == [before]
    assert person.modes != before
    ahead.close()
    assert person.modes == before


def test_signals_are_as_before_while_a_prompt_reads(ahead: TypedAhead) -> None:
    before = signal.getsignal(signal.SIGTSTP)
    ahead.hold()
    assert signal.getsignal(signal.SIGTSTP) != before
    ahead.take()
    assert signal.getsignal(signal.SIGTSTP) == before


def test_a_continued_process_sets_the_terminal_again(person: TypingPerson, ahead: TypedAhead) -> None:
    before = person.modes
    ahead.hold()
    held = person.modes
    termios.tcsetattr(person.stdin.fileno(), termios.TCSANOW, before)  # type: ignore[arg-type]  # as a shell does
    signal.raise_signal(signal.SIGCONT)
    assert person.modes == held


def test_a_terminal_that_is_gone_is_left_alone(person: TypingPerson, ahead: TypedAhead) -> None:
    ahead.hold()
    person.press("typed")
    person.hang_up()
    ahead.take()
    ahead.hold()
    assert ahead.take() == []
