"""Who answers the requests of a job."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from phicli.answering.asked import Asked
from phicli.answering.asking import Asking
from phicli.answering.formed import FormError
from phicli.answering.pool import whole
from phicli.answering.types import Answer, Answering, Notice
from phicli.engine.endpoint.failures import EndpointError
from phicli.errors import (
    CheckFailedError,
    ContextExceededError,
    DoesNotFitError,
    EngineDiedError,
    EngineError,
    PhiError,
    UsageError,
    UserInterruptError,
)
from phicli.jobs.running import WorkerGoneError
from phicli.remotes.asking import RemoteAsking

OnNotice = Callable[[Notice], None]
_OF_ONE_REQUEST = (CheckFailedError, ContextExceededError, DoesNotFitError, EngineError, UsageError)
_GONE: Final = frozenset({"key", "not_found", "redirect", "tls", "unreachable"})
"""Kinds of failures of an endpoint that every request would have."""

_SILENT: Final = frozenset({"silent", "slow"})
"""Kinds of failures that come after minutes."""

_ATTEMPTS: Final = 3
_MOST_REJECTED: Final = 16
"""In a row: then it is not the requests."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request.

    ``error`` says why there is no answer, or why it does not count; ``answer`` is there then as far as it came, and
    None where nothing did.
    """

    answer: Answer | None
    error: PhiError | None = None


class PoolWorker:
    """A model of this machine.

    Args:
        name: for people.
        asking: makes the answers.
        slots: requests at a time.
        on_notice: called, in the thread that asks, with what a person should know.
    """

    def __init__(self, name: str, asking: Asking, slots: int, *, on_notice: OnNotice | None = None) -> None:
        self.name, self.slots = name, slots
        self._asking, self._on_notice = asking, on_notice
        self._stopped = False

    def ask(self, asked: Asked) -> Outcome:
        """What becomes of a request; one that crashes the engine, or cannot be answered, fails alone.

        Raises:
            EngineDiedError: the engine was ended or killed, hangs, or crashes at every request.
            PhiError: whatever else concerns all requests.
        """
        begun: list[Answering] = []

        def begin() -> Answering:
            begun.append(self._asking.answering(asked))
            return begun[-1]

        try:
            return Outcome(self._asking.model.ask(begin, on_notice=self._on_notice))
        except EngineDiedError:
            raise
        except _OF_ONE_REQUEST as error:
            if self._stopped:
                raise
            return Outcome(_beside(error, begun[-1]) if begun else None, error)

    def stop(self) -> None:
        """End the engine: calls of :meth:`ask` that are under way raise soon."""
        self._stopped = True
        self._asking.model.close()


class RemoteWorker:
    """A model of a remote.

    A request that fails is asked up to three times. If the remote has answered others meanwhile, it is the fault of the
    request; if it has not, the remote is gone. So it is at once after a long silence, and
    where the model has waited and tried again by itself.

    Args:
        name: for people.
        asking: makes the answers; what it waits for and tries again by itself is not seen here.
        slots: requests at a time.
        on_notice: called, in the thread that asks, with what a person should know.
        pause_s: seconds before the second attempt; twice as long before the third one.
    """

    def __init__(
        self, name: str, asking: RemoteAsking, slots: int, *, on_notice: OnNotice | None = None, pause_s: float = 1.0
    ) -> None:
        self.name, self.slots, self._pause_s = name, slots, pause_s
        self._asking, self._on_notice = asking, on_notice
        self._lock = threading.Lock()
        self._under_way: set[Answering] = set()
        self._answered = 0
        self._rejected = 0
        self._stopped = threading.Event()

    def ask(self, asked: Asked) -> Outcome:
        """What becomes of a request; one that cannot be answered fails alone.

        Raises:
            WorkerGoneError: the remote cannot be asked any more.
        """
        before, attempts = self._answered, 0
        while True:
            try:
                answering = self._asking.answering(asked)
            except UsageError as error:
                return Outcome(None, error)
            try:
                with self._noted(answering):
                    answer = whole(answering, on_notice=self._on_notice)
            except EndpointError as error:
                attempts += 1
                if self._is_of_request(error, attempts, since=before):
                    return Outcome(_beside(error, answering), error)
            except _OF_ONE_REQUEST as error:
                self._check()
                return Outcome(_beside(error, answering), error)
            else:
                self._check()
                with self._lock:
                    self._answered += 1
                    self._rejected = 0
                return Outcome(answer)

    def stop(self) -> None:
        """End all answers: calls of :meth:`ask` that are under way raise soon."""
        with self._lock:
            self._stopped.set()
            under_way = tuple(self._under_way)
        for answering in under_way:
            answering.close()

    @contextlib.contextmanager
    def _noted(self, answering: Answering) -> Iterator[None]:
        """Within the context :meth:`stop` closes ``answering``."""
        with self._lock:
            self._under_way.add(answering)
        try:
            self._check()
            yield
        finally:
            with self._lock:
                self._under_way.discard(answering)

    def _is_of_request(self, error: EndpointError, attempts: int, *, since: int) -> bool:
        """Whether a request has failed for good; False to ask again.

        Raises:
            WorkerGoneError: it is the remote that has failed.
        """
        self._check()
        if error.kind in _GONE:
            raise WorkerGoneError(error)
        if error.kind == "rejected":
            with self._lock:
                self._rejected += 1
            if self._rejected >= max(_MOST_REJECTED, 2 * self.slots):
                raise WorkerGoneError(error)
            return True
        alive = self._answered > since
        if error.kind == "limited" and alive:
            return False
        waited = error.kind in _SILENT or self._asking.model.retrying.wait_s(error, 1) is not None
        if not alive and (waited or attempts >= _ATTEMPTS):
            raise WorkerGoneError(error)
        if attempts < _ATTEMPTS:
            self._stopped.wait(self._pause_s * attempts)
            self._check()
            return False
        return True

    def _check(self) -> None:
        """Return if nobody has stopped this.

        Raises:
            WorkerGoneError: somebody has.
        """
        if self._stopped.is_set():
            raise WorkerGoneError(UserInterruptError(f"{self.name} was stopped"))


def _beside(error: PhiError, answering: Answering) -> Answer | None:
    """What there is of an answer that failed; None where nothing is."""
    answer = error.answer if isinstance(error, FormError) else answering.so_far()
    return answer if answer.text or answer.reasoning or answer.tool_calls else None
