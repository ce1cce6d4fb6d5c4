"""What a typed line means: a question, or a command of the REPL."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from phicli.chat.commands.types import Command, unquoted

_LIKE_A_COMMAND: Final = re.compile(r"/[^\s/]*")
_ELSEWHERE: Final = {
    "/list": "see saved conversations: /sessions; see the models, in a shell: phi list",
    "/ls": "see saved conversations: /sessions; see the models, in a shell: phi list",
    "/models": "see them in a shell: phi list; to continue with one: /model NAME",
    "/dump": "to write the conversation into a file: /export PATH",
    "/temp": "to set the temperature: /set temperature VALUE",
    "/image": "images cannot be sent; to send a file: /file PATH",
}
"""Commands of other programs, and what to type here."""
_LEAVING: Final = ("exit", "quit", "bye", "exit()", "quit()", ":q")
_TO_LEAVE: Final = "to end the conversation: Ctrl-D or /exit"
_SHORT: Final = 2
"""Names of at most so many characters are not proposed: every short word is similar to ``/q``."""


@dataclass(frozen=True, slots=True)
class Question:
    """A line that is sent to the model; ``like`` is the command that it begins with, None for none."""

    text: str
    like: Command | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A command with its argument, empty for none."""

    command: Command
    argument: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """A line that looks like a command, but is not one: ``text`` says so."""

    text: str


def read_line(line: str, commands: Mapping[str, Command]) -> Question | Order | Mistake:
    """What ``line`` means, which is not empty and has no white space around it.

    A command followed by something that is not its argument is a question: ``/clear the table in SQL: how?``. So is a
    path with text behind it. ``//`` at the beginning sends a line that begins with a slash.

    Args:
        line: what was typed.
        commands: every name of a command, in lower case, with its slash.
    """
    if line.startswith("//"):
        return Question(line[1:])
    word, *more = line.split(maxsplit=1)
    rest = more[0].strip() if more else ""
    command = commands.get(word.lower())
    if command is not None and command.takes(rest):
        return Order(command, rest if command.argument.several else unquoted(rest))
    if command is not None and not rest:
        return Mistake(f"{command.name} needs an argument: {command.usage}")
    if rest or not _LIKE_A_COMMAND.fullmatch(line):
        return Mistake(_TO_LEAVE) if line.lower() in _LEAVING else Question(line, command)
    if word.lower() in _ELSEWHERE:
        return Mistake(f"unknown command: {word}; {_ELSEWHERE[word.lower()]}")
    near = difflib.get_close_matches(word.lower(), [name for name in commands if len(name) > _SHORT], n=1, cutoff=0.7)
    advice = f"did you mean {near[0]}?" if near else "see all commands: /help"
    return Mistake(f"unknown command: {word}; {advice}")
