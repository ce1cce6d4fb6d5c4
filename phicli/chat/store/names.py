"""The names of sessions."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from phicli.errors import UsageError

if TYPE_CHECKING:
    from phicli.chat.dialogue import Dialogue

LAST: Final = "last"
_LONGEST: Final = 100
_WORDS: Final = 5
_LONGEST_SLUG: Final = 40
_LONGEST_TITLE: Final = 80


def checked_name(name: str) -> str:
    """``name``, where a session can be called so.

    Raises:
        UsageError: it cannot.
    """
    if not name.strip() or name != name.strip():
        raise UsageError(f"{name!r} cannot be the name of a session", "give a name with letters, e.g. trip")
    if len(name) > _LONGEST:
        raise UsageError(f"the name of a session has {len(name)} characters, but at most {_LONGEST} are allowed",
                         "give a shorter name")  # fmt: skip
    if not name.isprintable() or name.startswith("-") or key_of(name) == LAST:
        raise UsageError(
            f"{name!r} cannot be the name of a session",
            "choose a name that is not last, does not begin with a hyphen and has no control characters",
        )
    return name


def key_of(name: str) -> str:
    """The same for names that differ only in their case, or in how their accents are encoded."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def numbered(name: str) -> Iterator[str]:
    """``name``, then ``name-2``, ``name-3``, …"""
    yield name
    number = 2
    while True:
        yield f"{name[: _LONGEST - len(str(number)) - 1]}-{number}"
        number += 1


def name_of(dialogue: Dialogue) -> str:
    """A name made of the first words of a conversation."""
    text = unicodedata.normalize("NFC", _first_text(dialogue)[: 10 * _LONGEST_SLUG]).lower()
    words = "".join(letter if _in_word(letter) else " " for letter in text).split()[:_WORDS]
    slug = "-".join(words)[:_LONGEST_SLUG].strip("-")
    return slug if slug and key_of(slug) != LAST else "conversation"


def _in_word(letter: str) -> bool:
    """Whether it is a letter, a digit or a mark: without their marks words of many scripts cannot be read."""
    return unicodedata.category(letter)[0] in "LNM"


def title_of(dialogue: Dialogue) -> str:
    """The first question on one line, shortened."""
    text = _first_text(dialogue)[: 4 * _LONGEST_TITLE].encode("utf-8", errors="replace").decode()
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_TITLE else f"{line[: _LONGEST_TITLE - 1]}…"


def _first_text(dialogue: Dialogue) -> str:
    if not dialogue.turns:
        return ""
    turn = dialogue.turns[0]
    return turn.question.strip() or next((one.name or one.text for one in turn.attachments), "")
