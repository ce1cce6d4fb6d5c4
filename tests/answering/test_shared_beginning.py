"""The beginning that many prompts have in common: found as token ids, and given to each engine once."""

from __future__ import annotations

import errno
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from phicli.answering.shared_beginning import SharedBeginning, common_beginning
from phicli.answering.side_by_side import EnginesSideBySide
from phicli.engine.closable import Closable, Closing
from phicli.engine.types import LocalEngine
from phicli.errors import EngineDiedError, EngineError
from tests.fakes.scripted_engine import ScriptedEngine

BEGINNING = tuple(range(100, 200))
WAIT_S = 30


class SlotsEngine(ScriptedEngine):
    """A scripted engine that can share a beginning, or raises ``error``; it does so only while ``may_share`` is set."""

    def __init__(self, error: Exception | None = None, context_tokens: int = 256) -> None:
        super().__init__(str, context_tokens=context_tokens)
        self.error = error
        self.shared: list[tuple[int, ...]] = []
        self.begun, self.may_share = threading.Event(), threading.Event()
        self.may_share.set()

    def share(self, beginning: Sequence[int], path: Path, closing: Closing | None = None) -> None:
        del closing
        path.write_text("a state")
        self.shared.append(tuple(beginning))
        self.begun.set()
        assert self.may_share.wait(WAIT_S)
        if self.error is not None:
            raise self.error


def given(folder: Path, state_bytes: int = 1000) -> SharedBeginning:
    made = SharedBeginning(folder, lambda _: state_bytes)
    made.begin_with(BEGINNING)
    return made


class Engines:
    """Engines side by side, the first of which are those that are given."""

    def __init__(self, folder: Path, *first: ScriptedEngine, state_bytes: int = 1000) -> None:
        self.started: list[ScriptedEngine] = []
        self._first = list(first)
        self.engines = EnginesSideBySide(self._start, 256, 4, beginning=given(folder, state_bytes))

    def _start(self, context_tokens: int, slots: int) -> LocalEngine:
        del slots
        self.started.append(self._first.pop(0) if self._first else SlotsEngine(context_tokens=context_tokens))
        return cast(LocalEngine, self.started[-1])


@pytest.mark.parametrize(
    ("prompts", "context_tokens", "found"),
    [
        ([(*BEGINNING, 1), (*BEGINNING, 2), (*BEGINNING, 1, 2)], 256, BEGINNING),
        ([(*BEGINNING, 1)] * 2, 256, BEGINNING),
        ([BEGINNING, BEGINNING], 256, BEGINNING[:-1]),
        ([(*BEGINNING, 1), (*BEGINNING, 2), BEGINNING[:70]], 256, BEGINNING[:69]),
        ([(*BEGINNING, 1), (*BEGINNING, *range(200))], 256, ()),
        ([(*BEGINNING, 1), (*BEGINNING, 2), (*BEGINNING, *range(200))], 256, BEGINNING),
        ([(*BEGINNING, 1), (*BEGINNING, 2), ()], 256, BEGINNING),
        ([(*BEGINNING, 1)], 256, ()),
        ([(*BEGINNING[:63], 1), (*BEGINNING[:63], 2)], 256, ()),
        ([(*BEGINNING[:64], 1), (*BEGINNING[:64], 2)], 256, BEGINNING[:64]),
        ([(1, *BEGINNING), (2, *BEGINNING)], 256, ()),
        ([], 256, ()),
    ],
)
def test_the_beginning_is_what_all_prompts_that_fit_share(
    prompts: list[tuple[int, ...]], context_tokens: int, found: tuple[int, ...]
) -> None:
    assert common_beginning(prompts, context_tokens) == found


def test_it_is_given_once_and_before_any_answer_has_the_engine(tmp_path: Path) -> None:
    engine = SlotsEngine()
    engine.may_share.clear()
    side = Engines(tmp_path, engine)
    with ThreadPoolExecutor(4) as threads:
        wanted = [threads.submit(side.engines.running, None) for _ in range(4)]
        assert engine.begun.wait(WAIT_S)
        assert not any(one.done() for one in wanted)
        engine.may_share.set()
        assert [one.result(WAIT_S) for one in wanted] == [engine] * 4
    assert engine.shared == [BEGINNING]
    assert list(tmp_path.iterdir()) == [], "the state is deleted at once"


def test_an_answer_that_waits_for_it_can_be_closed(tmp_path: Path) -> None:
    shared, engine, waits = given(tmp_path), SlotsEngine(), threading.Event()
    engine.may_share.clear()

    def waiting(closing: Closing) -> Generator[str, None, None]:
        waits.set()
        shared.give(cast(LocalEngine, engine), closing)
        yield "it has the engine"

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(shared.give, cast(LocalEngine, engine), None)
        assert engine.begun.wait(WAIT_S)
        answer = Closable(waiting)
        second = threads.submit(list, answer)
        assert waits.wait(WAIT_S)
        answer.close()
        assert second.result(WAIT_S) == []
        assert not first.done()
        engine.may_share.set()
        first.result(WAIT_S)


def test_an_engine_that_replaces_another_gets_it_too(tmp_path: Path) -> None:
    side = Engines(tmp_path)
    first = side.engines.running(None)
    side.engines.failed(first, EngineDiedError("it crashed"))
    second = side.engines.running(None)
    assert first is not second
    assert [cast(SlotsEngine, engine).shared for engine in side.started] == [[BEGINNING], [BEGINNING]]


def test_an_engine_that_dies_of_it_is_replaced_by_one_that_does_not_get_it(tmp_path: Path) -> None:
    side = Engines(tmp_path, SlotsEngine(EngineDiedError("it crashed")))
    assert side.engines.running(None) is side.started[1]
    assert [cast(SlotsEngine, engine).shared for engine in side.started] == [[BEGINNING], []]
    assert side.started[0].closed


@pytest.mark.parametrize("error", [EngineError("refused"), OSError(errno.ENOSPC, "no space left on device")])
def test_an_engine_that_cannot_save_or_restore_it_is_used_as_it_is(tmp_path: Path, error: Exception) -> None:
    side = Engines(tmp_path, SlotsEngine(error))
    assert side.engines.running(None) is side.engines.running(None) is side.started[0]
    assert cast(SlotsEngine, side.started[0]).shared == [BEGINNING]
    assert list(tmp_path.iterdir()) == []


def test_without_room_for_its_state_or_a_folder_nothing_is_evaluated_before_the_first_answer(tmp_path: Path) -> None:
    for side in (Engines(tmp_path, state_bytes=1 << 60), Engines(tmp_path / "gone")):
        side.engines.running(None)
        assert cast(SlotsEngine, side.started[0]).shared == []


def test_larger_contexts_have_nothing_to_share(tmp_path: Path) -> None:
    side = Engines(tmp_path)
    side.engines.with_context(512, None)
    assert cast(SlotsEngine, side.started[0]).shared == []


def test_an_engine_that_cannot_share_is_used_as_it_is(tmp_path: Path) -> None:
    engine = ScriptedEngine(str, context_tokens=256)
    assert Engines(tmp_path, engine).engines.running(None) is engine
