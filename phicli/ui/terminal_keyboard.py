"""The keyboard of the terminal, where standard input is a pipe or a file."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from phicli.errors import UsageError
from phicli.ui.terminal import Terminal

_WINDOWS: Final = "CONIN$"
_USUAL: Final = "/dev/tty"


def at_keyboard(terminal: Terminal) -> Terminal:
    """``terminal`` with the keyboard as its standard input; what is piped in stays where it is.

    Raises:
        UsageError: standard output is not a terminal, or its keyboard cannot be opened.
    """
    if not terminal.stdout.isatty():
        raise UsageError(
            "--interactive needs a terminal, and standard output is not one",
            "leave out --interactive to get one answer",
        )
    if terminal.stdin.isatty():
        return terminal
    for name in _names(terminal):
        with contextlib.suppress(OSError):
            return replace(terminal, stdin=Path(name).open(encoding="utf-8", errors="replace"))
    raise UsageError(
        "--interactive needs a terminal to read from, and there is none", "leave out --interactive to get one answer"
    )


def take_keyboard(terminal: Terminal) -> None:
    """Make the standard input of ``terminal`` that of the process, and of programs that it starts."""
    if terminal.stdin.fileno() != 0:
        os.dup2(terminal.stdin.fileno(), 0)
        sys.stdin = terminal.stdin


def _names(terminal: Terminal) -> Iterator[str]:
    """The terminal's own name first: macOS cannot wait for keys at the usual one."""
    if sys.platform == "win32":
        yield _WINDOWS
        return
    with contextlib.suppress(OSError, ValueError):
        yield os.ttyname(terminal.stdout.fileno())
    yield _USUAL
