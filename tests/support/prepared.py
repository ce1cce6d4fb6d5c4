"""Runs ``phi`` in a process that need not load again what every start loads: a third of what most commands compute.

Each command has a process of its own, with its own arguments, variables, folder, streams and exit code. It differs from
``python -m phicli`` in one thing: the interpreter and ``phicli.app`` were loaded before the process was made.
:mod:`tests.support.prepared_program` is what it is copied from. Commands whose variables the interpreter or the
libraries could have read by then are started as always, and so are all where there is no such program.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Final

import pytest

from tests.support import prepared_program

_LATE: Final = ("PHI_", "_PHI_", "HF_", "XDG_", "PYTEST_")
"""What the names of variables begin with that nothing reads before a command runs."""
_MOST_INPUT_BYTES: Final = 32 * 1024
"""So much fits into a pipe before anybody reads it."""
_PIECE_BYTES: Final = 1 << 16
_LINUX: Final = sys.platform.startswith("linux")


class Prepared:
    """Starts commands as copies of one program; to be used from any thread."""

    def __init__(self) -> None:
        self._early, self._lock = _early(os.environ), threading.Lock()
        taken, self._requests = os.pipe()
        self._program = subprocess.Popen(
            [sys.executable, prepared_program.__file__, str(taken)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[taken],
        )  # fmt: skip
        os.close(taken)

    @property
    def pid(self) -> int:
        """The process id of the program."""
        return self._program.pid

    def suits(self, variables: Mapping[str, str], given: bytes | None) -> bool:
        """Whether a command with these variables and this input does not depend on how it is started."""
        return _early(variables) == self._early and len(given or b"") <= _MOST_INPUT_BYTES

    def run(
        self, arguments: Sequence[str], variables: Mapping[str, str], given: bytes | None, timeout_s: float
    ) -> subprocess.CompletedProcess[bytes]:
        """As :func:`subprocess.run`; ``given`` is standard input, the null device if None.

        Raises:
            subprocess.TimeoutExpired: it did not end in time, and was killed.
        """
        words = [os.fsdecode(word) for word in arguments]
        with contextlib.ExitStack() as ends:
            source = None if given is None else _filled(ends, given)
            out, err, status = (_pipe(ends) for _ in range(3))
            streams = [os.devnull if source is None else _path(source), _path(out.writing), _path(err.writing)]
            text = marshal.dumps((streams, _path(status.writing), words, dict(variables), str(Path.cwd()), _mask()))
            with self._lock:
                os.write(self._requests, b"%8d" % len(text) + text)
            if not _read_all((status, out, err), time.monotonic() + timeout_s):
                os.kill(int(status.text.split()[0]), signal.SIGKILL)
                raise subprocess.TimeoutExpired(words, timeout_s, bytes(out.text), bytes(err.text))
            code = int(status.text.split()[1])
            return subprocess.CompletedProcess(words, code, bytes(out.text), bytes(err.text))

    def close(self) -> None:
        """End the program."""
        os.close(self._requests)
        _, said = self._program.communicate(timeout=60)
        assert self._program.returncode == 0, said.decode()


@dataclass(frozen=True, slots=True, eq=False)
class _Pipe:
    reading: FileIO
    writing: FileIO
    text: bytearray = field(default_factory=bytearray)


def _read_all(pipes: Sequence[_Pipe], until: float) -> bool:
    """Read ``pipes`` to their ends, the first of which is told the process id; False where they do not end in time.

    The ends that are written to are closed here as soon as the command has them.
    """
    told = pipes[0].text
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe.reading, selectors.EVENT_READ, pipe)
        while selector.get_map():
            if not (ready := selector.select(max(until - time.monotonic(), 0))):
                assert told, "the prepared program does not answer"
                return False
            for key, _ in ready:
                if piece := os.read(key.fd, _PIECE_BYTES):
                    key.data.text.extend(piece)
                else:
                    selector.unregister(key.fileobj)
            if told:
                for pipe in pipes:
                    pipe.writing.close()
    return True


def _early(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if not name.startswith(_LATE)}


def _path(end: FileIO) -> str:
    """Where another process finds an end of a pipe of this one."""
    return f"/proc/{os.getpid()}/fd/{end.fileno()}"


def _pipe(ends: contextlib.ExitStack) -> _Pipe:
    reading, writing = os.pipe()
    return _Pipe(ends.enter_context(FileIO(reading)), ends.enter_context(FileIO(writing, "w")))


def _filled(ends: contextlib.ExitStack, given: bytes) -> FileIO:
    """What gives these bytes, and then ends."""
    pipe = _pipe(ends)
    pipe.writing.write(given)
    pipe.writing.close()
    return pipe.reading


def _mask() -> int:
    """Which rights new files do not have; the system tells it without a change of it."""
    return int(Path("/proc/self/status").read_text(encoding="utf-8").partition("Umask:")[2].split()[0], 8)


@pytest.fixture(scope="session")
def prepared(starts_process: None) -> Iterator[Prepared | None]:
    """Starts commands; None where only Linux has what it needs."""
    if not _LINUX:
        yield None
        return
    with contextlib.closing(Prepared()) as found:
        yield found
