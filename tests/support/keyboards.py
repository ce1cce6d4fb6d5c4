"""A terminal whose keys a test presses; what is drawn on it is not kept."""

from __future__ import annotations

import fcntl
import os
import sys
import termios
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from prompt_toolkit.application import create_app_session
from prompt_toolkit.output import DummyOutput

from phicli.ui.bursts import read_burst
from phicli.ui.repl.line_reader import LineReader
from tests.support.waiting import wait_until

_PAUSE_S: Final = 0.1
"""A burst has ended long before."""


class TypingPerson:
    """A person at a pseudo-terminal: ``stdin`` is what the program reads."""

    def __init__(self, keys: int, stdin: TextIO) -> None:
        self._keys = keys
        self.stdin = stdin

    def hang_up(self) -> None:
        """Close the terminal, as far as that is not done."""
        if self._keys >= 0:
            os.close(self._keys)
        self._keys = -1

    def press(self, keys: str) -> None:
        data = keys.encode()
        while data:
            data = data[os.write(self._keys, data) :]

    def press_at_the_prompt(self, bursts: Sequence[str]) -> None:
        """Wait for the prompt, and press keys with a pause after each burst."""
        wait_until(lambda: not int(self.modes[3]) & termios.ISIG)  # type: ignore[call-overload]
        self.press_apart(bursts)

    def press_apart(self, bursts: Sequence[str]) -> None:
        """Press keys with a pause after each burst."""
        for burst in bursts:
            self.press(burst)
            wait_until(lambda: not self._waiting_bytes and not _is_reading())
            time.sleep(_PAUSE_S)

    @property
    def _waiting_bytes(self) -> int:
        return int.from_bytes(fcntl.ioctl(self.stdin.fileno(), termios.FIONREAD, bytes(4)), sys.byteorder)

    @property
    def modes(self) -> list[object]:
        """How the terminal treats what is typed."""
        return termios.tcgetattr(self.stdin.fileno())


def _is_reading() -> bool:
    """Whether a thread is still in the middle of a burst: what comes now would belong to it."""
    stacks = (traceback.walk_stack(frame) for frame in sys._current_frames().values())
    return any(frame.f_code is read_burst.__code__ for stack in stacks for frame, _ in stack)


@contextmanager
def typing_person() -> Iterator[TypingPerson]:
    ours, theirs = os.openpty()
    with os.fdopen(theirs) as stdin:
        person = TypingPerson(ours, stdin)
        try:
            yield person
        finally:
            person.hang_up()


@contextmanager
def line_reader(
    person: TypingPerson, *, history: Path | None = None, tell: Callable[[str], None] = print,
    names: Callable[[str, str], Sequence[str]] = lambda _kind, _beginning: (),
) -> Iterator[LineReader]:  # fmt: skip
    """What reads the lines that a person types."""
    with create_app_session(output=DummyOutput()):
        reader = LineReader(history, names, tell=tell, stdin=person.stdin)
        reader.prepare()
        try:
            yield reader
        finally:
            reader.close()
