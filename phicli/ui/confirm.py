"""Asks before something is done, and which of several things is meant."""

from __future__ import annotations

from collections.abc import Sequence

from phicli.errors import UsageError, UserInterruptError
from phicli.ui.terminal import Terminal
from phicli.ui.typed_ahead import line_mode


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
        word = _answer(terminal, f"{question} {choices}")
        if word is None:
            return False
        if not word:
            return default
        if word in ("y", "yes", "n", "no"):
            return word.startswith("y")


def which(terminal: Terminal, question: str, choices: Sequence[str]) -> int | None:
    """The index of the choice that a person at the terminal takes; None for none: an empty answer, or Ctrl-D.

    Raises:
        UserInterruptError: Ctrl-C.
    """
    terminal.say(question)
    for number, choice in enumerate(choices, 1):
        terminal.say(f"  {number}  {choice}")
    while True:
        word = _answer(terminal, f"Which one? [1-{len(choices)}, Enter for none]")
        if not word:
            return None
        if word.isdecimal() and 1 <= int(word) <= len(choices):
            return int(word) - 1


def _answer(terminal: Terminal, question: str) -> str | None:
    """What a person types, in lower case; None after Ctrl-D."""
    while True:
        terminal.ask(question)
        try:
            with line_mode():
                answer = terminal.stdin.readline()
        except UnicodeDecodeError:  # stray bytes are not an answer
            continue
        except KeyboardInterrupt:
            terminal.say("")
            raise UserInterruptError("interrupted") from None
        if not answer:
            terminal.say("")
            return None
        return answer.strip().lower()
