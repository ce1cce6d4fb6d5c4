"""Closing cancels an answer from any thread, and what was said is not lost."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import pytest

from phicli.answering.pool import whole
from phicli.answering.types import Answer, Answering, Event
from phicli.chat_format.types import Message, Piece
from phicli.engine.types import Sampling
from phicli.errors import EngineDiedError
from tests.answering.conftest import Workshop
from tests.support.waiting import wait_until_it_waits

ENDLESS = Sampling(temperature=0.0, ignore_eos=True)
GREEDY = Sampling(temperature=0.0)
QUESTION = "Count to forty"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="stops the engine's process")


def ask(shop: Workshop, text: str = QUESTION, sampling: Sampling = ENDLESS) -> Answering:
    return shop.model.answer([Message("user", text)], sampling=sampling)


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Piece) and event.kind == "text")


class Reader(threading.Thread):
    """Reads an answer; calls ``then`` and sets ``some`` once there are three pieces of it."""

    def __init__(self, answering: Answering, then: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.answering = answering
        self.then = then
        self.events: list[Event] = []
        self.some = threading.Event()
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            for event in self.answering:
                self.events.append(event)
                if sum(isinstance(one, Piece) for one in self.events) == 3:
                    self.then()
                    self.some.set()
        except EngineDiedError as error:
            self.error = error
        self.some.set()


def test_another_thread_closes_it_in_the_middle(shop: Workshop) -> None:
    answering = ask(shop)
    reader = Reader(answering, shop.stop)
    reader.start()
    assert reader.some.wait(60)
    wait_until_it_waits(reader)
    answering.close()
    reader.join(30)
    assert not reader.is_alive()
    shop.go_on()
    answer = answering.so_far()
    assert reader.error is None
    assert not any(isinstance(event, Answer) for event in reader.events)
    assert answer.finish_reason == "interrupted"
    assert answer.text.startswith(text_of(reader.events))
    assert answer.text
    assert answer.usage.completion_tokens >= 2
    assert answer.used_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert whole(ask(shop, sampling=GREEDY)).finish_reason == "stop"


def test_another_thread_closes_it_while_the_model_loads(shop: Workshop) -> None:
    answering = ask(shop)
    reader = Reader(answering)
    shop.loads_for_ever = True
    reader.start()
    wait_until_it_waits(reader)
    answering.close()
    reader.join(30)
    assert not reader.is_alive()
    shop.loads_for_ever = False
    shop.go_on()
    assert reader.error is None
    assert answering.so_far().finish_reason == "interrupted"
    assert whole(ask(shop, sampling=GREEDY)).finish_reason == "stop"


def test_closing_before_the_first_event_starts_nothing(shop: Workshop) -> None:
    answering = ask(shop)
    answering.close()
    answering.close()
    assert list(answering) == []
    assert shop.engines == []
    answer = answering.so_far()
    assert (answer.finish_reason, answer.text, answer.usage.prompt_tokens) == ("interrupted", "", 0)


def test_closing_in_the_same_thread_between_two_events(shop: Workshop) -> None:
    answering, seen = ask(shop), []
    while not text_of(seen):
        seen.append(next(answering))
    answering.close()
    assert list(answering) == []
    answer = answering.so_far()
    assert (answer.text, answer.finish_reason) == (text_of(seen), "interrupted")
    assert answer.token_ids is None


def test_closing_after_the_end_changes_nothing(shop: Workshop) -> None:
    answering = ask(shop, sampling=GREEDY)
    *_, answer = answering
    assert isinstance(answer, Answer)
    answering.close()
    assert answering.so_far() is answer
    assert answer.message == Message("assistant", answer.text, (), answer.token_ids)


def test_an_answer_so_far_can_be_looked_at_while_it_comes(shop: Workshop) -> None:
    answering, seen = ask(shop, sampling=GREEDY), []
    for event in answering:
        seen.append(event)
        if not isinstance(event, Answer):
            assert answering.so_far().text == text_of(seen)
            assert answering.so_far().finish_reason == "interrupted"
    assert answering.so_far().finish_reason == "stop"


def test_closing_the_model_ends_answers_with_an_error_and_starts_nothing_more(shop: Workshop) -> None:
    reader = Reader(ask(shop), shop.stop)
    reader.start()
    assert reader.some.wait(60)
    shop.go_on()
    shop.model.close()
    shop.model.close()
    reader.join(60)
    assert not reader.is_alive()
    started = len(shop.engines)
    with pytest.raises(EngineDiedError, match="closed"):
        list(ask(shop))
    assert len(shop.engines) == started
