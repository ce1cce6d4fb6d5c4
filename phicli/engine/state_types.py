"""What ``phi`` asks of an engine that saves its state after ``phi`` has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from phicli.engine.types import KeepsState


@runtime_checkable
class LeavesState(KeepsState, Protocol):
    """An engine that can save its state after ``phi`` has ended."""

    @property
    def can_leave(self) -> bool:
        """Whether the process of this engine can do that."""

    def leave_state(self, order: Mapping[str, Any]) -> bool:
        """Have the engine save its state and end by itself; return whether it has begun.

        If so, it uses its ``slot_folder`` from now on alone, and deletes it. ``close`` then no longer waits for it.

        Args:
            order: what is saved where, as :func:`phicli.engine.leaving.leave` takes it.
        """
