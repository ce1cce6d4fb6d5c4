"""A file of training data, opened for reading: a file, or standard input for ``-``."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from phicli.errors import CheckFailedError, NotFoundError, UsageError, reason_of
from phicli.paths import expand
from phicli.training_data.decoding import how_to_read, what_it_is

PIPE: Final = "-"
_STANDARD_INPUT: Final = "standard input"
_BUFFER_BYTES: Final = 1 << 20
_START_BYTES: Final = 64
_TABLES: Final = (".csv", ".tsv")


@dataclass(frozen=True, slots=True)
class Source:
    """An open file. ``name`` is for messages; ``size_bytes`` is None where it is not known, as in a pipe."""

    name: str
    file: BinaryIO
    size_bytes: int | None

    @property
    def typed(self) -> str:
        """The file as it is typed in a command."""
        return typed_name(self.name)

    def require_other(self, path: Path) -> None:
        """Return if ``path`` is another file than this one.

        Raises:
            UsageError: what is read would be replaced.
        """
        with contextlib.suppress(OSError, ValueError):  # no such file yet, or no file at all
            if os.path.samestat(path.stat(), os.fstat(self.file.fileno())):
                raise UsageError(f"{path} cannot be written while it is read", "name another file to write")

    @property
    def start(self) -> bytes:
        """What it begins with, without reading it; nothing where the system does not have it yet."""
        return self.file.peek(_START_BYTES)[:_START_BYTES] if isinstance(self.file, io.BufferedReader) else b""

    def require_json_lines(self) -> None:
        """Return unless it is a table by its name and by what it begins with.

        Raises:
            UsageError: it is; the hint converts it.
        """
        path = Path(self.name)
        if path.suffix.lower() in _TABLES and self.start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"["):
            new = path.with_suffix(".jsonl")
            hint = f"convert it: phi data convert {shlex.quote(self.name)} -o {shlex.quote(str(new))}"
            raise UsageError(f"{self.name} is a table, not JSON Lines", hint)

    def require_text(self, encoding: str = "utf-8") -> None:
        """Return if it may be text.

        Raises:
            CheckFailedError: it is compressed, or a file of another kind; the hint says what to do.
        """
        start = self.start
        if what := what_it_is(start, utf8=encoding.lower().replace("_", "-") in ("utf-8", "utf8")):
            raise CheckFailedError(f"{self.name} is {what}", how_to_read(start, self.typed))


def typed_name(name: str) -> str:
    """A file as it is typed in a command: quoted where a shell requires it, ``FILE`` for standard input."""
    if name == _STANDARD_INPUT or not name.isprintable():
        return "FILE"
    return shlex.quote(f"./{name}" if name.startswith("-") else name)


@contextlib.contextmanager
def opened(typed: str) -> Iterator[Source]:
    """The file that was ``typed``, closed afterwards.

    Raises:
        NotFoundError: it does not exist.
        UsageError: it cannot be read, or it is a folder.
    """
    if typed == PIPE:
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("nothing is piped in", "name a file, or pipe one in: - < FILE")
        yield Source(_STANDARD_INPUT, sys.stdin.buffer, None)
        return
    if not typed.strip():
        raise UsageError("the name of the file is empty", "name a file of JSON Lines, such as train.jsonl")
    path = expand(typed)
    try:
        file = path.open("rb", buffering=_BUFFER_BYTES)
    except FileNotFoundError:
        raise NotFoundError(f"the file {typed} does not exist", _near(path)) from None
    except IsADirectoryError:
        raise UsageError(f"{typed} is a folder", f"name a file in it: {typed.rstrip('/')}/train.jsonl") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{typed} cannot be read: {reason_of(error)}", "name another file") from None
    with file:
        status = os.fstat(file.fileno())
        yield Source(typed, file, status.st_size if stat.S_ISREG(status.st_mode) else None)


def _near(path: Path) -> str:
    """What may have been meant: a file with a name like it in the same folder."""
    from difflib import get_close_matches

    try:
        names = [one.name for one in path.parent.iterdir() if one.is_file()]
    except OSError:
        return "name a file of JSON Lines, such as train.jsonl"
    close = get_close_matches(path.name, names, n=1)
    return f"did you mean {path.with_name(close[0])}?" if close else "name a file of JSON Lines, such as train.jsonl"
