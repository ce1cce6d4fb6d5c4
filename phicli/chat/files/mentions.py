"""Files that a line mentions: ``what does @src/main.py do?``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from phicli.chat.dialogue import Attachment
from phicli.errors import NotFoundError
from phicli.paths import is_there

_MENTION: Final = re.compile(r"""(?<!\S)@(?:"([^"\n]+)"|'([^'\n]+)'|((?:\\.|[^\s\\])+))""")
_ESCAPED: Final = re.compile(r"\\(.)")
_PUNCTUATION: Final = ".,;:!?)]}'\""
_EXTENSIONS: Final = (
    "c cc cfg cpp cs csv diff docx? go h hpp html? ini ipynb java js jsonl? jsx kt log md patch pdf php py rb rs rst "
    "sh sql swift tex toml tsv tsx? txt xml ya?ml"
)
_LIKE_A_PATH: Final = re.compile(
    rf"(?:~|\.{{1,2}})?/.+|[A-Za-z]:\\.+|[^@]*[\w-]/[^@]*\.\w{{1,8}}|[\w. -]+\.(?:{_EXTENSIONS.replace(' ', '|')})",
    re.IGNORECASE,
)
"""Decorators (``@pytest.fixture``), packages (``@types/node``) and string literals (``@"text"``) do not match."""


def mentioned(line: str, read: Callable[[str], Attachment]) -> tuple[str, tuple[Attachment, ...]]:
    """``line`` without the ``@`` in front of the files that it mentions, and those files, each once.

    A word that begins with ``@`` mentions a file if there is one of that name; a name with spaces stands in quotes, or
    has a backslash before each space. Other words stay as they are, but one that looks like a path is an error.

    Raises:
        NotFoundError: a path leads to no file.
        PhiError: what ``read`` raises.
    """
    found: dict[str, Attachment] = {}

    def plain(match: re.Match[str]) -> str:
        quoted = match[1] or match[2]
        typed = quoted or _ESCAPED.sub(r"\1", match[3])
        name = _existing(typed, exact=bool(quoted))
        if name is None:
            if _LIKE_A_PATH.fullmatch(typed.rstrip(_PUNCTUATION)):
                hint = "check the path; to send the word as text, leave out the @"
                raise NotFoundError(f"file {typed} not found", hint)
            return match[0]
        if name not in found:
            found[name] = read(name)
        return name + typed[len(name) :]

    return _MENTION.sub(plain, line), tuple(found.values())


def _existing(typed: str, *, exact: bool) -> str | None:
    """The name of the file: ``typed``, or that without the punctuation of a sentence behind it."""
    if is_there(typed):
        return typed
    shorter = typed.rstrip(_PUNCTUATION)
    return shorter if not exact and shorter and is_there(shorter) else None
