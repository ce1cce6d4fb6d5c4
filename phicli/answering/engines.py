"""Where an answer gets its engine from, and one engine that moves to larger contexts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from phicli.engine.closable import Closing
from phicli.engine.loan import LoanError
from phicli.engine.types import Engine
from phicli.errors import EngineDiedError, EngineError

if TYPE_CHECKING:
    from phicli.answering.state_carrier import StateCarrier


@dataclass(frozen=True, slots=True)
class Grown:
    """An engine with a larger context.

    With ``carried`` it has evaluated what the engine before it had. ``token_ids`` are those that the engine before it
    had evaluated; None where they are unknown.
    """

    engine: Engine
    carried: bool = False
    token_ids: tuple[int, ...] | None = None


class Beginning(Protocol):
    """What an engine goes on from, when it begins."""

    def restore(self, engine: Engine, closing: Closing | None) -> bool:
        """Restore in ``engine``, which has its model loaded; return whether no other engine needs to be tried.

        Raises:
            EngineDiedError: the engine is no longer of use.
        """


class Engines(Protocol):
    """Engines that have one model file loaded. All methods may be called from any thread.

    Where a method waits for the model to load, ``closing`` ends the wait, though not the loading.
    """

    def running(self, closing: Closing | None) -> Engine:
        """An engine that has the file loaded, whatever its context; where none runs, one of the first context.

        Raises:
            EngineError: the file cannot be loaded.
        """

    def with_context(self, context_tokens: int, closing: Closing | None) -> Engine:
        """The engine with this context, loaded; starts it where it does not run.

        Raises:
            EngineError: the file cannot be loaded.
        """

    def grown(self, engine: Engine, context_tokens: int, closing: Closing | None, *, ids: bool) -> Grown:
        """A loaded engine with this context that continues from the state of ``engine``, if that is possible.

        The ``ids`` of the tokens that ``engine`` has evaluated are found out where they are wanted and can be.

        Raises:
            EngineError: the file cannot be loaded.
        """

    def failed(self, engine: Engine, error: EngineError) -> None:
        """Take note that ``engine`` raised ``error``: if it is no longer of use, the next answer gets another."""

    def close(self) -> None:
        """End the engines; no more are started. Safe to call twice."""


class OneEngine:
    """One engine at a time, for one answer at a time: another context means another engine.

    Args:
        start: starts an engine with a context of that many tokens; may return before the model is loaded.
        first_tokens: the context of the first one.
        carrier: carries what an engine has evaluated over to the next one; None: everything is evaluated again.
        beginning: what the first engine that can goes on from; None for nothing.
        is_gone: whether an engine can be used no longer, though it has not failed.
    """

    def __init__(
        self,
        start: Callable[[int], Engine],
        first_tokens: int,
        carrier: StateCarrier | None = None,
        beginning: Beginning | None = None,
        is_gone: Callable[[Engine], bool] = lambda _: False,
    ) -> None:
        self._is_gone = is_gone
        self._start, self._first, self._carrier, self._beginning = start, first_tokens, carrier, beginning
        self._lock, self._beginning_lock = threading.Lock(), threading.Lock()
        self._engine: Engine | None = None
        self._closed = False

    def load(self, context_tokens: int | None = None) -> None:
        """Start an engine, the first one where no context is given; what goes wrong with its load is raised later."""
        with self._lock:
            self._running(context_tokens or self._first)

    def carry_by(self, carrier: StateCarrier | None) -> None:
        """From now on ``carrier`` carries over what engines have evaluated."""
        self._carrier = carrier

    def running(self, closing: Closing | None) -> Engine:
        """As :class:`Engines` says."""
        with self._lock:
            engine = self._running(self._first if self._engine is None else self._engine.context_tokens)
        return self._ready(engine, closing)

    def with_context(self, context_tokens: int, closing: Closing | None) -> Engine:
        """As :class:`Engines` says."""
        with self._lock:
            engine = self._running(context_tokens)
        return self._ready(engine, closing)

    def grown(self, engine: Engine, context_tokens: int, closing: Closing | None, *, ids: bool) -> Grown:
        """As :class:`Engines` says. An engine that dies of the state that it restores is replaced."""
        if self._carrier is None:
            return Grown(self.with_context(context_tokens, closing))
        with self._carrier.saved(engine, context_tokens, closing, ids=ids) as state:
            larger = self.with_context(context_tokens, closing)
            if state is None:
                return Grown(larger)
            try:
                carried = self._carrier.restore(state, larger, closing)
            except EngineDiedError as error:
                self.failed(larger, error)
                larger, carried = self.with_context(context_tokens, closing), False
        return Grown(larger, carried, state.token_ids)

    def failed(self, engine: Engine, error: EngineError) -> None:
        """As :class:`Engines` says; a new engine costs little, so any failure ends this one."""
        del error
        with self._lock:
            if self._engine is engine:
                self._engine = None
        engine.close()

    def close(self) -> None:
        """As :class:`Engines` says."""
        with self._lock:
            self._closed = True
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def _running(self, context_tokens: int) -> Engine:
        if self._closed:
            raise closed()
        running = self._engine
        if running is not None and (running.context_tokens != context_tokens or self._is_gone(running)):
            self._engine = None  # also where Ctrl-C ends the wait for its end
            running.close()  # first: there may be no memory for both
        if self._engine is None:
            self._engine = self._start(context_tokens)
        return self._engine

    def _ready(self, engine: Engine, closing: Closing | None) -> Engine:
        try:
            engine.wait_ready(closing)
        except LoanError as error:
            self.failed(engine, error)
            return self.with_context(engine.context_tokens, closing)
        except EngineError as error:
            self.failed(engine, error)
            raise
        return self._begun(engine, closing)

    def _begun(self, engine: Engine, closing: Closing | None) -> Engine:
        """``engine`` with what it goes on from; another one where it dies of that."""
        try:
            with self._beginning_lock:
                if self._beginning is not None and self._beginning.restore(engine, closing):
                    self._beginning = None
        except EngineDiedError as error:
            self._beginning = None
            self.failed(engine, error)
            return self.with_context(engine.context_tokens, closing)
        return engine


def closed() -> EngineDiedError:
    """The error for an answer of a model that was closed."""
    return EngineDiedError("the model was closed and can no longer answer", "open it again")
