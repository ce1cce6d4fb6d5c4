"""The beginning that many prompts have in common, such as a long system message: evaluated once for all slots.

A slot of llama-server knows only what it has evaluated itself: ``findings/slots_share_no_beginning.sh``.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Final

from phicli.answering.state_carrier import has_room
from phicli.engine.closable import Closing
from phicli.engine.state_types import SharesBeginning
from phicli.engine.types import LocalEngine
from phicli.errors import EngineDiedError, EngineError

_LEAST_TOKENS: Final = 64
"""To evaluate fewer in every slot costs hardly more than to share them."""
_TICK_S: Final = 0.1


def common_beginning(prompts: Sequence[tuple[int, ...]], context_tokens: int) -> tuple[int, ...]:
    """What all ``prompts`` that fit into ``context_tokens`` begin with; empty where it is short, or there is only one.

    At least one token of each prompt is not part of it.
    """
    fitting = [prompt[:-1] for prompt in prompts if 1 < len(prompt) < context_tokens]
    if len(fitting) < 2:
        return ()
    alike = takewhile(lambda ids: ids[0] == ids[1], zip(min(fitting), max(fitting), strict=False))
    found = tuple(token for token, _ in alike)  # what the first and the last in order share, all share
    return found if len(found) >= _LEAST_TOKENS else ()


class SharedBeginning:
    """Gives a beginning to engines, to each one once: before its first answer, while all slots are idle.

    Args:
        folder: the temporary place of states; the engines were loaded with it.
        most_bytes: the largest size of the state of so many tokens.
    """

    def __init__(self, folder: Path, most_bytes: Callable[[int], int]) -> None:
        self._path, self._most_bytes = folder / "beginning", most_bytes
        self._lock = threading.Lock()
        self._ids: tuple[int, ...] = ()
        self._holder: LocalEngine | None = None

    def begin_with(self, ids: tuple[int, ...]) -> None:
        """From now on ``ids`` are given; none for nothing."""
        self._ids = ids

    def give(self, engine: LocalEngine, closing: Closing | None) -> None:
        """Return when ``engine`` has the beginning, or cannot have it; any thread may call it.

        What goes wrong costs only time: from then on nothing is given.

        Raises:
            EngineDiedError: the engine is no longer of use.
        """
        if not self._ids or self._holder is engine:
            return
        with self._alone(closing):
            if not self._ids or self._holder is engine or not isinstance(engine, SharesBeginning):
                return
            try:
                if has_room(self._path.parent, self._most_bytes(len(self._ids))):
                    engine.share(self._ids, self._path, closing)
            except EngineDiedError:
                self._ids = ()
                raise
            except (EngineError, OSError):
                self._ids = ()
            finally:
                with contextlib.suppress(OSError):
                    self._path.unlink(missing_ok=True)
            self._holder = engine

    @contextlib.contextmanager
    def _alone(self, closing: Closing | None) -> Iterator[None]:
        """Work while no other thread does; ``closing`` ends the wait for that."""
        while not self._lock.acquire(timeout=_TICK_S):
            if closing is not None:
                closing.check()
        try:
            yield
        finally:
            self._lock.release()
