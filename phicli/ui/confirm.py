"""Asks before something is done."""

from __future__ import annotations

from phicli.errors import UsageError, UserInterruptError
from phicli.ui.terminal import Terminal


def confirm(terminal: Terminal, question: str, *, assume_yes: bool = False, default: bool = False) -> bool:
    """Whether a person agrees; ``default`` is what an empty answer means.

    The question is on standard error, so that standard output stays data.

    Raises:
        UsageError: nobody can answer here, and ``assume_yes`` is not set.
        UserInterruptError: Ctrl-C.
    """
    if assume_yes:
        return True
    if not terminal.can_ask:
        raise UsageError(
            "this command asks for confirmation, and standard input is not a terminal", "confirm with --yes"
        )
    choices = "[Y/n]" if default else "[y/N]"
    while True:
        terminal.ask(f"{question} {choices} ")
        try:
            answer = terminal.stdin.readline()
        except UnicodeDecodeError:  # stray bytes are not an answer
            continue
        except KeyboardInterrupt:
            terminal.say("")
            raise UserInterruptError("interrupted") from None
        if not answer:  # Ctrl-D
            terminal.say("")
            return False
        word = answer.strip().lower()
        if not word:
            return default
        if word in ("y", "yes", "n", "no"):
            return word.startswith("y")
