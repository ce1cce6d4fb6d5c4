"""An engine that goes down under several questions: the one that is at fault fails, the others are answered."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from phicli.bench.evaluation.asking import asked_of, reply_of
from phicli.bench.evaluation.items import read_items
from phicli.bench.evaluation.preparing import EvalOptions, prepare
from phicli.bench.evaluation.types import Item, Reply
from phicli.bench.launch import BuildChangedError
from phicli.bench.measuring.surroundings import look_around
from phicli.bench.subjects import subjects
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.starting import build_of, start_engine
from phicli.engine.types import Engine, LoadSettings
from phicli.errors import EngineError
from phicli.jobs.notices import Notices
from tests.support.processes import children

FRANCE, PARIS = "What is the capital of France?", "The capital of France is Paris."
CRASHES = "The engine is ended by a fault when it reads this."
KILLED = "The engine is killed when it reads this."

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc, and ends them"),
]


def items(*questions: str) -> tuple[Item, ...]:
    lines = [json.dumps({"question": text, "compare": "exact", "answer": "x", "max_tokens": 40}) for text in questions]
    return read_items("\n".join(lines).encode(), "test")


class FragileEngine(LlamaServerEngine):
    """The real engine, whose process gets a signal when it reads :data:`CRASHES` or :data:`KILLED`."""

    def tokenize(self, text: str, **how: Any) -> tuple[int, ...]:
        for words, number in ((CRASHES, signal.SIGSEGV), (KILLED, signal.SIGKILL)):
            if words in text:
                os.kill(self.pid, number)
        return super().tokenize(text, **how)


def start_fragile(name: str, settings: LoadSettings, **_: Any) -> FragileEngine:
    return FragileEngine(settings)


@contextlib.contextmanager
def opened(asked: tuple[Item, ...], start: Any = start_fragile) -> Iterator[Callable[[Item], Reply]]:
    (subject,) = subjects(["tiny-phi"])
    prepared = prepare(replace(subject, build=build_of()), asked, EvalOptions("arithmetic"), look_around())
    with prepared.opened(Notices(lambda _: None), start_engine=start) as worker:
        yield lambda item: reply_of(item, worker.ask(asked_of(item, "tiny-phi", {})))


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """As many threads as there are slots."""
    with ThreadPoolExecutor(max_workers=4) as made:
        yield made


def test_a_question_that_crashes_the_engine_fails_alone(pool: ThreadPoolExecutor) -> None:
    asked = items(FRANCE, CRASHES, FRANCE, FRANCE)
    with opened(asked) as ask:
        replies = list(pool.map(ask, asked))
        assert ask(asked[0]).text == PARIS
    assert [reply.text for reply in replies] == [PARIS, "", PARIS, PARIS]
    failed = replies[1]
    assert (failed.finish_reason, failed.failed) == ("error", True)
    assert "crashed" in failed.error


def test_a_crash_that_is_nobodys_fault_is_made_up_for(pool: ThreadPoolExecutor) -> None:
    asked = items(*["Count to forty"] * 4)
    before = set(children(os.getpid()))
    with opened(asked) as ask:
        (engine,) = set(children(os.getpid())) - before
        threading.Timer(0.05, os.kill, (engine, signal.SIGSEGV)).start()
        replies = list(pool.map(ask, asked))
        deadline = time.monotonic() + 10
        while engine in children(os.getpid()) and time.monotonic() < deadline:
            ask(asked[0])
        assert engine not in children(os.getpid())
    assert len({reply.text for reply in replies}) == 1
    assert not any(reply.failed for reply in replies)


def test_an_engine_that_was_killed_is_not_started_again() -> None:
    """The system does that when memory runs out: another start would be killed as well."""
    asked = items(KILLED)
    before = set(children(os.getpid()))
    with opened(asked) as ask:
        (engine,) = set(children(os.getpid())) - before
        with pytest.raises(EngineError, match="killed"):
            ask(asked[0])
        assert set(children(os.getpid())) - before <= {engine}


def test_a_question_that_the_engine_refuses_fails_alone() -> None:
    """A context that is longer than any memory, as far as the plan knows: the engine cannot load it."""
    asked = items("word " * 300, FRANCE)

    def start(name: str, settings: LoadSettings, **more: Any) -> Engine:
        tokens = settings.context_tokens if settings.context_tokens == 256 else 1 << 40
        return start_engine(name, replace(settings, context_tokens=tokens), **more)

    with opened(asked, start) as ask:
        failed = ask(asked[0])
        assert (failed.finish_reason, failed.text) == ("error", "")
        assert "cannot be loaded" in failed.error
        assert ask(asked[1]).text == PARIS


class OtherBuild(LlamaServerEngine):
    """The real engine, whose native kernels seem to have failed."""

    @property
    def build(self) -> str:
        return f"{super().build} without kernels"


@pytest.mark.parametrize("crashes", [False, True])
def test_an_engine_that_is_started_later_is_also_of_the_same_build(crashes: bool) -> None:
    asked, started = items(FRANCE), list[LlamaServerEngine]()

    def start(name: str, settings: LoadSettings, **_: Any) -> LlamaServerEngine:
        started.append(OtherBuild(settings) if started else LlamaServerEngine(settings))
        return started[-1]

    with opened(asked, start) as ask:
        assert ask(asked[0]).text == PARIS
        if crashes:
            os.kill(started[0].pid, signal.SIGSEGV)
        (other,) = items(FRANCE if crashes else "qzxj " * 150)
        with pytest.raises(BuildChangedError, match="without kernels now, but was xllamacpp") as caught:
            ask(other)
        assert caught.value.build == started[1].build
