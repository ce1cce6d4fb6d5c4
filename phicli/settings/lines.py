"""Statements of a TOML text with their lines: ``tomllib`` reads values but does not say where they are.

The text is one that ``tomllib`` has read, so this only has to find the keys, not to check the grammar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from phicli.settings.key import KeyPath

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BRACKETS: Final = re.compile(r"\[*")
_EQUALS: Final = re.compile(r"[ \t]*=[ \t]*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_TEXT: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"""+|' r"'''.*?'''+|" r'"(?:[^"\\\n]|\\.)*"|' r"'[^'\n]*'",
    re.DOTALL,
)
"""A text in one of its four forms; three quotes may be followed by up to two that belong to the text."""
_PLAIN: Final = re.compile(r"[^\"'#\[\]{}\s]+")


@dataclass(frozen=True, slots=True)
class Statement:
    """The header of a table, or a key with its value.

    ``key`` is the full key, ``table`` that of the header above it (a header is its own). ``line`` counts from 1. The
    statement is ``text[start:end]``: ``end`` is behind its value, before a comment. ``value`` is where its value
    begins, ``end`` for a header.
    """

    key: KeyPath
    table: KeyPath
    line: int
    start: int
    value: int
    end: int

    @property
    def is_header(self) -> bool:
        """Whether it begins a table."""
        return self.value == self.end


def statements(text: str) -> Iterator[Statement]:
    """The statements of a TOML ``text`` in their order. Keys inside an inline table belong to its statement."""
    table: KeyPath = ()
    line, counted, at = 1, 0, _after(_BLANK, text, 0)
    while at < len(text):
        line, counted = line + text.count("\n", counted, at), at
        key, end = _key(text, _after(_BRACKETS, text, at))
        if text[at] == "[":
            table, end = key, end + (2 if text.startswith("[[", at) else 1)
            yield Statement(key, table, line, at, end, end)
        else:
            value = _after(_EQUALS, text, end)
            end = _value_end(text, value)
            yield Statement((*table, *key), table, line, at, value, end)
        at = _after(_BLANK, text, end)


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line of every table and every key of a TOML ``text``, the first one where it has several."""
    lines: dict[KeyPath, int] = {}
    for statement in statements(text):
        for length in range(1, len(statement.key) + 1):
            lines.setdefault(statement.key[:length], statement.line)
    return lines


def line_of(lines: dict[KeyPath, int], key: KeyPath) -> int:
    """The line of ``key``, else of the closest table around it, else 1."""
    return next((lines[key[:length]] for length in range(len(key), 0, -1) if key[:length] in lines), 1)


def key_parts(key: str) -> KeyPath | None:
    """The parts of a dotted key as it is typed: ``chat."max tokens"``; None for what is not a key."""
    try:
        path, end = _key(key, 0)
    except ValueError:
        return None
    return path if end == len(key) else None


def written(key: KeyPath) -> str:
    """``key`` as TOML writes it: parts that need quotes have them."""
    import json

    return ".".join(part if _BARE.fullmatch(part) else json.dumps(part, ensure_ascii=False) for part in key)


def toml(value: Any) -> str:
    """``value`` as TOML: a text, number, boolean, or a list of them."""
    import json

    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _key(text: str, at: int) -> tuple[KeyPath, int]:
    """The dotted key at ``at``, and where it ends.

    Raises:
        ValueError: there is none.
    """
    parts: list[str] = []
    while True:
        at = _after(_SPACE, text, at)
        found = _BARE.match(text, at) or _TEXT.match(text, at)
        if found is None:
            raise ValueError("a key is required here")
        parts.append(_unquoted(found.group()))
        at = _after(_SPACE, text, found.end())
        if text[at : at + 1] != ".":
            return tuple(parts), at
        at += 1


def _value_end(text: str, at: int) -> int:
    """Where the value that begins at ``at`` ends: behind the last thing before a line break outside of brackets."""
    depth, end = 0, at
    while at < len(text):
        if found := _TEXT.match(text, at) or _PLAIN.match(text, at):
            at = end = found.end()
        elif depth == 0 and text[at] in "#\n":
            break
        elif text[at] == "#":
            at = _line_end(text, at)
        else:
            depth += (text[at] in "[{") - (text[at] in "]}")
            at += 1
            end = end if text[at - 1].isspace() else at
    return end


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _unquoted(part: str) -> str:
    if part[0] == '"':
        import tomllib

        value: str = tomllib.loads(f"key = {part}")["key"]
        return value
    return part[1:-1] if part[0] == "'" else part


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at
