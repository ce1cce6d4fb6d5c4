"""The three standard streams and what they can show."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TextIO

_CONTROL = {code: 0xFFFD for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t\r"} | {0x0D: None}


@dataclass(frozen=True, slots=True)
class Terminal:
    """An environment to print into; tests make their own instead of patching ``sys``."""

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    colour: bool

    @classmethod
    def current(cls) -> Terminal:
        """The process's own streams; ``NO_COLOR`` and ``TERM=dumb`` switch colour off."""
        colour = _isatty(sys.stderr) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return cls(sys.stdin, sys.stdout, sys.stderr, colour)

    @property
    def interactive(self) -> bool:
        """A person can type and read here."""
        return _isatty(self.stdin) and _isatty(self.stdout)

    @property
    def shows_progress(self) -> bool:
        """Standard error is a terminal."""
        return _isatty(self.stderr)

    def write(self, text: str) -> None:
        """Write to standard output at once; a terminal gets no control characters from a model's answer."""
        self.stdout.write(text.translate(_CONTROL) if _isatty(self.stdout) else text)
        self.stdout.flush()

    def say(self, text: str) -> None:
        """Write one line to standard error."""
        print(text, file=self.stderr, flush=True)

    def whisper(self, text: str) -> None:
        """Write to standard error at once, dim on a terminal."""
        clean = text.translate(_CONTROL) if _isatty(self.stderr) else text
        self.stderr.write(f"\x1b[2m{clean}\x1b[22m" if self.colour else clean)
        self.stderr.flush()


def _isatty(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()
