"""Reads what is typed between two prompts: it is not shown, and the next prompt gets it."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any, Final

from phicli.interruptions import interrupted_afterwards
from phicli.ui.bursts import is_ready, read_burst

_BACKGROUND_PAUSE_S: Final = 0.2
_NO_MARKED_PASTES: Final = b"\x1b[?2004l"
_holding: TypedAhead | None = None


@contextlib.contextmanager
def line_mode() -> Iterator[None]:
    """Within the context a person can answer on a line that is shown.

    What was typed before stays for the next prompt: it does not answer a question that was not shown yet.
    """
    ahead = _holding
    if ahead is None:
        yield
        return
    ahead.pause()
    try:
        yield
    finally:
        ahead.hold()


class TypedAhead:
    """Reads what is typed between two prompts; does nothing on Windows and off a terminal.

    Args:
        terminal: the file descriptor of the terminal.
    """

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._bursts: list[bytes] = []
        self._before: list[Any] | None = None
        self._handlers: dict[int, Any] = {}
        self._thread: threading.Thread | None = None
        self._wake = (-1, -1)

    @interrupted_afterwards()
    def hold(self) -> None:
        """Begin to read what is typed. Ctrl-C and Ctrl-Z work as before."""
        global _holding  # noqa: PLW0603 - the terminal is one for the process
        if sys.platform == "win32" or self._thread is not None or not os.isatty(self._terminal):
            return
        if self._before is None:
            self._before = _modes(self._terminal)
            atexit.register(self.close)
        self._catch_signals()
        self._set_modes()
        _holding = self
        self._wake = os.pipe()
        self._thread = threading.Thread(target=self._listen, name="typed-ahead", daemon=True)
        self._thread.start()

    @interrupted_afterwards()
    def take(self) -> list[bytes]:
        """Stop, for a prompt: what was typed, a paste in one piece. The terminal stays as it is."""
        global _holding  # noqa: PLW0603 - the terminal is one for the process
        if self._thread is not None:
            os.write(self._wake[1], b"x")
            self._thread.join()
            self._thread = None
            for end in self._wake:
                os.close(end)
            self._release_signals()
            _holding = None
            self._catch_ends()
        bursts, self._bursts = self._bursts, []
        return bursts

    @interrupted_afterwards()
    def pause(self) -> None:
        """Stop, for a question; :meth:`hold` goes on."""
        bursts = self.take()
        with contextlib.suppress(EOFError):
            if is_ready(self._terminal):
                bursts.append(read_burst(self._terminal))
        self._bursts = bursts
        self._restore_modes()

    @interrupted_afterwards()
    def close(self) -> None:
        """Leave the terminal as it was found."""
        self.take()
        self._release_signals()
        self._restore_modes()
        atexit.unregister(self.close)
        self._before = None

    def _listen(self) -> None:
        woken = self._wake[0]
        while True:
            ready = select.select([self._terminal, woken], [], [])[0]
            if woken in ready:
                return
            if not self._is_in_front():  # a shell reads the terminal
                time.sleep(_BACKGROUND_PAUSE_S)
                continue
            try:
                self._bursts.append(read_burst(self._terminal))
            except EOFError:
                return

    def _is_in_front(self) -> bool:
        try:
            return os.tcgetpgrp(self._terminal) == os.getpgrp()
        except OSError:  # not the terminal that controls this process: no shell shares it
            return True

    def _set_modes(self) -> None:
        """No echo and no lines; what was typed on a line before ends it with Enter."""
        import termios

        if self._before is None or not self._is_in_front():
            return
        modes = [*self._before[:6], list(self._before[6])]
        was_lines = bool(_modes(self._terminal)[3] & termios.ICANON)
        modes[0] &= ~(termios.ICRNL | termios.INLCR | termios.IGNCR)
        modes[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
        modes[3] |= termios.ISIG | termios.NOFLSH
        modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
        _apply(self._terminal, modes)
        if was_lines and is_ready(self._terminal):
            with contextlib.suppress(EOFError):
                self._bursts.append(read_burst(self._terminal).replace(b"\n", b"\r"))

    def _restore_modes(self) -> None:
        if self._before is not None and self._is_in_front():
            _apply(self._terminal, self._before)

    def _catch_signals(self) -> None:
        self._release_signals()
        ends = dict.fromkeys(_ends(), self._give_back)
        self._catch({signal.SIGTSTP: self._give_back, signal.SIGCONT: self._go_on, **ends})

    def _catch_ends(self) -> None:
        """While a prompt reads, the end by a signal restores the terminal, too; the prompt itself stops and goes on."""
        self._catch(dict.fromkeys(_ends(), self._give_back_of_prompt))

    def _catch(self, handlers: Mapping[int, Callable[[int, FrameType | None], None]]) -> None:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                if signal.getsignal(number) is signal.SIG_DFL:
                    self._handlers[number] = signal.signal(number, handler)

    def _release_signals(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()

    def _give_back(self, number: int, _: FrameType | None) -> None:
        """Stop or end, as the signal asks, with the terminal as it was."""
        self._restore_modes()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.signal(number, self._give_back)  # it was continued
        self._set_modes()

    def _give_back_of_prompt(self, number: int, frame: FrameType | None) -> None:
        """The same at a prompt, which has asked the terminal to mark pastes."""
        if os.environ.get("TERM") != "dumb" and self._is_in_front():
            with contextlib.suppress(OSError):
                os.write(self._terminal, _NO_MARKED_PASTES)
        self._give_back(number, frame)

    def _go_on(self, _number: int, _: FrameType | None) -> None:
        self._set_modes()


def _ends() -> tuple[int, ...]:
    """The signals that end the process."""
    return signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT


def _modes(terminal: int) -> list[Any]:
    import termios

    try:
        return termios.tcgetattr(terminal)
    except termios.error:  # it is gone
        return [0, 0, 0, 0, 0, 0, [0] * 32]


def _apply(terminal: int, modes: list[Any]) -> None:
    import termios

    with contextlib.suppress(termios.error):
        termios.tcsetattr(terminal, termios.TCSANOW, modes)
