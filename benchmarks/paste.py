"""How long a pasted text takes until the line is there: ``python -m benchmarks.paste``.

A pseudo-terminal gets the text as a terminal sends it, with bracketed paste and without, and 0.3 s after its last byte
one key; the time runs from that last byte until the key is shown.
The target is 1.5 s for 2 MB. ``--bare`` does the same with prompt_toolkit alone.
"""

from __future__ import annotations

import argparse
import os
import select
import subprocess
import sys
import time
from typing import Final

LINE: Final = "Lorem ipsum dolor sit amet, consectetur adipiscing elit sed do.\r"
PAUSE_S: Final = 0.3
KEY: Final = b"Z"
PATIENCE_S: Final = 90.0
TARGET_S: Final = 1.5
PHI: Final = [sys.executable, "-m", "phicli", "chat", "tiny-phi", "--no-save"]
BARE: Final = [
    sys.executable, "-c", "from prompt_toolkit import prompt; prompt('>>> ', multiline=True)"
]  # fmt: skip


class Program:
    """A program in a pseudo-terminal that asks with ``>>>``."""

    def __init__(self, command: list[str]) -> None:
        self._terminal, theirs = os.openpty()
        self._process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env=os.environ | {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
        )  # fmt: skip
        os.close(theirs)
        self._shown = b""
        until = time.monotonic() + PATIENCE_S
        while b">>>" not in self._shown and time.monotonic() < until:
            self._read(0.1)

    def paste(self, data: bytes) -> float:
        """Send ``data``; seconds from its last byte until a key behind it is shown."""
        place = 0
        while place < len(data):
            self._read(0)
            if select.select([], [self._terminal], [], 0.1)[1]:
                place += os.write(self._terminal, data[place : place + 4096])
        start = time.monotonic()
        while time.monotonic() < start + PAUSE_S:
            self._read(0.05)
        os.write(self._terminal, KEY)
        self._shown = b""
        while KEY not in self._shown and time.monotonic() < start + PATIENCE_S:
            self._read(0.05)
        return time.monotonic() - start

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)

    def _read(self, patience_s: float) -> bool:
        if not select.select([self._terminal], [], [], patience_s)[0]:
            return False
        self._shown = (self._shown + os.read(self._terminal, 65536))[-1000:]
        return True


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=2_000_000)
    parser.add_argument("--bare", action="store_true", help="measure prompt_toolkit alone")
    arguments = parser.parse_args()
    text = LINE * (arguments.bytes // len(LINE))
    for name, data in (("bracketed", f"\x1b[200~{text}\x1b[201~"), ("raw", text.rstrip("\r"))):
        program = Program(BARE if arguments.bare else PHI)
        seconds = program.paste(data.encode())
        program.end()
        verdict = "met" if seconds <= TARGET_S else "missed"
        print(f"{name}: {len(data):,} bytes, {seconds:.2f} s until the line is there (target {TARGET_S} s: {verdict})")


if __name__ == "__main__":
    main()
