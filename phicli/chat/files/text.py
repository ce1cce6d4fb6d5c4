"""Bytes as text: in which encoding, and what is done with bytes that are not text in it."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from phicli.errors import UsageError
from phicli.units import counted

MOST_BYTES: Final = 16 << 20
"""Of a file or of standard input: far more than the longest context of any model holds."""
_BYTE_ORDER_MARKS: Final = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be", b"\xef\xbb\xbf": "utf-8"}
_MARK: Final = "\ufeff"
REPLACEMENT: Final = "\ufffd"


@dataclass(frozen=True, slots=True)
class TextEncoding:
    """How bytes become text.

    Attributes:
        name: Python's name of the encoding; None for UTF-8, or UTF-16 where the bytes begin with its byte order mark.
        lossy: replace bytes that are not text in that encoding with U+FFFD, instead of refusing them.
    """

    name: str | None = None
    lossy: bool = False


UTF8: Final = TextEncoding()
_NOT_OF_FILES: Final = ("idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape")
"""Python's encodings of names and of literals in source code."""


def check_encoding(name: str) -> str:
    """``name``, where it is the name of a text encoding.

    Raises:
        UsageError: it is not.
    """
    try:
        b"a".decode(name, errors="replace")
        usable = codecs.lookup(name).name.replace("-", "_") not in _NOT_OF_FILES
    except (LookupError, ValueError):
        usable = False
    if not usable:
        hint = "name an encoding, e.g. latin-1, cp1252, utf-16 or shift_jis"
        raise UsageError(f"--input-encoding {name} is not a text encoding", hint)
    return name


def decode(data: bytes, source: str, how: TextEncoding = UTF8, tell: Callable[[str], None] = lambda _: None) -> str:
    """The text in ``data``, without its byte order mark.

    Args:
        data: all bytes.
        source: what they come from, as the beginning of a sentence: ``standard input``, ``notes.txt``.
        how: the encoding.
        tell: told how many characters were replaced.

    Raises:
        UsageError: the bytes are not text in that encoding; says which byte and where.
    """
    encoding, skipped = how.name or "utf-8", 0
    if how.name is None:
        for mark, name in _BYTE_ORDER_MARKS.items():
            if data.startswith(mark):
                encoding, data, skipped = name, data[len(mark) :], len(mark)
                break
    try:
        return data.decode(encoding).removeprefix(_MARK)
    except UnicodeDecodeError as error:
        if how.lossy:
            return _replaced(data, encoding, source, tell)
        byte = f"byte 0x{error.object[error.start]:02x} at offset {error.start + skipped}"
        raise UsageError(
            f"{source} is not {shown(encoding)} text: {byte}",
            "name its encoding, e.g. --input-encoding latin-1; or replace such bytes: --lossy",
        ) from None


def without_surrogates(text: str) -> str:
    """``text`` with U+FFFD in place of surrogates: they cannot be written as UTF-8."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def shown(encoding: str) -> str:
    """The name of an encoding for people."""
    return encoding.upper().replace("UTF-16-LE", "UTF-16").replace("UTF-16-BE", "UTF-16")


def _replaced(data: bytes, encoding: str, source: str, tell: Callable[[str], None]) -> str:
    text = data.decode(encoding, errors="replace")
    own = data.decode(encoding, errors="ignore").count(REPLACEMENT)
    replaced = counted(text.count(REPLACEMENT) - own, "character")
    tell(f"{source} is not {shown(encoding)} text: {replaced} replaced with U+FFFD")
    return text.removeprefix(_MARK)
