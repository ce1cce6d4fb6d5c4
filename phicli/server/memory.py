"""What the engines of the server take of the memory, and what they leave for another one.

The system counts mapped weights as available, since it could drop them, and it does not yet count what an engine was
promised and has not touched. Both are subtracted here: an engine that was admitted must not become slow, or be ended
by the system, because of another one that was admitted later.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

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
        self._lock, self._admitting = threading.Lock(), threading.Lock()
        self._shares: list[Share] = []

    def add(self, share: Share) -> None:
        """Take note of an engine that was admitted."""
        with self._lock:
            self._shares.append(share)

    def remove(self, share: Share) -> None:
        """Forget an engine whose process has ended; safe to call twice."""
        with self._lock:
            if share in self._shares:
                self._shares.remove(share)

    def admit(self, share: Share) -> bool:
        """Take note of an engine if it fits beside all others."""
        with self._admitting:
            if not self.holds(share):
                return False
            self.add(share)
            return True

    def maps(self, file: str) -> bool:
        """Whether an engine has the weights of ``file`` mapped, so that another one takes nothing for them."""
        with self._lock:
            return any(share.file == file for share in self._shares)

    def alone(self) -> Memory | None:
        """The memory as if there were no engine; None where nothing is to be refused."""
        return self._memory(lambda shares: sum(self._held(share) for share in shares))

    def beside(self) -> Memory | None:
        """The memory that all engines leave; None where nothing is to be refused."""

        def taken(shares: list[Share]) -> int:
            weights = {share.file: 0 for share in shares}
            for share in shares:
                weights[share.file] = max(weights[share.file], share.weights_bytes)
            promised = sum(max(share.other_bytes - self._held(share), 0) for share in shares)
            return -(sum(weights.values()) + promised)

        return self._memory(taken)

    def holds(self, share: Share) -> bool:
        """Whether an engine with this share fits beside all others."""
        from phicli.fit.memory import usable_bytes

        memory = self.beside()
        needed = share.other_bytes + (0 if self.maps(share.file) else share.weights_bytes)
        return memory is None or needed <= usable_bytes(memory)

    def _memory(self, more: Callable[[list[Share]], int]) -> Memory | None:
        memory = self._available() if self._available is not None else None
        if memory is None:
            return None
        with self._lock:
            shares = list(self._shares)
        available = min(max(memory.available_bytes + more(shares), 0), memory.total_bytes)
        return replace(memory, available_bytes=available)

    def _held(self, share: Share) -> int:
        return 0 if share.pid is None else self._own_bytes(share.pid)


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
