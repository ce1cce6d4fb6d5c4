"""A beginning that the requests of a job have in common is evaluated once, whatever the number of slots."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phicli.answering.asked import Asked
from phicli.answering.asking import Asking
from phicli.chat_format.types import Message
from phicli.engine.closable import Closing
from phicli.engine.llama_server_program import NativeServerEngine
from phicli.engine.starting import EngineChoice
from phicli.engine.types import LoadSettings
from phicli.errors import EngineDiedError, EngineError, PhiError
from phicli.fit.loading import Room
from phicli.jobs.opening import open_pool
from phicli.jobs.planning import JobPlan, Needs, Place, plan_job
from phicli.jobs.running import Done, run
from phicli.jobs.workers import Outcome, PoolWorker
from phicli.plan.chat_options import ChatOptions
from phicli.plan.locate import locate
from phicli.structured.grammars import choice_form
from tests.support.wheel_server import install

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform == "win32", reason="the program is a script")]

SLOTS, LINES = 4, 12
COUNTRIES = ("France", "Italy", "Japan", "Spain")
CRASHES = "The engine is ended by a fault when it reads this."
SHORT, LONG = 10, 26
"""Sentences of a system message: prompts of tiny-phi on both sides of 256 tokens, where its rope factors change."""


def system(sentences: int) -> Message:
    return Message("system", " ".join(f"Rule {number}: answer in one sentence." for number in range(sentences)))


def asked(number: int, sentences: int = LONG, **more: Any) -> Asked:
    question = Message("user", f"What is the capital of {COUNTRIES[number % len(COUNTRIES)]}? ({number})")
    messages = (system(sentences), question) if sentences else (question,)
    return Asked("tiny-phi", messages, sampling={"temperature": 0.0, "max_tokens": 24}, **more)


class Counted(NativeServerEngine):
    """A real engine that counts what it evaluates; it ends by a fault when it reads :data:`CRASHES`."""

    may_share = True

    def __init__(self, settings: LoadSettings, program: Path) -> None:
        super().__init__(settings, program)
        self.shared: list[tuple[int, ...]] = []

    def share(self, beginning: Sequence[int], path: Path, closing: Closing | None = None) -> None:
        if not self.may_share:
            raise EngineError("it is not to")
        self.shared.append(tuple(beginning))
        super().share(beginning, path, closing)

    def evaluated_tokens(self) -> int:
        """The tokens of prompts that it has evaluated, by its own count."""
        address, key = self._process.wait_ready(), self._process.api_key
        connection = http.client.HTTPConnection(address.rpartition("/")[2], timeout=30)
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {key}"})
        text = connection.getresponse().read().decode()
        connection.close()
        (count,) = re.findall(r"^llamacpp:prompt_tokens_total (\d+)", text, re.MULTILINE)
        return int(count)

    def tokenize(self, text: str, **how: Any) -> tuple[int, ...]:
        if CRASHES in text:
            os.kill(self.pid, signal.SIGSEGV)
        return super().tokenize(text, **how)


class Apart(Counted):
    """The same, without sharing."""

    may_share = False


class DiesSharing(Counted):
    """The engine ends by a fault when it is to share."""

    def share(self, beginning: Sequence[int], path: Path, closing: Closing | None = None) -> None:
        os.kill(self.pid, signal.SIGSEGV)
        super().share(beginning, path, closing)


def planned_for(requests: int, context_tokens: int) -> JobPlan:
    """A job of tiny-phi whose slots have that context, also beyond its original one, which jobs do not choose."""
    needs = Needs(longest_bytes=200, max_tokens=24, requests=requests, parallel=SLOTS)
    planned = plan_job(locate("tiny-phi"), ChatOptions(), needs, Place(EngineChoice(), Room(None), 2))
    context = replace(planned.load.context, first_tokens=context_tokens)
    settings = replace(planned.load.settings, context_tokens=context_tokens)
    return replace(planned, load=replace(planned.load, context=context, settings=settings))


class Job:
    """One job, done: its outcomes in order, and its engines."""

    def __init__(
        self, program: Path, requests: Sequence[Asked], kind: type[Counted] = Counted, *, context_tokens: int = 512
    ) -> None:
        self.engines: list[Counted] = []
        self.evaluated = 0
        planned = planned_for(len(requests), context_tokens)

        def start(_: str, settings: LoadSettings, **__: Any) -> Counted:
            self.engines.append(kind(settings, program))
            return self.engines[-1]

        done: dict[int, Outcome] = {}

        def take(one: Done[Asked, Outcome]) -> None:
            done[one.number] = one.result

        with open_pool(planned, start_engine=start) as pool:
            worker = PoolWorker("tiny-phi", Asking(pool, planned.load), planned.slots)
            run(enumerate(requests), [worker], take)
            with contextlib.suppress(EngineDiedError):  # a request may have crashed it as the last one
                self.evaluated = self.engines[-1].evaluated_tokens()
        self.outcomes = [done[number] for number in range(len(requests))]

    @property
    def answers(self) -> list[tuple[str, tuple[int, ...] | None]]:
        return [(one.answer.text, one.answer.token_ids) for one in self.outcomes if one.answer]

    @property
    def usages(self) -> list[tuple[int, int]]:
        """Tokens of each prompt, and how many of them were cached."""
        usages = [one.answer.usage for one in self.outcomes if one.answer]
        return [(usage.prompt_tokens, usage.cached_tokens) for usage in usages]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("program"))


def test_it_is_evaluated_once_for_four_slots(program: Path) -> None:
    job = Job(program, [asked(number) for number in range(LINES)])
    (engine,) = job.engines
    (beginning,) = engine.shared
    assert len(beginning) >= 300
    assert len(job.usages) == LINES
    assert all(cached >= len(beginning) for _, cached in job.usages)
    rest = sum(prompt - cached for prompt, cached in job.usages)
    assert job.evaluated == len(beginning) + rest
    apart = Job(program, [asked(number) for number in range(LINES)], Apart)
    assert apart.evaluated >= 2 * len(beginning), "without it, each slot that is used evaluates it"


@pytest.mark.parametrize("sentences", [SHORT, LONG])
def test_the_answers_are_the_same_tokens(program: Path, sentences: int) -> None:
    requests = [asked(number, sentences) for number in range(LINES)]
    context_tokens = 512 if sentences == LONG else 256
    shared, apart = (Job(program, requests, kind, context_tokens=context_tokens) for kind in (Counted, Apart))
    assert [len(engine.shared) for engine in shared.engines] == [1]
    assert all((prompt > 256) is (sentences == LONG) for prompt, _ in shared.usages)
    assert shared.answers == apart.answers
    assert len(shared.answers) == LINES


def test_requests_with_a_form_share_it_too(program: Path) -> None:
    form = choice_form("Paris,Rome")
    job = Job(program, [asked(number, form=form) for number in range(LINES)])
    ((beginning,),) = [engine.shared for engine in job.engines]
    assert all(cached >= len(beginning) for _, cached in job.usages)
    assert {text for text, _ in job.answers} <= {"Paris", "Rome"}


def test_prompts_that_do_not_fit_into_a_slot_share_it_in_an_engine_of_their_own(program: Path) -> None:
    job = Job(program, [asked(number) for number in range(LINES)], context_tokens=256)
    assert [engine.shared for engine in job.engines] == [[], []]
    assert sorted(cached > 300 for _, cached in job.usages) == [False, *[True] * (LINES - 1)]
    assert job.evaluated == sum(prompt - cached for prompt, cached in job.usages)


def test_lines_that_begin_otherwise_are_answered_as_ever(program: Path) -> None:
    requests = [asked(number, LONG if number < 6 else 0) for number in range(LINES)]
    job, apart = Job(program, requests), Job(program, requests, Apart)
    assert len(job.engines[0].shared) == 1
    assert job.answers == apart.answers


@pytest.mark.parametrize(
    "requests", [[asked(n, 0) for n in range(LINES)], [asked(0)], [asked(0, 0), asked(1), asked(2)]]
)
def test_without_a_common_beginning_nothing_is_shared(program: Path, requests: list[Asked]) -> None:
    job = Job(program, requests)
    assert [engine.shared for engine in job.engines] == [[]]
    assert len(job.answers) == len(requests)


def test_an_engine_that_is_started_after_a_crash_gets_it_again(program: Path) -> None:
    crashing = replace(asked(0), messages=(system(LONG), Message("user", CRASHES)))
    requests = [*(asked(number) for number in range(6)), crashing, *(asked(number) for number in range(6))]
    job = Job(program, requests)
    assert [one.error is None for one in job.outcomes] == [number != 6 for number in range(13)]
    assert len(job.engines) > 1
    assert {len(engine.shared) for engine in job.engines} == {1}


def test_a_request_that_crashes_the_engine_when_it_is_looked_at_fails_alone(program: Path) -> None:
    crashing = replace(asked(0), messages=(system(LONG), Message("user", CRASHES)))
    job = Job(program, [asked(0), crashing, asked(1), asked(2)])
    assert [one.error is None for one in job.outcomes] == [True, False, True, True]


def test_an_engine_that_crashes_when_it_shares_costs_no_answer(program: Path) -> None:
    requests = [asked(number) for number in range(6)]
    job = Job(program, requests, DiesSharing)
    assert job.answers == Job(program, requests).answers
    assert len(job.answers) == len(requests)


def test_a_job_that_is_stopped_while_it_shares_ends(program: Path) -> None:
    stopping: list[Callable[[], None]] = []

    class Stopped(Counted):
        def share(self, beginning: Sequence[int], path: Path, closing: Closing | None = None) -> None:
            stopping[0]()
            super().share(beginning, path, closing)

    planned = planned_for(LINES, 512)
    with open_pool(planned, start_engine=lambda _, settings, **__: Stopped(settings, program)) as pool:
        worker = PoolWorker("tiny-phi", Asking(pool, planned.load), planned.slots)
        stopping.append(worker.stop)
        with pytest.raises(PhiError):
            run(enumerate([asked(number) for number in range(LINES)]), [worker], lambda _: None)
        assert pool.engines.started() == ()
