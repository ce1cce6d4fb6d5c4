"""Bytes as text: in which encoding, and what is done with bytes that are not text in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from phicli.errors import UsageError
from phicli.units import counted

_BYTE_ORDER_MARKS: Final = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be", b"\xef\xbb\xbf": "utf-8"}
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


def check_encoding(name: str) -> str:
    """``name``, where it is the name of a text encoding.

    Raises:
        UsageError: it is not.
    """
    try:
        b"a".decode(name, errors="replace")
    except (LookupError, UnicodeError, ValueError):
        hint = "name an encoding, e.g. latin-1, cp1252, utf-16 or shift_jis"
        raise UsageError(f"--input-encoding {name} is not a text encoding", hint) from None
    return name


def decode(data: bytes, source: str, how: TextEncoding = UTF8, tell: Callable[[str], None] = lambda _: None) -> str:
    """The text in ``data``.

    Args:
        data: all bytes.
        source: what they come from, as the beginning of a sentence: ``standard input``, ``notes.txt``.
        how: the encoding.
        tell: told how many characters were replaced.

    Raises:
        UsageError: the bytes are not text in that encoding; says which byte and where.
    """
    encoding = how.name or "utf-8"
    if how.name is None:
        for mark, name in _BYTE_ORDER_MARKS.items():
            if data.startswith(mark):
                encoding, data = name, data[len(mark) :]
                break
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if how.lossy:
            return _replaced(data, encoding, source, tell)
        byte = f"byte 0x{error.object[error.start]:02x} at offset {error.start}"
        raise UsageError(
            f"{source} is not {shown(encoding)} text: {byte}",
            "name its encoding, e.g. --input-encoding latin-1; or replace such bytes: --lossy",
        ) from None


def shown(encoding: str) -> str:
    """The name of an encoding for people."""
    return encoding.upper().replace("UTF-16-LE", "UTF-16").replace("UTF-16-BE", "UTF-16")


def _replaced(data: bytes, encoding: str, source: str, tell: Callable[[str], None]) -> str:
    text = data.decode(encoding, errors="replace")
    own = data.decode(encoding, errors="ignore").count(REPLACEMENT)
    replaced = counted(text.count(REPLACEMENT) - own, "character")
    tell(f"{source} is not {shown(encoding)} text: {replaced} replaced with U+FFFD")
    return text
