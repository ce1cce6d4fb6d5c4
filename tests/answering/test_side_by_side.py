"""Several engines with one file: started once, handed out while another starts, ended only when nobody uses them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from phicli.answering.side_by_side import EnginesSideBySide
from phicli.engine.types import LocalEngine
from phicli.errors import DoesNotFitError, EngineDiedError
from tests.fakes.scripted_engine import ScriptedEngine

WAIT_S = 30


class Bench:
    """Engines whose starts can be held up."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.used_engines: list[LocalEngine] = []
        self.ended_engines: list[LocalEngine] = []
        self.refusal: DoesNotFitError | None = None
        self.begun, self.goes_on = threading.Event(), threading.Event()
        self.goes_on.set()
        self.engines = EnginesSideBySide(self.start, 256, 4, watch=self)

    def start(self, context_tokens: int, slots: int) -> LocalEngine:
        self.asked.append((context_tokens, slots))
        self.begun.set()
        self.goes_on.wait(WAIT_S)
        if self.refusal is not None:
            raise self.refusal
        return cast(LocalEngine, ScriptedEngine(str, context_tokens=context_tokens))

    def used(self, engine: LocalEngine) -> None:
        self.used_engines.append(engine)

    def ended(self, engine: LocalEngine) -> None:
        self.ended_engines.append(engine)


def test_answers_that_want_the_same_context_share_one_start() -> None:
    bench = Bench()
    bench.goes_on.clear()
    with ThreadPoolExecutor(4) as threads:
        wanted = [threads.submit(bench.engines.with_context, 512, None) for _ in range(4)]
        bench.begun.wait(WAIT_S)
        bench.goes_on.set()
        assert len({id(one.result(WAIT_S)) for one in wanted}) == 1
    assert bench.asked == [(512, 1)]
    assert len(bench.used_engines) == 4


def test_an_engine_that_starts_holds_up_no_answer_of_another() -> None:
    bench = Bench()
    usual = bench.engines.running(None)
    bench.begun.clear()
    bench.goes_on.clear()
    with ThreadPoolExecutor(1) as threads:
        larger = threads.submit(bench.engines.with_context, 512, None)
        bench.begun.wait(WAIT_S)
        assert bench.engines.running(None) is usual
        bench.goes_on.set()
        assert larger.result(WAIT_S) is not usual


def test_a_start_that_is_refused_is_tried_again_by_the_next_answer() -> None:
    bench = Bench()
    bench.refusal = DoesNotFitError("too large")
    with pytest.raises(DoesNotFitError):
        bench.engines.with_context(512, None)
    bench.refusal = None
    assert bench.engines.with_context(512, None).context_tokens == 512


def test_only_the_engines_that_are_named_end() -> None:
    bench = Bench()
    usual, larger = bench.engines.running(None), bench.engines.with_context(512, None)
    assert bench.engines.end(lambda engine: engine.context_tokens > 256) == 1
    assert bench.ended_engines == [larger]
    assert bench.engines.running(None) is usual
    assert bench.engines.with_context(512, None) is not larger


def test_an_engine_that_starts_while_all_are_closed_ends_at_once() -> None:
    bench = Bench()
    bench.goes_on.clear()
    with ThreadPoolExecutor(1) as threads:
        starting = threads.submit(bench.engines.with_context, 512, None)
        bench.begun.wait(WAIT_S)
        bench.engines.close()
        bench.goes_on.set()
        assert isinstance(starting.exception(WAIT_S), EngineDiedError)
    assert [cast(ScriptedEngine, engine).closed for engine in bench.ended_engines] == [True]
    assert bench.engines.started() == ()
