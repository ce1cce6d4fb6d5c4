'''Questions of several lines: ``"""`` blocks, and lines that end with a backslash.'''

from __future__ import annotations

import re
from typing import Final

_MARKS: Final = '"""'
_CLOSING: Final = re.compile(r'"""[ \t]*$', re.MULTILINE)


def is_open(text: str) -> bool:
    '''Whether ``text`` begins with ``"""``, and no line after it ends with ``"""``.'''
    return text.startswith(_MARKS) and _CLOSING.search(text, len(_MARKS)) is None


def continues(text: str) -> bool:
    r"""Whether ``text`` ends with a backslash that asks for another line; ``\\`` is one that does not."""
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


def question_of(text: str) -> str:
    """What is sent: ``text`` without the marks of a block.

    A text that goes on behind the closing marks is not a block: a Python file can begin so. The text of a block is a
    question even if it begins with a slash.
    """
    if not text.startswith(_MARKS):
        return text
    closing = _CLOSING.search(text, len(_MARKS))
    if closing is None or text[closing.end() :].strip():
        return text
    inside = text[len(_MARKS) : closing.start()].strip("\n")
    return f"/{inside}" if inside.lstrip().startswith("/") else inside
