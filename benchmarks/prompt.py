"""How soon ``phi chat tiny-phi`` asks for the first question, in a terminal: ``python -m benchmarks.prompt COMMIT``.

The time from starting the process to the first ``>>>``, of this checkout against that of an older commit, which is
installed in an environment of its own in a cache folder. Both take turns in the same run (A B B A …); the ratio is that
of the medians. CPU time is that of the process alone: the engine loads the model meanwhile, in another one. Linux and
macOS only: a pseudo-terminal is needed.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.comparison import Beginning, Goal, Row, head, in_turn
from benchmarks.sides import checkout, older

GOAL: Final = Goal("≤ 1.1 x")
PROMPT: Final = b">>>"
_ROWS, _COLUMNS = 30, 100
_LIMIT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Asked:
    """Seconds until the prompt was there, and CPU seconds of the process until then."""

    wall_s: float
    cpu_s: float


def first_prompt(phi: str, environment: Mapping[str, str]) -> Asked:
    """Start a conversation, and end it as soon as it asks.

    Raises:
        RuntimeError: it does not ask.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
    began = time.perf_counter()
    process = subprocess.Popen(
        [phi, "chat", "tiny-phi"], env={**environment, "TERM": "xterm-256color"}, stdin=theirs, stdout=theirs,
        stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    try:
        while PROMPT not in shown:
            left_s = began + _LIMIT_S - time.perf_counter()
            if not (data := _read(ours, max(left_s, 0.0))):
                raise RuntimeError(f"{phi} chat does not ask: {shown.decode(errors='replace')}")
            shown += data
        wall_s = time.perf_counter() - began
    finally:
        os.kill(process.pid, signal.SIGKILL)  # process.kill() would take the end, and with it what was used
        _, process.returncode, used = os.wait4(process.pid, 0)
        os.close(ours)
    return Asked(wall_s, used.ru_utime + used.ru_stime)


def _read(terminal: int, timeout_s: float) -> bytes:
    """What was printed; nothing where nothing comes, or the command has ended."""
    if not select.select([terminal], [], [], timeout_s)[0]:
        return b""
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # Linux: the other side was closed
        return b""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("commit", help="the older commit")
    parser.add_argument("--runs", type=int, default=15, help="counted rounds (default: 15)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sides = {"ours": checkout("wheel", Path(folder)), "theirs": older(options.commit, Path(folder))}
        began = Beginning.now()
        found = in_turn(
            options.runs, {name: partial(first_prompt, side.chat[0], side.environment) for name, side in sides.items()}
        )
    print(head("this checkout", sides["theirs"].name))
    what = "`phi chat tiny-phi` to its prompt"
    for name, value, goal in (("", "wall_s", GOAL), (", CPU time of the process", "cpu_s", Goal())):
        ours, theirs = ([1000 * getattr(one, value) for one in found[side]] for side in sides)
        print(Row(what + name, ours, theirs, "ms", goal).markdown())
    print()
    print("\n".join(began.conditions([f"Medians of {options.runs} rounds in turn, least and greatest in brackets"])))


if __name__ == "__main__":
    main()
