"""Reads a model file into the page cache while the engine still parses its vocabulary.

The engine maps the weights after the vocabulary, so a file that is not in memory would be read only then. Where the
system cannot say what is in memory (only Linux can, and not for every file system), nothing is read.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Final, NamedTuple

_CHUNK_BYTES: Final = 16 << 20
"""Longer than what Linux reads ahead of a reader: the end of a chunk is in memory only if it was before."""
_READ_BYTES: Final = 4 << 20
_NOWAIT: Final = getattr(os, "RWF_NOWAIT", None)


class ReadSoFar(NamedTuple):
    """``done_bytes`` of ``total_bytes`` are in memory.

    ``disk_bytes`` of them were read from the disk here, in ``disk_s`` seconds. Bytes that the engine reads first are
    not among them.
    """

    done_bytes: int
    total_bytes: int
    disk_bytes: int
    disk_s: float


class ReadAhead:
    """Reads the parts of ``files`` that are not in memory, in a thread, one file after the other, within the context.

    If a file cannot be read, the engine reports the reason.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._ended = threading.Event()
        self.so_far = ReadSoFar(0, 0, 0, 0.0)
        """How far it is, from any thread."""

    def __enter__(self) -> ReadAhead:
        if _NOWAIT is not None:
            threading.Thread(target=self._run, daemon=True, name="phi-read-ahead").start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()

    def _run(self) -> None:
        try:
            sizes = [path.stat().st_size for path in self._files]
            self.so_far = ReadSoFar(0, sum(sizes), 0, 0.0)
            for path, size in zip(self._files, sizes, strict=True):
                if size:  # a pipe has none, and opening it would wait
                    with path.open("rb", buffering=0) as file:
                        self._read(file.fileno(), size)
        except OSError:  # the file is for the engine to judge; or its file system cannot say what is in memory
            return

    def _read(self, handle: int, size: int) -> None:
        for start in range(0, size, _CHUNK_BYTES):
            if self._ended.is_set():
                return
            end = min(start + _CHUNK_BYTES, size)
            began = monotonic()
            if on_disk := not _in_memory(handle, start, end):
                buffer = bytearray(_READ_BYTES)
                for at in range(start, end, _READ_BYTES):
                    os.preadv(handle, [buffer], at)
            done, total, disk_bytes, disk_s = self.so_far
            if on_disk:
                disk_bytes, disk_s = disk_bytes + end - start, disk_s + monotonic() - began
            self.so_far = ReadSoFar(done + end - start, total, disk_bytes, disk_s)


def _in_memory(handle: int, start: int, end: int) -> bool:
    """Whether the bytes from ``start`` to ``end`` of a file are in memory, judged by three of them."""
    byte = bytearray(1)
    try:
        for place in (start, (start + end) // 2, end - 1):
            os.preadv(handle, [byte], place, _NOWAIT or 0)
    except BlockingIOError:
        return False
    return True
