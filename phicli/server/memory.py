"""What the engines of the server take of the memory, and what they leave for another one.

The system counts mapped weights as available, since it could drop them, and it does not yet count what an engine was
promised and has not touched. Both are subtracted here: an engine that was admitted must not become slow, or be ended
by the system, because of another one that was admitted later.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from phicli.fit.memory import usable_bytes
from phicli.fit.memory_sum import MemorySum
from phicli.hardware.available import Memory
from phicli.hardware.cgroup import ROOT, read_text
from phicli.hardware.memory import available_memory

_KIB: Final = 1024


@dataclass(eq=False, slots=True)
class Share:
    """What one engine takes: ``weights_bytes`` of a mapped ``file``, and ``other_bytes`` of its own.

    ``pid`` is that of its process; None while there is none.
    """

    file: str
    weights_bytes: int
    other_bytes: int
    pid: int | None = None


def share_of(file: str, needed: MemorySum, *, cache_bytes: int = 0) -> Share:
    """The share of an engine in main memory, which has to hold all of ``needed``, and a cache of prompts beside it."""
    weights = needed.weights_bytes - needed.gpu_weights_bytes
    return Share(file, weights, needed.resident_bytes - weights + cache_bytes)


@dataclass(frozen=True, slots=True)
class Measured:
    """The memory of the machine, and what of it each engine held just before."""

    memory: Memory
    held: Mapping[Share, int]

    @property
    def alone(self) -> Memory:
        """The memory as if there were no engine."""
        return _with(self.memory, self.memory.available_bytes + sum(self.held.values()))


class Ledger:
    """The shares of all engines of the server. Use it from any thread.

    Args:
        available: tells the memory of the machine; None where nothing is to be refused.
        own_bytes: tells what the process with an id holds that no other has, such as a KV cache.
    """

    def __init__(
        self,
        available: Callable[[], Memory | None] | None = available_memory,
        own_bytes: Callable[[int], int] | None = None,
    ) -> None:
        self._available, self._own_bytes = available, own_bytes or anonymous_bytes
        self._lock = threading.Lock()
        self._shares: list[Share] = []
        self.changes = 0
        """How often a share was added or removed."""

    def measured(self) -> Measured | None:
        """What the system says; None where nothing is to be refused.

        The processes come first: what they take in between counts twice, not never.
        """
        if self._available is None:
            return None
        with self._lock:
            shares = list(self._shares)
        held = {share: self._own_bytes(share.pid) for share in shares if share.pid is not None}
        memory = self._available()
        return None if memory is None else Measured(memory, held)

    def admit(self, share: Share, measured: Measured | None) -> bool:
        """Take note of an engine if it fits beside all others."""
        with self._lock:
            if not self._holds(share, measured):
                return False
            self._shares.append(share)
            self.changes += 1
            return True

    def remove(self, share: Share) -> None:
        """Forget an engine whose process has ended; safe to call twice."""
        with self._lock:
            if share in self._shares:
                self._shares.remove(share)
                self.changes += 1

    def maps(self, file: str) -> bool:
        """Whether an engine has the weights of ``file`` mapped, so that another one takes nothing for them."""
        with self._lock:
            return self._maps(file)

    def beside(self, measured: Measured | None) -> Memory | None:
        """The memory that all engines leave; None where nothing is to be refused."""
        with self._lock:
            return None if measured is None else self._left(measured)

    def holds(self, share: Share, measured: Measured | None) -> bool:
        """Whether an engine with this share fits beside all others."""
        with self._lock:
            return self._holds(share, measured)

    def _holds(self, share: Share, measured: Measured | None) -> bool:
        needed = share.other_bytes + (0 if self._maps(share.file) else share.weights_bytes)
        return measured is None or needed <= usable_bytes(self._left(measured))

    def _left(self, measured: Measured) -> Memory:
        weights: dict[str, int] = {}
        for share in self._shares:
            weights[share.file] = max(weights.get(share.file, 0), share.weights_bytes)
        promised = sum(max(share.other_bytes - measured.held.get(share, 0), 0) for share in self._shares)
        return _with(measured.memory, measured.memory.available_bytes - sum(weights.values()) - promised)

    def _maps(self, file: str) -> bool:
        return any(share.file == file for share in self._shares)


def _with(memory: Memory, available_bytes: int) -> Memory:
    return replace(memory, available_bytes=min(max(available_bytes, 0), memory.total_bytes))


def anonymous_bytes(pid: int) -> int:
    """The anonymous memory of a process; 0 where it has ended, or where the system does not tell."""
    return resident(pid)[1]


def resident(pid: int) -> tuple[int, int]:
    """The resident memory of a process and the anonymous part of it, in bytes; zeros where it has ended."""
    if sys.platform == "linux":
        sizes = {"VmRSS": 0, "RssAnon": 0}
        for line in read_text(ROOT / f"proc/{pid}/status").splitlines():
            key, _, rest = line.partition(":")
            number = rest.split()[:1]
            if key in sizes and number and number[0].isdigit():
                sizes[key] = int(number[0]) * _KIB
        return sizes["VmRSS"], sizes["RssAnon"]
    import psutil

    try:
        memory = psutil.Process(pid).memory_info()
    except psutil.Error:
        return 0, 0
    return int(memory.rss), int(getattr(memory, "private", 0))
