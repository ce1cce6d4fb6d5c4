"""The files that a person may mean, while the name is being typed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_BEGUN: Final = re.compile(r"""(?<!\S)@("[^"\n]*|'[^'\n]*|(?:\\.|[^\s\\"'])*)\Z""")
_ESCAPED: Final = re.compile(r"\\(.)")
_QUOTES: Final = ('"', "'")


def begun_mention(text: str) -> str | None:
    """What stands behind the ``@`` of a mention that ``text`` ends in; None where it ends in none."""
    match = _BEGUN.search(text)
    return None if match is None else match[1]


def files_for(typed: str, *, spaces: bool) -> list[str]:
    """The paths that ``typed`` begins, in the quotes that it begins with, or that a space needs.

    A folder ends with a slash, and its quotes stay open.

    Args:
        typed: the beginning of a path.
        spaces: whether a path with spaces needs no quotes.
    """
    quote = typed[:1] if typed[:1] in _QUOTES else ""
    beginning = typed[1:] if quote else typed if spaces else _ESCAPED.sub(r"\1", typed)
    return [_quoted(path, quote, spaces=spaces) for path in _paths(beginning)]


def _quoted(path: str, quote: str, *, spaces: bool) -> str:
    if not quote:
        if spaces or not re.search(r"[\s\\\"']", path):
            return path
        quote = "'" if '"' in path else '"'
    return f"{quote}{path}" if path.endswith(os.sep) else f"{quote}{path}{quote}"


def _paths(beginning: str) -> Iterator[str]:
    name = beginning.rpartition("/")[2]
    before = beginning[: len(beginning) - len(name)]
    try:
        entries = sorted(Path(before or ".").expanduser().iterdir())
    except (OSError, RuntimeError):  # no such folder, or no such home
        return
    for entry in entries:
        if entry.name.startswith(name) and entry.name.isprintable() and (name or not entry.name.startswith(".")):
            yield f"{before}{entry.name}{os.sep if _is_folder(entry) else ''}"


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
