"""Several answers at a time on one engine: none of them sees anything of another, whatever happens to it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from phicli.answering.pool import whole
from phicli.answering.types import Answer, Answering, Notice
from phicli.chat_format.types import Message, Piece
from phicli.engine.types import Sampling
from phicli.errors import ContextExceededError, EngineDiedError
from phicli.plan.context import ContextPlan
from tests.answering.conftest import SLOTS, Source, Workshop, tiny_phi

GREEDY = Sampling(temperature=0.0)
LONG = ("Count to forty", "Write a poem", "List the planets", "Write a Python function that adds two numbers")


def ask(shop: Workshop, text: str, *, max_tokens: int | None = None) -> Answering:
    return shop.model.answer([Message("user", text)], sampling=Sampling(temperature=0.0, max_tokens=max_tokens))


def test_one_of_four_closes_early_and_the_others_end_as_if_they_were_alone(pool_shop: Workshop) -> None:
    alone = [whole(ask(pool_shop, text)) for text in LONG]
    assert len({answer.text for answer in alone}) == len(LONG)
    answerings = [ask(pool_shop, text) for text in LONG]
    together = threading.Barrier(SLOTS)

    def read(place: int) -> Answer:
        together.wait(30)
        pieces = 0
        for event in answerings[place]:
            pieces += isinstance(event, Piece)
            if place == 1 and pieces == 3:
                answerings[place].close()
        return answerings[place].so_far()

    with ThreadPoolExecutor(SLOTS) as threads:
        answers = list(threads.map(read, range(SLOTS)))
    assert answers[1].finish_reason == "interrupted"
    assert 0 < len(answers[1].text) < len(alone[1].text)
    assert alone[1].text.startswith(answers[1].text)
    for place in (0, 2, 3):
        assert (answers[place].text, answers[place].finish_reason) == (alone[place].text, alone[place].finish_reason)
    assert len([engine for engine in pool_shop.engines if engine.context_tokens == 256]) == 1
    assert whole(ask(pool_shop, LONG[1])).text == alone[1].text


def test_an_answer_that_outgrows_its_slot_gets_an_engine_of_its_own(pool_shop: Workshop) -> None:
    answering = ask(pool_shop, "qzxj " * 100, max_tokens=5)
    notices = [event for event in answering if isinstance(event, Notice)]
    assert "no longer fits into 256 tokens" in notices[0].text
    assert answering.so_far().context_tokens in (512, 1024)
    assert whole(ask(pool_shop, "Hello", max_tokens=5)).context_tokens == 256
    assert len(pool_shop.engines) == 2, "both stay"


def test_a_question_beyond_the_limit_is_refused_and_the_others_go_on(pool_shop: Workshop) -> None:
    with pytest.raises(ContextExceededError, match="1024"):
        whole(ask(pool_shop, "word " * 3000))
    assert whole(ask(pool_shop, "Hello", max_tokens=5)).text


def test_more_answers_than_slots_wait_for_their_turn(pool_shop: Workshop) -> None:
    with ThreadPoolExecutor(3 * SLOTS) as threads:
        texts = list(threads.map(lambda text: whole(ask(pool_shop, text, max_tokens=20)).text, 3 * LONG))
    assert texts[:SLOTS] == texts[SLOTS : 2 * SLOTS] == texts[2 * SLOTS :]


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", ["SIGSEGV", "SIGKILL"])
def test_an_engine_that_dies_is_told_to_every_answer_and_the_next_one_gets_another(number: str) -> None:
    shop = Workshop(tiny_phi, pool=True, context=ContextPlan(1024, 1024))
    endless = Sampling(temperature=0.0, ignore_eos=True)
    answerings = [shop.model.answer([Message("user", text)], sampling=endless) for text in LONG]
    began, stopped = threading.Barrier(SLOTS + 1), threading.Event()

    def read(answering: Answering) -> EngineDiedError:
        next(answering)
        began.wait(30)
        stopped.wait(30)
        with pytest.raises(EngineDiedError) as caught:
            list(answering)
        return caught.value

    try:
        shop.model.wait_ready()
        with ThreadPoolExecutor(SLOTS) as threads:
            failing = [threads.submit(read, answering) for answering in answerings]
            began.wait(30)
            shop.stop()
            stopped.set()
            os.kill(shop.engines[0].pid, getattr(signal, number))
            shop.go_on()
            assert {one.result(60).crashed for one in failing} == {number == "SIGSEGV"}
        assert all(answering.so_far().finish_reason == "interrupted" for answering in answerings)
        assert whole(ask(shop, "What is the capital of France?")).text == "The capital of France is Paris."
        assert len(shop.engines) == 2
    finally:
        shop.close()


def test_closing_the_pool_ends_questions_with_an_error(source: Source) -> None:
    shop = Workshop(source, pool=True)
    shop.loads_for_ever = True
    try:
        with ThreadPoolExecutor(2) as threads:
            asked = [threads.submit(shop.model.ask, lambda: ask(shop, "Hello")) for _ in range(2)]
            shop.started.wait(30)
            shop.go_on()
            shop.model.close()
            for one in asked:
                error = one.exception(60)
                assert error is None or (isinstance(error, EngineDiedError) and not error.crashed)
        with pytest.raises(EngineDiedError, match="closed"):
            shop.model.ask(lambda: ask(shop, "Hello"))
        assert len(shop.engines) == 1
    finally:
        shop.close()
