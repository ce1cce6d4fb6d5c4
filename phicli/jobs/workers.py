"""Who answers the requests of a job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from phicli.answering.asked import Asked
from phicli.answering.asking import Asking
from phicli.answering.types import Answer, Answering, Notice
from phicli.errors import (
    CheckFailedError,
    ContextExceededError,
    DoesNotFitError,
    EngineDiedError,
    EngineError,
    PhiError,
    UsageError,
)

OnNotice = Callable[[Notice], None]
_OF_ONE_REQUEST = (CheckFailedError, ContextExceededError, DoesNotFitError, EngineError, UsageError)


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
            return Outcome(begun[-1].so_far() if begun else None, error)

    def stop(self) -> None:
        """End the engine: calls of :meth:`ask` that are under way raise soon."""
        self._stopped = True
        self._asking.model.close()
