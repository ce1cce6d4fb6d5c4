"""Conversations over the scripted engine: memory, interruption, failure."""

from __future__ import annotations

import json
import threading

import pytest

from phicli.answering.pool import whole
from phicli.answering.types import NO_ENDING
from phicli.chat.dialogue import Dialogue, Turn
from phicli.chat.importing import read_conversation
from phicli.chat.transfer import messages_data
from phicli.chat_format.types import Piece
from phicli.errors import ContextExceededError, EngineError
from tests.fakes.scripted_engine import ScriptedEngine
from tests.fakes.scripted_model import Lab, echo


def said(lab: Lab) -> list[tuple[str, str | None]]:
    """Questions and answers so far."""
    return [(turn.question, turn.answer.content if turn.answer else None) for turn in lab.session.dialogue.turns]


def test_an_answer_is_streamed_and_remembered() -> None:
    lab = Lab(echo, system="be loud")
    answer, events = lab.ask("hello")
    assert answer.text == "HELLO"
    assert answer.finish_reason == "stop"
    assert "".join(e.text for e in events if isinstance(e, Piece)) == "HELLO"
    assert said(lab) == [("hello", "HELLO")]
    assert lab.engines[0].prompts == ["<|system|>be loud<|end|><|user|>hello<|end|><|assistant|>"]


def test_the_next_question_is_put_into_other_words_once() -> None:
    lab = Lab(echo)
    lab.session.wording = lambda turn: Turn(f"<{turn.text}>")
    lab.ask("hello")
    lab.ask("more")
    assert said(lab) == [("<hello>", "<HELLO>"), ("more", "MORE")]


def test_the_second_turn_evaluates_only_what_is_new() -> None:
    lab = Lab(echo)
    first, _ = lab.ask("hello")
    second, _ = lab.ask("more")
    assert first.usage.cached_tokens == 0
    assert second.usage.cached_tokens == first.usage.prompt_tokens + len("HELLO")
    new_tokens = second.usage.prompt_tokens - second.usage.cached_tokens
    assert new_tokens == len("more") + 4  # <|end|> <|user|> … <|end|> <|assistant|>


def test_reasoning_is_apart_and_not_in_the_history() -> None:
    lab = Lab(lambda _: "<think>hm, 2+2</think>4<|end|>", reasoning=True)
    answer, _ = lab.ask("2+2?")
    assert (answer.reasoning, answer.text) == ("hm, 2+2", "4")
    lab.ask("again")
    assert "hm" not in lab.engines[0].prompts[1]


def test_no_way_back_into_a_conversation_brings_its_reasoning_along() -> None:
    """A second try, another question, an earlier place, an export that is imported, the last answer interrupted."""
    lab = Lab(lambda _: "<think>hm, 2+2</think>4<|end|>", reasoning=True)
    lab.session.facts = lambda answer, _: {"reasoning": answer.reasoning}
    lab.ask("2+2?")
    lab.ask("again")
    for answering in (lab.session.retry(), lab.session.edit("and again")):
        whole(answering)
    lab.session.undo()
    exported = json.dumps({"messages": messages_data(lab.session.dialogue)})
    assert "hm" in exported  # it is saved with the answer
    lab.session.become(read_conversation(exported.encode(), "here").dialogue)
    lab.ask("so?")
    halfway = lab.session.ask("what?")
    next(event for event in halfway if isinstance(event, Piece))
    halfway.close()
    lab.ask("then?")
    assert len(lab.engines[0].prompts) == 7
    assert not [prompt for prompt in lab.engines[0].prompts if "hm" in prompt or "think" in prompt]


def test_a_prompt_beyond_the_limit_is_an_error_and_is_not_sent_again() -> None:
    lab = Lab(echo, first=64, limit=128)
    with pytest.raises(ContextExceededError, match=r"203 tokens.*128"):
        lab.ask("y" * 199)
    assert said(lab) == [("y" * 199, None)]
    answer, _ = lab.ask("short")
    assert answer.text == "SHORT"
    assert "y" not in lab.engines[0].prompts[-1]


def test_closing_the_stream_keeps_what_was_said() -> None:
    lab = Lab(echo)
    events = lab.session.ask("hello")
    text = ""
    while len(text) < 2:
        event = next(events)
        text += event.text if isinstance(event, Piece) else ""
    events.close()
    assert lab.session.last is not None
    assert lab.session.last.finish_reason == "interrupted"
    assert lab.session.last.usage.completion_tokens == 2
    assert said(lab) == [("hello", "HE")]
    assert lab.engines[0].stopped_early == 1
    answer, _ = lab.ask("next")
    assert answer.text == "NEXT"


def test_another_thread_closes_the_stream_and_what_was_said_is_kept() -> None:
    lab, spoken = Lab(echo), threading.Event()
    answering = lab.session.ask("hello")

    def read() -> None:
        for event in answering:
            if isinstance(event, Piece) and event.text == "E":
                lab.engines[0].goes_on.clear()
                spoken.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert spoken.wait(30)
    answering.close()
    reader.join(30)
    assert not reader.is_alive()
    answering.close()
    lab.engines[0].goes_on.set()
    assert said(lab) == [("hello", "HE")]
    assert lab.session.last == answering.so_far()
    assert lab.ask("next")[0].text == "NEXT"


def test_after_an_error_the_question_has_no_answer_also_when_it_is_closed() -> None:
    lab = Lab(echo, make=lambda _: ScriptedEngine(echo, dies_after=2))
    answering = lab.session.ask("hello")
    with pytest.raises(EngineError, match="killed"):
        list(answering)
    answering.close()
    assert (said(lab), lab.session.last) == ([("hello", None)], None)
    assert answering.so_far().text == "HE"


def test_an_interruption_before_the_first_word_leaves_the_question() -> None:
    lab = Lab(echo)
    events = lab.session.ask("hello")
    next(events)
    events.close()
    assert said(lab) == [("hello", None)]


def test_a_dead_engine_is_replaced_on_the_next_turn() -> None:
    engines = iter([ScriptedEngine(echo, dies_after=2), ScriptedEngine(echo)])
    lab = Lab(echo, make=lambda _: next(engines))
    with pytest.raises(EngineError, match="killed"):
        lab.ask("hello")
    assert lab.engines[0].closed
    answer, _ = lab.ask("hello")
    assert answer.text == "HELLO"


def test_clear_forgets_the_turns_only() -> None:
    lab = Lab(echo, system="be loud")
    lab.ask("one")
    lab.session.clear()
    lab.ask("two")
    assert lab.engines[0].prompts[1] == "<|system|>be loud<|end|><|user|>two<|end|><|assistant|>"


def test_there_is_no_last_answer_where_turns_were_removed() -> None:
    lab = Lab(echo)
    lab.ask("one")
    lab.session.undo()
    assert lab.session.last is None
    lab.ask("two")
    assert lab.session.last is not None
    lab.session.become(Dialogue())
    assert lab.session.last is None


def test_there_is_no_last_answer_of_another_model() -> None:
    lab = Lab(echo)
    lab.ask("one")
    lab.session.use(lab.session.model, sampling=lab.session.sampling, ending=NO_ENDING)
    assert lab.session.last is None
    assert lab.session.dialogue.turns[-1].replies
