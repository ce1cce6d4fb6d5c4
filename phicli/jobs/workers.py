"""Who answers the requests of a job."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from phicli.answering.asked import Asked
from phicli.answering.asking import Asking
from phicli.answering.formed import FormError
from phicli.answering.pool import whole
from phicli.answering.types import Answer, Answering, Notice
from phicli.chat_format.types import Message
from phicli.engine.endpoint.failures import EndpointError
from phicli.errors import (
    CheckFailedError,
    ContextExceededError,
    DoesNotFitError,
    EngineDiedError,
    EngineError,
    NotFoundError,
    PhiError,
    UsageError,
    UserInterruptError,
)
from phicli.jobs.running import WorkerGoneError
from phicli.remotes.asking import RemoteAsking

OnNotice = Callable[[Notice], None]
_OF_ONE_REQUEST = (CheckFailedError, ContextExceededError, DoesNotFitError, EngineError, UsageError)
_GONE: Final = frozenset({"key", "not_found", "redirect", "tls"})
"""Kinds of failures of an endpoint that every request would have."""

_ONLY_OF_REMOTES: Final = frozenset({"unreachable", "limited"})
"""Kinds of failures for which no request is to blame; they come after the model has waited and tried again."""

_SILENT: Final = frozenset({"silent", "slow"})
"""Kinds of failures that come after minutes."""

_LOOKED_AT: Final = 4
"""Requests, to find the beginning that many have in common."""

_SHORT_TOKENS: Final = 16
_ATTEMPTS: Final = 3
"""Before the remote is asked whether it answers anything."""

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
        self._looking = threading.Lock()
        self._expected: tuple[Asked, ...] = ()

    def expect(self, items: Sequence[Asked]) -> None:
        """What their prompts have in common at the beginning is evaluated once, before the first answer."""
        self._expected = tuple(items[:_LOOKED_AT]) if self.slots > 1 and len(items) > 1 else ()

    def ask(self, asked: Asked) -> Outcome:
        """What becomes of a request; one that crashes the engine, or cannot be answered, fails alone.

        Raises:
            EngineDiedError: the engine was ended or killed, hangs, or crashes at every request.
            PhiError: whatever else concerns all requests.
        """
        with self._looking:
            expected, self._expected = self._expected, ()
            if expected:
                self._asking.look_ahead(expected, self._on_notice or (lambda _: None))
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

    def drain(self) -> None:
        """Nothing waits before another attempt here."""

    def stop(self) -> None:
        """End the engine: calls of :meth:`ask` that are under way raise soon."""
        self._stopped = True
        self._asking.model.close()


class RemoteWorker:
    """A model of a remote.

    A request that fails is asked again. After the third time the remote is asked a short question: without an answer to
    that the remote is gone. With one, the request is asked for the last time, and if it fails again, it is to blame.
    The remote is gone at once after a long silence, and where the model has waited and tried again by itself, unless it
    answered others in that time.

    Args:
        name: for people.
        asking: makes the answers; it may wait and ask again by itself.
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
        self._draining = threading.Event()

    def ask(self, asked: Asked) -> Outcome:
        """What becomes of a request; one that cannot be answered fails alone.

        Raises:
            WorkerGoneError: the remote can no longer be asked.
        """
        failures: list[_Failure] = []
        while True:
            before = self._answered
            try:
                answering = self._asking.answering(asked)
            except UsageError as error:
                return Outcome(None, error)
            try:
                answer = self._whole(answering)
            except EndpointError as error:
                failures.append(_Failure(error, self._answered > before))
                if self._is_of_request(failures):
                    return Outcome(_beside(error, answering), error)
            except NotFoundError as error:  # the model, and not what it was asked
                raise WorkerGoneError(error) from error
            except _OF_ONE_REQUEST as error:
                self._check()
                return Outcome(_beside(error, answering), error)
            else:
                self._check()
                with self._lock:
                    self._answered += 1
                    self._rejected = 0
                return Outcome(answer)

    def drain(self) -> None:
        """Ask nothing again: calls of :meth:`ask` that wait for that raise WorkerGoneError soon, and others go on."""
        self._draining.set()
        self._asking.model.stop_retrying()

    def stop(self) -> None:
        """End all answers: calls of :meth:`ask` that are under way raise soon."""
        self._draining.set()
        with self._lock:
            self._stopped.set()
            under_way = tuple(self._under_way)
        for answering in under_way:
            answering.close()

    def _whole(self, answering: Answering) -> Answer:
        """The whole answer; :meth:`stop` ends it."""
        with self._lock:
            self._under_way.add(answering)
        try:
            self._check()
            return whole(answering, on_notice=self._on_notice)
        finally:
            with self._lock:
                self._under_way.discard(answering)

    def _is_of_request(self, failures: Sequence[_Failure]) -> bool:
        """Whether a request that has failed so often is to blame; False to ask again.

        Raises:
            WorkerGoneError: it is the remote that has failed.
        """
        self._check()
        error, alive = failures[-1].error, failures[-1].others_answered
        if error.kind != "rejected" and self._draining.is_set():
            raise WorkerGoneError(error)
        if error.kind in _GONE or (error.kind in _ONLY_OF_REMOTES and not alive):
            raise WorkerGoneError(error)
        if error.kind in _ONLY_OF_REMOTES:
            return False
        if error.kind == "rejected":
            return self._is_rejected(error)
        tried_again = error.kind != "cut" and self._asking.model.retrying.wait_s(error, 1) is not None
        if not alive and (error.kind in _SILENT or tried_again):
            raise WorkerGoneError(error)
        if len(failures) < _ATTEMPTS:
            if self._draining.wait(self._pause_s * len(failures)):
                raise WorkerGoneError(error)
            return False
        if not self._answers():
            raise WorkerGoneError(error)
        return len(failures) > _ATTEMPTS

    def _is_rejected(self, error: EndpointError) -> bool:
        """True: what is rejected once always is.

        Raises:
            WorkerGoneError: everything is rejected.
        """
        with self._lock:
            self._rejected += 1
            if self._rejected >= max(_MOST_REJECTED, 2 * self.slots):
                raise WorkerGoneError(error)
        return True

    def _answers(self) -> bool:
        """Whether the remote answers a short question now."""
        hello = Asked(self.name, (Message("user", "Hello"),), sampling={"max_tokens": _SHORT_TOKENS})
        try:
            self._whole(self._asking.answering(hello))
        except PhiError:
            return False
        self._check()
        return True

    def _check(self) -> None:
        """Return if nobody has stopped this.

        Raises:
            WorkerGoneError: somebody has.
        """
        if self._stopped.is_set():
            raise WorkerGoneError(UserInterruptError(f"{self.name} was stopped"))


@dataclass(frozen=True, slots=True)
class _Failure:
    """One attempt that failed; whether others were answered while it lasted."""

    error: EndpointError
    others_answered: bool


def _beside(error: PhiError, answering: Answering) -> Answer | None:
    """What there is of an answer that failed; None where nothing is."""
    answer = error.answer if isinstance(error, FormError) else answering.so_far()
    return answer if answer.text or answer.reasoning or answer.tool_calls else None
