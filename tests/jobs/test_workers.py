"""Requests of a job that are answered by a model of this machine."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from phicli.answering.asked import Asked
from phicli.answering.asking import Asking
from phicli.chat_format.types import Message
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.starting import EngineChoice
from phicli.engine.types import LoadSettings
from phicli.errors import ContextExceededError, EngineDiedError, EngineError
from phicli.fit.loading import Room
from phicli.jobs.opening import open_pool
from phicli.jobs.planning import Needs, Place, plan_job
from phicli.jobs.running import Done, run
from phicli.jobs.workers import Outcome, PoolWorker
from phicli.plan.chat_options import ChatOptions
from phicli.plan.locate import locate

FRANCE, PARIS = "What is the capital of France?", "The capital of France is Paris."
CRASHES = "The engine is ended by a fault when it reads this."
KILLED = "The engine is killed when it reads this."

pytestmark = pytest.mark.process


def asked(text: str, **sampling: Any) -> Asked:
    return Asked("tiny-phi", (Message("user", text),), sampling={"temperature": 0.0, "max_tokens": 40, **sampling})


class FragileEngine(LlamaServerEngine):
    """The real engine, whose process gets a signal when it reads :data:`CRASHES` or :data:`KILLED`."""

    def tokenize(self, text: str, **how: Any) -> tuple[int, ...]:
        for words, number in ((CRASHES, "SIGSEGV"), (KILLED, "SIGKILL")):
            if words in text:
                os.kill(self.pid, getattr(signal, number))
        return super().tokenize(text, **how)


def start_fragile(name: str, settings: LoadSettings, **_: Any) -> FragileEngine:
    return FragileEngine(settings)


@pytest.fixture
def worker() -> Iterator[PoolWorker]:
    planned = plan_job(locate("tiny-phi"), ChatOptions(), Needs(200, 40, 20), Place(EngineChoice(), Room(None), 2))
    with open_pool(planned, start_engine=start_fragile) as pool:
        yield PoolWorker("tiny-phi", Asking(pool, planned.load), planned.slots)


def outcomes(worker: PoolWorker, *requests: Asked) -> list[Outcome]:
    done: dict[int, Done[Asked, Outcome]] = {}
    run(enumerate(requests), [worker], lambda one: done.update({one.number: one}))
    return [done[number].result for number in range(len(requests))]


def test_every_request_gets_its_answer(worker: PoolWorker) -> None:
    found = outcomes(worker, *[asked(FRANCE), asked("ping")] * 10)
    assert [one.answer.text if one.answer else one.error for one in found[:2]] == [PARIS, "pong"]
    assert {one.answer.text for one in found if one.answer} == {PARIS, "pong"}


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_request_that_crashes_the_engine_fails_alone(worker: PoolWorker) -> None:
    found = outcomes(worker, asked(FRANCE), asked(CRASHES), *[asked(FRANCE)] * 4)
    assert isinstance(found[1].error, EngineError)
    assert "crashed" in found[1].error.message
    assert [one.answer.text for number, one in enumerate(found) if number != 1 and one.answer] == [PARIS] * 5


def test_a_request_that_is_too_long_fails_alone(worker: PoolWorker) -> None:
    found = outcomes(worker, asked(FRANCE), asked("word " * 3000), asked(FRANCE))
    assert isinstance(found[1].error, ContextExceededError)
    assert [found[0].error, found[2].error] == [None, None]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_engine_that_was_killed_ends_the_job(worker: PoolWorker) -> None:
    with pytest.raises(EngineDiedError, match="killed"):
        outcomes(worker, asked(FRANCE), asked(KILLED), asked(FRANCE))


def test_a_worker_that_was_stopped_answers_with_an_error_and_not_with_a_failure(worker: PoolWorker) -> None:
    worker.stop()
    with pytest.raises(EngineDiedError):
        worker.ask(asked(FRANCE))
