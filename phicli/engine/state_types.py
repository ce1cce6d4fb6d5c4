"""What ``phi`` asks of engines that can save their state, share it among slots, or drop it for other adapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from phicli.engine.closable import Closing
from phicli.engine.types import Adapter


@runtime_checkable
class KeepsState(Protocol):
    """An engine that can also save its state, so that another engine can continue from it.

    It has to be loaded with a ``slot_folder``, and its only slot must be idle.
    """

    @property
    def build(self) -> str:
        """The engine and its version; the state of one build is nothing to another."""

    def save_state(self, path: Path, closing: Closing | None = None) -> tuple[int, ...]:
        """Write the state into the file ``path`` in the ``slot_folder``; returns the token ids that it stands for.

        Raises:
            EngineError: it cannot be written, the disk is full, or the engine died.
            OSError: the file cannot be made or read.
        """

    def restore_state(self, path: Path, closing: Closing | None = None) -> int:
        """Go on from a state; returns how many tokens it stands for. The file must be as it was written.

        The state must come from the same model, build, rope factors, flash attention and type of KV cache: the engine
        does not notice, and answers wrongly. The context may be larger.

        Raises:
            EngineError: it cannot be restored, or the engine died.
        """


@runtime_checkable
class SharesBeginning(Protocol):
    """An engine that can have the beginning of many prompts in all of its slots, and evaluate it only once."""

    def share(self, beginning: Sequence[int], path: Path, closing: Closing | None = None) -> None:
        """Evaluate ``beginning`` in one slot, and copy the state to the others, all of which must be idle.

        The state goes through the file ``path`` in the ``slot_folder``, which stays. Where that fails, some slots may
        have the state and others not; none has a wrong one.

        Raises:
            ContextExceededError: it leaves no room for an answer.
            EngineError: the state cannot be saved or restored, the disk is full, or the engine died.
            OSError: the file cannot be made or read.
        """


@runtime_checkable
class ChangesAdapters(Protocol):
    """An engine that can use its adapters at other scales without being started again. Its only slot must be idle."""

    def has_loaded(self, adapters: Sequence[Adapter]) -> bool:
        """Whether it has loaded all ``adapters``, or begun to, and has not ended.

        A file that was changed since is another adapter.
        """

    def use_adapters(self, adapters: Sequence[Adapter]) -> bool:
        """Use ``adapters`` from now on, and no others; return whether it has loaded them all.

        Where a scale changes, everything that was evaluated is dropped: nothing of it can reach a prompt, or a saved
        state, of other adapters. Where it returns False, raises or is interrupted, the adapters are as before.

        Raises:
            EngineError: the model cannot be loaded, or the engine died.
        """


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
