"""The file that a batch reads: opened as often as needed, each time from its beginning; a pipe is saved first."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final

from phicli.errors import NotFoundError, UsageError, disk_full, is_disk_full, reason_of
from phicli.paths import expand

if TYPE_CHECKING:
    from typing_extensions import Buffer

STANDARD_INPUT: Final = "-"
_STDIN_NAME: Final = "standard input"
_PIECE_BYTES: Final = 1 << 20
_HINT: Final = "name a file, or - for standard input: phi batch IN --out OUT"


class Source:
    """A file that is read more than once.

    Args:
        name: for people.
        path: of the file; None for one that has no name of its own.
        file: its content; nobody else uses it.
    """

    def __init__(self, name: str, path: Path | None, file: IO[bytes]) -> None:
        self.name, self.path = name, path
        self._file = file
        self._state = self._now()

    @property
    def size_bytes(self) -> int:
        """Its size."""
        return self._state[0]

    def reader(self, on_bytes: Callable[[Any], None] | None = None) -> BinaryIO:
        """A reader of all of it, apart from other readers; ``on_bytes`` gets everything that it reads."""
        return io.BufferedReader(_Part(self._file, on_bytes), _PIECE_BYTES >> 2)

    def require_same(self) -> None:
        """Return if nobody has changed the file since it was opened.

        Raises:
            UsageError: somebody has.
        """
        if self._now() != self._state:
            raise UsageError(
                f"{self.name} was changed while it was read",
                "wait until it is complete, and run the command again with another --out, or with --restart",
            )

    def is_file(self, other: Path) -> bool:
        """Whether it is the file at ``other``."""
        with contextlib.suppress(OSError):
            return self.path is not None and self.path.samefile(other)
        return False

    def _now(self) -> tuple[int, int]:
        status = os.fstat(self._file.fileno())
        return status.st_size, status.st_mtime_ns


def in_shell(name: str) -> str:
    """The name of a source as a command has it; FILE for standard input."""
    return "FILE" if name == _STDIN_NAME else shlex.quote(name)


@contextlib.contextmanager
def open_source(typed: str, stdin: IO[bytes] | None = None) -> Iterator[Source]:
    """The file that was ``typed``; standard input and pipes are saved in a temporary file, gone at the end.

    Raises:
        NotFoundError: there is no such file.
        UsageError: it cannot be read.
        DoesNotFitError: the disk has no space for what comes through a pipe.
    """
    if not typed:
        raise UsageError("the name of the input is empty", _HINT)
    if typed == STANDARD_INPUT:
        if stdin is None and sys.stdin is None:
            raise UsageError("standard input is closed", _HINT)
        with _saved(stdin or sys.stdin.buffer, _STDIN_NAME) as file:
            yield Source(_STDIN_NAME, None, file)
        return
    path = expand(typed)
    with _opened(path, typed) as file:
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            yield Source(typed, path, file)
            return
        with _saved(file, typed) as copy:
            yield Source(typed, None, copy)


@contextlib.contextmanager
def _opened(path: Path, typed: str) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise NotFoundError(f"file not found: {typed}", _HINT) from None
    except (OSError, ValueError) as error:
        problem = "is a folder" if path.is_dir() else f"cannot be read: {reason_of(error)}"
        raise UsageError(f"{typed} {problem}", _HINT) from None
    with file:
        yield file


@contextlib.contextmanager
def _saved(stream: IO[bytes], name: str) -> Iterator[IO[bytes]]:
    import tempfile

    with tempfile.TemporaryFile() as file:
        try:
            while piece := stream.read(_PIECE_BYTES):
                file.write(piece)
            file.flush()
        except OSError as error:
            if is_disk_full(error):
                folder = tempfile.gettempdir()
                raise disk_full(folder, "free some space, or save it in a file and name that", after=f": {name}") from (
                    error
                )
            raise UsageError(f"{name} cannot be read: {reason_of(error)}", _HINT) from error
        yield file


class _Part(io.RawIOBase):
    """A reader with a place of its own in a file that others read too, all in one thread."""

    def __init__(self, file: IO[bytes], on_bytes: Callable[[Any], None] | None) -> None:
        super().__init__()
        self._file, self._on_bytes = file, on_bytes
        self._place = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        """The next bytes."""
        view = memoryview(buffer)
        self._file.seek(self._place)
        piece = self._file.read(len(view))
        view[: len(piece)] = piece
        self._place += len(piece)
        if self._on_bytes is not None:
            self._on_bytes(piece)
        return len(piece)
