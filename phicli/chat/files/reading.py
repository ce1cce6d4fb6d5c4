"""Reads a file that goes with a question."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.chat.dialogue import Attachment
from phicli.chat.files.documents import document_kind, document_text
from phicli.chat.files.mentions import mentioned
from phicli.chat.files.secrets import why_secret
from phicli.chat.files.text import MOST_BYTES, UTF8, TextEncoding, decode, without_surrogates
from phicli.errors import NotFoundError, UsageError, reason_of
from phicli.paths import expand
from phicli.units import format_bytes

_OLD_OFFICE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_UNPRINTABLE: Final = dict.fromkeys((*range(0x20), 0x7F), " ")


@dataclass(frozen=True, slots=True)
class FileReader:
    """Reads files as text.

    Attributes:
        encoding: of the files that are plain text.
        allow: asked with a sentence before a file that looks secret is used; False: it is not used.
        tell: told what a person should know.
    """

    encoding: TextEncoding = UTF8
    allow: Callable[[str], bool] = lambda _: False
    tell: Callable[[str], None] = lambda _: None

    def read(self, name: str) -> Attachment:
        """The text of the file that a person called ``name``.

        Raises:
            NotFoundError: there is no such file.
            UsageError: it is not a regular file, is binary, empty or too large, is not text in the encoding, needs a
                package that is not installed, cannot be read, or looks secret and was not allowed.
        """
        if not name.strip():
            raise UsageError("the name of the file is empty", "name a text file: --file PATH")
        path = expand(name)
        data = _bytes_of(path, name)
        kind = document_kind(path, data)
        text = document_text(kind, data, name) if kind else self._plain(data, name)
        if not text.strip():
            raise UsageError(f"{name} is empty", "name a file with text in it")
        real = Path(os.path.realpath(path))
        reason = why_secret(path, text) or why_secret(real, "")
        if reason is not None and not self.allow(f"{name} looks secret: {reason}."):
            raise UsageError(f"{name} was not sent: {reason}", "send it anyway with --yes, or leave it out")
        return Attachment(without_surrogates(name.translate(_UNPRINTABLE)), without_surrogates(text))

    def mentioned(self, line: str) -> tuple[str, tuple[Attachment, ...]]:
        """``line`` without the marks of the files that it mentions, and those files.

        Raises:
            PhiError: as for :func:`phicli.chat.files.mentions.mentioned`.
        """
        return mentioned(line, self.read)

    def _plain(self, data: bytes, name: str) -> str:
        wide = self.encoding.name is not None or data.startswith(_UTF16_MARKS)
        if data.startswith(_OLD_OFFICE):
            raise UsageError(
                f"{name} is an old or a protected Office file", "save it as .docx without a password, or as text"
            )
        if b"\0" in data and not wide:
            raise UsageError(f"{name} is a binary file", "name a text file; convert others to text first")
        return decode(data, name, self.encoding, self.tell)


def _bytes_of(path: Path, name: str) -> bytes:
    """All bytes of a regular file; it neither waits for a pipe nor reads more than the limit."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise NotFoundError(f"file {name} not found", "check the path") from None
    except IsADirectoryError:
        raise _folder(name) from None
    except ValueError as error:  # a NUL character in the name
        raise UsageError(f"{name!r} is not a path: {error}", "check the path") from None
    except OSError as error:
        if os.path.isdir(path):  # noqa: PTH112 (as Windows reports it; Path raises where a name is too long)
            raise _folder(name) from None
        raise _unreadable(name, error) from None
    try:
        _require_regular(os.fstat(handle), name)
    except UsageError:
        os.close(handle)
        raise
    try:
        with os.fdopen(handle, "rb") as file:
            data = file.read(MOST_BYTES + 1) or b""  # None: a file of the kernel that would wait
    except OSError as error:
        raise _unreadable(name, error) from None
    if len(data) > MOST_BYTES:
        size = max(path.stat().st_size, len(data))
        raise UsageError(
            f"{name} has {format_bytes(size)}, but at most {format_bytes(MOST_BYTES)} are read", "name a smaller file"
        )
    return data


def _require_regular(status: os.stat_result, name: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise _folder(name)
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{name} is a device or a pipe, not a file", "pipe its text into phi chat instead")


def _unreadable(name: str, error: OSError) -> UsageError:
    return UsageError(f"{name} cannot be read: {reason_of(error)}", "check the file and its permissions")


def _folder(name: str) -> UsageError:
    return UsageError(f"{name} is a folder", "name a file in it; --file can be repeated")
