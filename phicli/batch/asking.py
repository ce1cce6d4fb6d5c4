"""From a row of the input to the answers of a worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from phicli.answering.asked import Asked
from phicli.answering.types import Answer
from phicli.batch.types import Row
from phicli.errors import EngineError, PhiError
from phicli.jobs.running import LooksAhead, Worker
from phicli.jobs.workers import Outcome


@dataclass(frozen=True, slots=True)
class Item:
    """A row, and what it asks."""

    row: Row
    asked: Asked


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a row: as many ``answers`` as it wanted, or the ``error`` of the first that failed."""

    answers: tuple[Answer, ...] = ()
    error: PhiError | None = None


class RowWorker:
    """A worker that is given rows; of each it is asked one answer after the other."""

    def __init__(self, worker: Worker[Asked, Outcome]) -> None:
        self._worker = worker
        self.name, self.slots = worker.name, worker.slots

    def expect(self, items: Sequence[Item]) -> None:
        """The first rows."""
        if isinstance(self._worker, LooksAhead):
            self._worker.expect([item.asked for item in items])

    def ask(self, item: Item) -> Answered:
        """What becomes of the row. Raises as the worker does."""
        answers: list[Answer] = []
        for asked in _single(item.asked):
            outcome = self._worker.ask(asked)
            if outcome.error is not None or outcome.answer is None:
                return Answered(error=outcome.error or EngineError("there was no answer"))
            answers.append(outcome.answer)
        return Answered(tuple(answers))

    def drain(self) -> None:
        """Wait for no further attempt."""
        self._worker.drain()

    def stop(self) -> None:
        """End what is under way."""
        self._worker.stop()


def _single(asked: Asked) -> Iterator[Asked]:
    """A request for each of the answers that are wanted, with the seed of that answer."""
    for index in range(asked.answers):
        yield asked if index == 0 else replace(asked, sampling={**asked.sampling, "seed": asked.seed(index)})
