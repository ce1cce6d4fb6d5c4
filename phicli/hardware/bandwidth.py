"""Measures how fast the cores together read main memory, which is what bounds the speed of decoding.

``memchr`` of the C library searches for a byte that is not there: it reads every cache line once and does next to
nothing with it, so it streams as fast as a dot product of numpy does. Called through ctypes it leaves the interpreter's
lock, so threads read side by side.
"""

from __future__ import annotations

import sys
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from phicli.hardware.types import Bandwidth

if TYPE_CHECKING:
    import mmap
    import threading

_MIB: Final = 1 << 20
_BLOCK: Final = 2 * _MIB
_UNKNOWN_CACHE: Final = 32 * _MIB
_LARGEST: Final = 256 * _MIB
_TIMES_CACHE: Final = 4
_SHARE_OF_MEMORY: Final = 8
_TOUCHED_BY: Final = 0.5  # of the time: fresh memory is slow to get, slower than reading it
_TOUCHED_AT_LAST: Final = 0.75
_READ_BY: Final = 0.9  # of the time: the rest is for giving the memory back
_WINDOW_S: Final = 0.004  # about a turn of the scheduler: in one of them nobody else had our cores
_Reader = Callable[[int, int], object]


def probe_bandwidth(
    cores: int, *, budget_s: float = 0.25, cache_bytes: int | None = None, available_bytes: int | None = None
) -> Bandwidth:
    """Bytes per second that ``cores`` threads read together, in the best 4 ms of the measurement.

    Other programs only ever slow it down, so the best stretch is nearest to what the machine can do. Takes about
    ``budget_s`` seconds, the touching of fresh memory included. ``flops`` are not measured here.

    Args:
        cores: threads that read.
        budget_s: seconds in all.
        cache_bytes: size of the last-level cache; the buffer is four times that, at most 256 MiB.
        available_bytes: free memory, of which at most an eighth is taken.

    Raises:
        OSError: the memory or the C library is not to be had.
    """
    begin = time.perf_counter()
    blocks = max(1, buffer_bytes(cache_bytes, available_bytes) // _BLOCK)
    threads = max(1, min(cores, blocks))
    with _fresh_memory(blocks * _BLOCK) as buffer:
        marks = _read(buffer, threads, begin, budget_s)
    return Bandwidth(best_rate(marks, _BLOCK, _WINDOW_S), None, "probe")


def buffer_bytes(cache_bytes: int | None, available_bytes: int | None) -> int:
    """Bytes to read: well above the cache, so that memory is measured, and little beside what is free."""
    wanted = min(_LARGEST, _TIMES_CACHE * max(cache_bytes or _UNKNOWN_CACHE, 4 * _MIB))
    return wanted if available_bytes is None else min(wanted, available_bytes // _SHARE_OF_MEMORY)


def best_rate(marks: Sequence[Sequence[float]], block_bytes: int, window_s: float) -> float:
    """Bytes per second in the best window in which every thread was reading.

    Args:
        marks: for each thread the times (s) at which it began, and at which it had read one more block.
        block_bytes: size of a block.
        window_s: length of a window in seconds; the whole span where that is shorter.
    """
    first, last = max(times[0] for times in marks), min(times[-1] for times in marks)
    window = min(window_s, last - first)
    if window <= 0:  # somebody ended before another began: count all, over all
        span = max(times[-1] for times in marks) - min(times[0] for times in marks)
        return sum(len(times) - 1 for times in marks) * block_bytes / span
    steps = max(1, int((last - first - window) / (window / 4)))
    starts = [first + (last - first - window) * step / steps for step in range(steps + 1)]
    counts = [sum(_done(times, at + window) - _done(times, at) for times in marks) for at in starts]
    return max(counts) * block_bytes / window


def _done(times: Sequence[float], at: float) -> float:
    """Blocks read at the time ``at``, with the fraction of the one in work."""
    behind = bisect_right(times, at) - 1
    if behind < 0 or behind >= len(times) - 1:
        return 0.0 if behind < 0 else float(len(times) - 1)
    return behind + (at - times[behind]) / (times[behind + 1] - times[behind])


def _fresh_memory(size: int) -> mmap.mmap:
    """Memory of this process alone, in huge pages where the system has them.

    Both matter: what Python maps by default is shared, which means small pages, and through those the same loop reads
    a quarter slower and the memory takes three times as long to get.
    """
    import mmap

    if sys.platform == "win32":
        return mmap.mmap(-1, size)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        try:
            memory.madvise(mmap.MADV_HUGEPAGE)
        except OSError:  # a kernel without them
            pass
    return memory


def _read(buffer: mmap.mmap, threads: int, begin: float, budget_s: float) -> list[list[float]]:
    """Touch the buffer, then read it round and round, each thread its own part, until the time is up."""
    import ctypes
    import threading

    memchr, memset = _functions()
    view = (ctypes.c_char * 1).from_buffer(buffer)
    address = ctypes.addressof(view)
    parts = _parts(len(buffer) // _BLOCK, threads)
    marks: list[list[float]] = [[] for _ in parts]
    ready = threading.Barrier(len(parts))
    left = threading.Event()
    ended = [threading.Event() for _ in parts]  # after Ctrl-C in a first join, a second one does not wait (Python 3.11)

    def work(part: range, times: list[float]) -> None:
        touched = 0
        for number in part:
            if left.is_set():
                return
            memset(address + number * _BLOCK, _BLOCK)
            touched += 1
            spent = (time.perf_counter() - begin) / budget_s
            if spent > _TOUCHED_AT_LAST or (spent > _TOUCHED_BY and touched >= len(part) // 2):
                break  # half of the buffer is still twice the cache
        try:
            ready.wait()
        except threading.BrokenBarrierError:  # interrupted
            return
        times.append(time.perf_counter())
        while not left.is_set() and (times[-1] < begin + _READ_BY * budget_s or len(times) == 1):
            memchr(address + part[(len(times) - 1) % touched] * _BLOCK, _BLOCK)
            times.append(time.perf_counter())

    each = zip(parts, marks, ended, strict=True)
    workers = [threading.Thread(target=_do, args=(work, *one), daemon=True) for one in each]
    try:
        for worker in workers:
            worker.start()
        _wait_for(workers, ended)
    finally:  # also after Ctrl-C: nobody may read the memory when it is given back
        left.set()
        ready.abort()
        _wait_for(workers, ended)
        del view  # the mapping cannot be closed while it is looked at
    return marks


def _do(work: Callable[[range, list[float]], None], part: range, times: list[float], end: threading.Event) -> None:
    """Do ``work``, and say at its very end that it has ended."""
    try:
        work(part, times)
    finally:
        end.set()


def _wait_for(workers: Sequence[threading.Thread], ended: Sequence[threading.Event]) -> None:
    """Wait until those of ``workers`` that have started have ended."""
    for worker, end in zip(workers, ended, strict=True):
        if worker.ident is not None:
            end.wait()


def _parts(blocks: int, threads: int) -> list[range]:
    edges = [blocks * number // threads for number in range(threads + 1)]
    return [range(low, high) for low, high in pairwise(edges)]


def _functions() -> tuple[_Reader, _Reader]:
    """A reader and a writer of (address, bytes)."""
    import ctypes

    library = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
    try:
        memchr = library.memchr
    except AttributeError as error:
        raise OSError("the C library has no memchr") from error
    memchr.argtypes, memchr.restype = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t], ctypes.c_void_p
    return (lambda address, size: memchr(address, 0, size)), (lambda address, size: ctypes.memset(address, 1, size))
