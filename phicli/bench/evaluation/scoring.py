"""How probable a model of this machine finds the expected answers, several of them at a time.

An engine reports the probability of one token per request, at about the cost of generating it. Several answers at a
time keep it busy between the requests of each; what it computes for them takes as long as for one after the other (240
tokens with 12 layers of Phi-4-mini in Q4_K_M on two cores: 17 to 21 s of processor time with one, two and four slots).
Each answer stays in a slot of its own.
"""

from __future__ import annotations

import queue
import threading
from typing import Final, Protocol, runtime_checkable

from phicli.answering.asking import with_system_message
from phicli.answering.pool import Pool
from phicli.answering.types import Notice
from phicli.bench.evaluation.expected import Expected
from phicli.bench.evaluation.types import Talk
from phicli.engine.logprobs import Scored
from phicli.engine.types import Engine
from phicli.errors import ContextExceededError, DoesNotFitError, EngineDiedError, EngineError, UsageError
from phicli.jobs.workers import OnNotice, PoolWorker
from phicli.plan.load import LoadPlan
from phicli.tools.declared import declared_for

_OF_ONE_ANSWER: Final = (ContextExceededError, DoesNotFitError, EngineError, UsageError)


@runtime_checkable
class ScoresInSlots(Protocol):
    """An engine that reports the probabilities of texts in several slots."""

    def score(self, prompt: tuple[int, ...], token_id: int, *, likeliest: int, slot: int | None = None) -> Scored:
        """See :meth:`phicli.engine.http_engine.HttpEngine.score`."""


class ScoringWorker:
    """A model of this machine that reads expected answers; a :class:`~phicli.jobs.running.Worker`.

    Args:
        name: for people.
        pool: the model.
        load: how it was loaded.
        slots: answers at a time.
        on_notice: called, in the thread that reads, with what a person should know.
    """

    def __init__(self, name: str, pool: Pool, load: LoadPlan, slots: int, on_notice: OnNotice) -> None:
        self.name, self.slots = name, slots
        self._pool, self._load, self._on_notice = pool, load, on_notice
        self._stopped = False
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        for slot in range(slots):
            self._free.put(slot)
        self._large = threading.Lock()

    def ask(self, talk: Talk) -> Expected:
        """How probable the expected answer is; one that cannot be read fails alone.

        Raises:
            EngineDiedError: the engine was ended or killed, hangs, or crashes at every answer.
            PhiError: whatever else concerns all answers.
        """
        slot = self._free.get()
        try:
            return self._pool.isolated(lambda: self._read(talk, slot))
        except EngineDiedError:
            raise
        except _OF_ONE_ANSWER as error:
            if self._stopped:
                raise
            return Expected.none(error.message)
        finally:
            self._free.put(slot)

    def drain(self) -> None:
        """Nothing waits before another attempt here."""

    def stop(self) -> None:
        """End the engine: calls of :meth:`ask` that are under way raise soon."""
        self._stopped = True
        self._pool.close()

    def _read(self, talk: Talk, slot: int) -> Expected:
        before = with_system_message(talk.before, self._load.model.variant)
        tools = declared_for(self._load.format.name, talk.tools) if talk.tools else None
        ids, start = self._pool.given_answer(before, talk.answer, self._note, tools=tools)
        engine = self._pool.engines.running(None)
        if len(ids) <= engine.context_tokens:
            return self._scored(engine, ids, start, slot)
        size = self._pool.context.grown(len(ids))
        with self._large:  # it has one slot: answers by turns would begin again at every token
            return self._scored(self._pool.engines.with_context(size, None), ids, start, 0)

    def _scored(self, engine: Engine, ids: tuple[int, ...], start: int, slot: int) -> Expected:
        if not isinstance(engine, ScoresInSlots):
            raise EngineError("this engine does not report token probabilities", "use another engine: --engine")
        try:
            found = [
                engine.score(ids[:place], ids[place], likeliest=1, slot=slot).log_probability
                for place in range(start, len(ids))
            ]
        except EngineError as error:
            self._pool.engines.failed(engine, error)
            raise
        return Expected.of(ids[start:], found)

    def _note(self, notice: Notice) -> None:
        self._on_notice(notice)


class AnsweringAndScoring(PoolWorker):
    """A model of this machine that answers questions; ``scoring`` reads expected answers, None where it cannot."""

    scoring: ScoringWorker | None = None
