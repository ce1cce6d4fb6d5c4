"""Several engines with the same model file side by side: one with slots, and one for each larger context."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Protocol

from phicli.answering.engines import Grown, closed
from phicli.answering.shared_beginning import SharedBeginning
from phicli.engine.closable import Closing
from phicli.engine.types import Engine, LocalEngine
from phicli.errors import EngineDiedError, EngineError, PhiError

Check = Callable[[LocalEngine], None]
"""Judges an engine that has its model loaded; raises where it must not answer."""

_TICK_S: Final = 0.1


class Watch(Protocol):
    """Is told what becomes of the engines."""

    def used(self, engine: LocalEngine) -> None:
        """An answer gets ``engine``. Called while no engine can be ended: it must return at once."""

    def ended(self, engine: LocalEngine) -> None:
        """The process of ``engine`` has ended."""


class _Start:
    """An engine that is being started, by one of the threads that want it."""

    def __init__(self) -> None:
        self.engine: LocalEngine | None = None
        self.error: PhiError | None = None
        self.over = threading.Event()


class EnginesSideBySide:
    """An engine with slots for several answers at a time, and one of a single slot for each larger context.

    Args:
        start: starts an engine with a context of that many tokens for each of so many slots; may return before the
            model is loaded. It may take its time: other engines are used meanwhile.
        first_tokens: the context of each slot.
        slots: answers at a time.
        check: called with an engine that has its model loaded, before each answer.
        watch: is told which engines are used, and which have ended.
        beginning: what the engine with all slots gets before its first answer; None for nothing.
    """

    def __init__(
        self,
        start: Callable[[int, int], LocalEngine],
        first_tokens: int,
        slots: int,
        check: Check | None = None,
        watch: Watch | None = None,
        beginning: SharedBeginning | None = None,
    ) -> None:
        self._start, self._first, self._slots, self._check, self._watch = start, first_tokens, slots, check, watch
        self._lock = threading.Lock()
        self._starts: dict[int, _Start] = {}
        self._closed = False
        self._beginning = beginning

    def running(self, closing: Closing | None) -> Engine:
        """As :class:`~phicli.answering.engines.Engines` says: always that of all slots."""
        return self.with_context(self._first, closing)

    def with_context(self, context_tokens: int, closing: Closing | None) -> LocalEngine:
        """As :class:`~phicli.answering.engines.Engines` says.

        Raises:
            EngineError: the file cannot be loaded; an :class:`EngineDiedError` only where that concerns every answer.
        """
        usual = context_tokens == self._first
        self.end(lambda known: known.context_tokens == context_tokens and _has_ended(known))
        engine = self._started(context_tokens, closing)
        try:
            engine.wait_ready(closing)
        except EngineError as error:
            self.failed(engine, error)
            if usual or self._closed:
                raise
            message = f"a context of {context_tokens} tokens cannot be loaded: {error.message}"
            raise EngineError(message, error.hint) from error
        if self._check is not None:
            self._check(engine)
        return self._begun(engine, closing) if usual else engine

    def grown(self, engine: Engine, context_tokens: int, closing: Closing | None, *, ids: bool) -> Grown:
        """As :class:`~phicli.answering.engines.Engines` says: the slots of ``engine`` are busy with others, so nothing
        is carried.
        """
        del engine, ids
        return Grown(self.with_context(context_tokens, closing))

    def failed(self, engine: Engine, error: EngineError) -> None:
        """As :class:`~phicli.answering.engines.Engines` says; an engine that only refused one request stays, since
        others use it.
        """
        if isinstance(error, EngineDiedError):
            self.end(lambda known: known is engine)
            engine.close()

    def end(self, which: Callable[[LocalEngine], bool]) -> int:
        """End the engines for which ``which`` says so, and return how many; an answer that wants one gets another.

        ``which`` is called while no engine is handed out, and must return at once.
        """
        with self._lock:
            known = [(size, start.engine) for size, start in self._starts.items() if start.engine is not None]
            ending = {size: engine for size, engine in known if which(engine)}
            for size in ending:
                del self._starts[size]
        for engine in ending.values():
            self._end(engine)
        return len(ending)

    def started(self) -> tuple[LocalEngine, ...]:
        """The engines that run now."""
        with self._lock:
            return tuple(start.engine for start in self._starts.values() if start.engine is not None)

    def close(self) -> None:
        """As :class:`~phicli.answering.engines.Engines` says."""
        with self._lock:
            self._closed = True
        self.end(lambda _: True)

    def _started(self, context_tokens: int, closing: Closing | None) -> LocalEngine:
        while True:
            with self._lock:
                if self._closed:
                    raise closed()
                start = self._starts.get(context_tokens)
                if start is not None and start.engine is not None:
                    self._use(start.engine)
                    return start.engine
                mine = start is None
                start = start or self._starts.setdefault(context_tokens, _Start())
            if mine:
                return self._begin(context_tokens, start)
            while not start.over.wait(_TICK_S):
                if closing is not None:
                    closing.check()
            if start.error is not None:
                raise start.error

    def _begin(self, context_tokens: int, start: _Start) -> LocalEngine:
        """Start the engine that this thread alone may start; others wait for it."""
        engine: LocalEngine | None = None
        try:
            engine = self._start(context_tokens, self._slots if context_tokens == self._first else 1)
        except PhiError as error:
            start.error = error
            raise
        finally:
            with self._lock:
                if engine is None or self._closed:
                    self._starts.pop(context_tokens, None)
                else:
                    start.engine = engine
                    self._use(engine)
            start.over.set()
        if start.engine is None:
            self._end(engine)
            raise closed()
        return engine

    def _begun(self, engine: LocalEngine, closing: Closing | None) -> LocalEngine:
        """``engine`` with the beginning of many prompts in its slots; another one where it dies of that."""
        try:
            if self._beginning is not None:
                self._beginning.give(engine, closing)
        except EngineDiedError as error:
            self.failed(engine, error)
            return self.with_context(engine.context_tokens, closing)
        return engine

    def _use(self, engine: LocalEngine) -> None:
        if self._watch is not None:
            self._watch.used(engine)

    def _end(self, engine: LocalEngine) -> None:
        engine.close()
        if self._watch is not None:
            self._watch.ended(engine)


def _has_ended(engine: LocalEngine) -> bool:
    """Whether the process of ``engine`` is known to have ended after it had loaded its model."""
    return engine.load_ms > 0 and bool(getattr(engine, "ended", False))
