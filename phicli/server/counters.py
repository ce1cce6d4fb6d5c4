"""Counts what the server does, for metrics."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping


class Counters:
    """Numbers that only grow, by name. Use it from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, name: str, count: int = 1) -> None:
        """Add ``count`` to the number called ``name``."""
        with self._lock:
            self._counts[name] += count

    def data(self) -> Mapping[str, int]:
        """All numbers as they are now."""
        with self._lock:
            return dict(self._counts)
