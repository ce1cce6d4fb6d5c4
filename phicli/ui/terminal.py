"""The three standard streams and what they can show."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO, cast

from phicli.errors import OutputClosedError

_CONTROL = {code: 0xFFFD for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t\r"} | {0x0D: None}
BIDI: Final = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Characters that turn the direction of writing: in a name they make a line look like another one."""
_BREAKS = (0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029)
_ONE_LINE = _CONTROL | dict.fromkeys(BIDI, 0xFFFD) | dict.fromkeys(_BREAKS, " ")


@dataclass(frozen=True, slots=True)
class Terminal:
    """An environment to print into; tests make their own instead of patching ``sys``.

    A ``dumb`` terminal can only print lines (``TERM=dumb``).
    """

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    colour: bool
    dumb: bool = False

    @classmethod
    def current(cls) -> Terminal:
        """The process's own streams; ``NO_COLOR`` and ``TERM=dumb`` switch color off."""
        dumb = os.environ.get("TERM") == "dumb"
        colour = _isatty(sys.stderr) and not os.environ.get("NO_COLOR") and not dumb
        return cls(_or_null(sys.stdin, "r"), _or_null(sys.stdout, "w"), _or_null(sys.stderr, "w"), colour, dumb)

    @property
    def interactive(self) -> bool:
        """A person can type and read here."""
        return _isatty(self.stdin) and _isatty(self.stdout)

    @property
    def can_ask(self) -> bool:
        """A person sees a question on standard error and can answer it, wherever standard output goes."""
        return _isatty(self.stdin) and _isatty(self.stderr)

    @property
    def shows_progress(self) -> bool:
        """Standard error is a terminal."""
        return _isatty(self.stderr)

    def write(self, text: str) -> None:
        """Write to standard output at once; a terminal gets no control characters from a model's answer.

        Raises:
            OutputClosedError: the reader has closed it.
            OSError: it cannot be written.
        """
        self.paint(text.translate(_CONTROL) if _isatty(self.stdout) else text)

    def write_line(self, text: str) -> None:
        """Write a line of data to standard output; on a terminal a name in it cannot make it look like another line.

        Raises:
            OutputClosedError: the reader has closed it.
            OSError: it cannot be written.
        """
        self.paint((one_line(text) if _isatty(self.stdout) else text) + "\n")

    def paint(self, text: str) -> None:
        """Write to standard output at once, as it is: colors and all.

        Raises:
            OutputClosedError: the reader has closed it.
            OSError: it cannot be written.
        """
        try:
            self.stdout.write(text)
            self.stdout.flush()
        except OSError as error:
            if isinstance(error, BrokenPipeError) or _is_gone(self.stdout, error):
                raise OutputClosedError("standard output was closed") from None
            raise OSError(error.errno, error.strerror, "standard output") from error

    def say(self, text: str, *, indent: int = 2) -> None:
        """Write one line to standard error, whatever names are in it; one that cannot be written is not an error.

        A terminal gets it wrapped at words, every line but the first with ``indent`` spaces in front.
        """
        with contextlib.suppress(OSError):
            print(self._fitted(text, indent=indent), file=self.stderr, flush=True)

    def ask(self, text: str) -> None:
        """Write a question to standard error and leave the cursor behind it, after a space."""
        with contextlib.suppress(OSError):
            self.stderr.write(f"{self._fitted(text)} ")
            self.stderr.flush()

    def alarm(self, label: str, text: str) -> None:
        """Write a line that begins with a label, red on a terminal."""
        with contextlib.suppress(OSError):
            self.stderr.write(f"\x1b[1;31m{label}\x1b[0m " if self.colour else f"{label} ")
            print(self._fitted(text, first=len(label) + 1), file=self.stderr, flush=True)

    def whisper(self, text: str) -> None:
        """Write to standard error at once, dim on a terminal."""
        clean = text.translate(_CONTROL) if _isatty(self.stderr) else text
        with contextlib.suppress(OSError):
            self.stderr.write(f"\x1b[2m{clean}\x1b[22m" if self.colour else clean)
            self.stderr.flush()

    def _fitted(self, text: str, *, first: int = 0, indent: int = 2) -> str:
        """``text`` on one line, on a terminal as many lines as it needs; ``first`` columns are taken already."""
        line = one_line(text)
        if not self.shows_progress:
            return line
        from phicli.ui.wrapping import columns_of, wrapped

        width = columns_of(self.stderr)
        return line if width is None else wrapped(line, width, first=first, indent=indent)


def harmless(text: str) -> str:
    """``text`` with its line breaks and tabs, but without other control characters."""
    return text.translate(_CONTROL)


def one_line(text: str) -> str:
    """``text`` as one line that shows what it is: no breaks, no control characters, nothing that turns its direction.

    What comes from the hub, from headers and from names of files goes through this before it is a part of a message.
    """
    return text.translate(_ONE_LINE)


def settle() -> None:
    """Write what waits in the standard streams; one that no longer accepts data becomes the null device.

    Otherwise the interpreter tries again when it ends, complains, and changes the exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            with contextlib.suppress(OSError, ValueError, AttributeError), Path(os.devnull).open("wb") as null:
                os.dup2(null.fileno(), stream.fileno())


def _or_null(stream: TextIO | None, mode: str) -> TextIO:
    """The stream, or the null device where it was closed before the program started (``>&-``)."""
    if stream is None:
        return cast("TextIO", Path(os.devnull).open(mode, encoding="utf-8"))
    if isinstance(stream, io.TextIOWrapper) and mode == "w":
        # A terminal knows its own encoding; a pipe or a file gets UTF-8, whatever the locale says.
        if stream.isatty() or os.environ.get("PYTHONIOENCODING"):
            stream.reconfigure(errors="replace")
        else:
            stream.reconfigure(encoding="utf-8", errors="replace")
    return stream


def _is_gone(stream: TextIO, error: OSError) -> bool:
    """Whether the reader of the stream has left: a closed pipe on Windows, a terminal that was closed elsewhere."""
    if sys.platform == "win32":
        return error.errno == errno.EINVAL
    return error.errno == errno.EIO and stat.S_ISCHR(os.fstat(stream.fileno()).st_mode)


def _isatty(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()
