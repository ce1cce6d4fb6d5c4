"""An engine that goes down under several questions: the one that is at fault fails, the others are answered."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from phicli.bench.evaluation.items import read_items
from phicli.bench.evaluation.preparing import EvalOptions, prepare
from phicli.bench.evaluation.types import Item
from phicli.bench.measuring.surroundings import look_around
from phicli.bench.subjects import subjects
from phicli.commands.benching import asking
from phicli.commands.benching.asking import Asking
from phicli.commands.benching.gate import Gate
from phicli.errors import EngineError
from tests.support.processes import children

FRANCE, PARIS = "What is the capital of France?", "The capital of France is Paris."
WITHOUT_SPACE = "x" * 5_000_000  # llama.cpp's splitting of text recurses for each of these

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc, and ends them")


def items(*questions: str) -> tuple[Item, ...]:
    lines = [json.dumps({"question": text, "compare": "exact", "answer": "x", "max_tokens": 40}) for text in questions]
    return read_items("\n".join(lines).encode(), "test")


def opened(asked: tuple[Item, ...]) -> Asking:
    (subject,) = subjects(["tiny-phi"])
    return Asking(prepare(subject, asked, EvalOptions("arithmetic"), look_around()), EvalOptions("arithmetic"))


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads that last as long as a test: Linux ends an engine with the thread that started it."""
    with ThreadPoolExecutor(max_workers=4) as made:
        yield made


def test_a_question_that_crashes_the_engine_fails_alone(pool: ThreadPoolExecutor) -> None:
    asked = items(FRANCE, WITHOUT_SPACE, FRANCE, FRANCE)
    with opened(asked) as model:
        replies = list(pool.map(model.ask, asked))
        assert model.ask(asked[0]).text == PARIS
    assert [reply.text for reply in replies] == [PARIS, "", PARIS, PARIS]
    failed = replies[1]
    assert (failed.finish_reason, failed.failed) == ("error", True)
    assert "crashed" in failed.error
    assert "5,000,000 characters without a space" in failed.error


def test_a_crash_that_is_nobodys_fault_is_made_up_for(pool: ThreadPoolExecutor) -> None:
    asked = items(*["Count to forty"] * 4)
    with opened(asked) as model:
        (engine,) = children(os.getpid())
        threading.Timer(0.05, os.kill, (engine, signal.SIGSEGV)).start()
        replies = list(pool.map(model.ask, asked))
        deadline = time.monotonic() + 10
        while engine in children(os.getpid()) and time.monotonic() < deadline:
            model.ask(asked[0])
        assert engine not in children(os.getpid())
    assert len({reply.text for reply in replies}) == 1
    assert not any(reply.failed for reply in replies)


def test_an_engine_that_was_killed_is_not_started_again() -> None:
    """The system does that when memory runs out: another start would be killed as well."""
    asked = items(FRANCE)
    with opened(asked) as model:
        (engine,) = children(os.getpid())
        os.kill(engine, signal.SIGKILL)
        with pytest.raises(EngineError, match="killed"):
            model.ask(asked[0])
        assert children(os.getpid()) in ([], [engine])


def test_an_engine_that_crashes_at_everything_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_MOST_CRASHES", 2)
    asked = items(WITHOUT_SPACE, WITHOUT_SPACE + "y")
    with opened(asked) as model:
        assert model.ask(asked[0]).failed
        with pytest.raises(EngineError, match="crashed at 2 questions in a row"):
            model.ask(asked[1])


def test_a_crash_counts_in_a_row_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_MOST_CRASHES", 2)
    asked = items(WITHOUT_SPACE, FRANCE)
    with opened(asked) as model:
        for _ in range(2):
            assert model.ask(asked[0]).failed
            assert model.ask(asked[1]).text == PARIS


def test_a_question_that_the_engine_refuses_fails_alone() -> None:
    """A context that is longer than any memory, as far as the plan knows: the engine cannot load it."""
    asked = items("word " * 300, FRANCE)
    with opened(asked) as model:
        model._start = lambda size, slots, start=model._start: start(  # type: ignore[method-assign]
            size if size == model._prepared.context.first_tokens else 1 << 40, slots
        )
        failed = model.ask(asked[0])
        assert (failed.finish_reason, failed.text) == ("error", "")
        assert "cannot be loaded" in failed.error
        assert model.ask(asked[1]).text == PARIS


def test_who_works_alone_waits_for_the_others_and_goes_before_the_next() -> None:
    gate, order, inside = Gate(), [], threading.Event()
    leave = threading.Event()

    def first() -> None:
        with gate.together():
            inside.set()
            leave.wait(30)
            order.append("first")

    def alone() -> None:
        with gate.alone():
            order.append("alone")

    def second() -> None:
        with gate.together():
            order.append("second")

    threads = [threading.Thread(target=target) for target in (first, alone)]
    for thread in threads:
        thread.start()
        inside.wait(30)
    deadline = time.monotonic() + 30
    while not gate._wanting and time.monotonic() < deadline:
        time.sleep(0.001)
    threads.append(threading.Thread(target=second))
    threads[-1].start()
    leave.set()
    for thread in threads:
        thread.join(30)
    assert order == ["first", "alone", "second"]
