"""What a command of the REPL is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from phicli.chat.commands.adapters import are_adapters
from phicli.chat.commands.settings import is_assignment
from phicli.chat.talk import Talk
from phicli.engine.types import NO_ADAPTERS
from phicli.paths import is_there

_QUOTED: Final = re.compile(r"\"[^\"]*\"|'[^']*'")
_NUMBER: Final = re.compile(r"[0-9]{1,6}")
_ONE_WORD: Final = re.compile(r"\S*[^\s?]")
"""One word, but not a question: ``/load balancing?``."""


@dataclass(frozen=True, slots=True)
class Argument:
    """What may follow a command: a line with anything else is a question that begins like the command.

    Attributes:
        label: how help shows it: ``[N]``; empty for a command that takes no argument.
        fits: whether a text is such an argument; not called with an empty text.
        required: whether the command needs it.
        names: what it is the name of, for completion: ``model``, ``adapter``, ``path``, ``session``, ``setting``,
            ``command``; empty for something else.
        words: the words that it can be, for completion; empty where it can be anything.
        several: it can be several words, each with quotes of its own, which stay.
    """

    label: str
    fits: Callable[[str], bool]
    required: bool = False
    names: str = ""
    words: tuple[str, ...] = ()
    several: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the REPL.

    Attributes:
        name: what is typed, with its slash.
        argument: what may follow.
        help: one line, an imperative.
        group: the heading of the help that it stands under.
        run: runs it with the argument, which may be empty; returns whether the conversation continues.
            A :class:`~phicli.errors.PhiError` of it is shown.
        aliases: its names in other programs.
        more: what help shows of this command alone, and the documentation too: sentences, with backticks around what
            is typed.
        see: a command that has no line of its own in the list of all commands: the line of this one names it.
    """

    name: str
    argument: Argument
    help: str
    group: str
    run: Callable[[Talk, str], bool]
    aliases: tuple[str, ...] = ()
    more: str = ""
    see: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The name and the aliases."""
        return (self.name, *self.aliases)

    def takes(self, text: str) -> bool:
        """Whether ``text`` behind the name is its argument."""
        return self.argument.fits(text) if text else not self.argument.required

    @property
    def usage(self) -> str:
        """The command with its argument, as help shows it."""
        return f"{self.name} {self.argument.label}".rstrip()


def unquoted(text: str) -> str:
    """``text`` without the quotes around it, which a name or a path with spaces needs."""
    return text[1:-1] if _QUOTED.fullmatch(text) else text


def _is_name(text: str) -> bool:
    return bool(_ONE_WORD.fullmatch(text) or _QUOTED.fullmatch(text))


def _is_path(text: str) -> bool:
    return _is_name(text) or is_there(text)


def words(*choices: str) -> Argument:
    """One of a few words, or nothing."""
    return Argument(f"[{'|'.join(choices)}]", lambda text: text in choices, words=choices)


NOTHING: Final = Argument("", lambda _: False)
SHOWN: Final = Argument("", lambda text: text in ("info", "model", "parameters", "settings", "system"))
"""Other programs show these one by one; here all of them are on one screen."""
NUMBER: Final = Argument("[N]", lambda text: _NUMBER.fullmatch(text) is not None)
ANY_TEXT: Final = Argument("[TEXT]", lambda _: True)
NAME: Final = Argument("NAME", _is_name, required=True)
SESSION: Final = Argument("NAME", _is_name, required=True, names="session")
ASSIGNMENT: Final = Argument("[NAME VALUE]", is_assignment, names="setting")
ADAPTERS: Final = Argument("[NAME[:SCALE]]", are_adapters, names="adapter", words=(NO_ADAPTERS,), several=True)
MODEL: Final = Argument("[NAME]", _is_path, names="model")
PATH: Final = Argument("[PATH]", _is_path, names="path")
NEW_PATH: Final = Argument("[PATH]", _is_name, names="path")
"""A path that need not exist: one with spaces needs quotes."""
