"""Conversations longer than the context on the real engine: tiny-phi for meaning, SmolLM2 for real summaries."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.answering.opening import open_model
from phicli.answering.types import Answer, Notice
from phicli.chat.dialogue import Attachment, Dialogue
from phicli.chat.open import session_over
from phicli.chat.overflow import Overflow
from phicli.chat.session import ChatSession
from phicli.chat.settings import Chosen
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import Use
from phicli.plan.locate import locate

QUESTIONS = (
    "What is the capital of France?",
    "hello",
    "What is the capital of Italy?",
    "What is the capital of Spain?",
)
ASSISTANT = Dialogue("You are a helpful assistant.")


@contextlib.contextmanager
def session_with(model: str, context_tokens: int) -> Iterator[ChatSession]:
    options = ChatOptions(context_tokens=context_tokens, engine={"threads": 1})
    with open_model(locate(model), options, Use.CONVERSATION) as opened:
        session = session_over(opened)
        session.chosen = Chosen({"temperature": 0.0, "max-tokens": 60})
        yield session


def ask(session: ChatSession, text: str, *attachments: Attachment) -> tuple[Answer, list[str]]:
    *events, answer = session.ask(text, attachments)
    assert isinstance(answer, Answer)
    return answer, [event.text for event in events if isinstance(event, Notice)]


def test_after_a_drop_the_answer_is_that_of_a_conversation_without_the_turns(starts_process: None) -> None:
    with session_with("tiny-phi", 192) as session:
        session.fitting = Overflow("drop")
        for question in QUESTIONS * 3:
            answer, notices = ask(session, question)
            assert answer.used_tokens <= 192
            if notices:
                break
        dialogue = session.dialogue
        assert dialogue.left_out > 0
        session.become(replace(dialogue, turns=dialogue.turns[dialogue.left_out : -1], left_out=0))
        session.fitting = None
        again, _ = ask(session, dialogue.turns[-1].question)
        assert (again.text, again.usage.prompt_tokens) == (answer.text, answer.usage.prompt_tokens)


@pytest.mark.model
def test_a_real_model_summarizes_what_was_said_and_goes_on(starts_process: None, smollm2: Path) -> None:
    with session_with(str(smollm2), 512) as session:
        session.become(ASSISTANT)
        session.fitting = Overflow("summarize")
        told: list[str] = []
        for question in ("What is the capital of France?", "How do volcanoes work?", "How is bread made?") * 4:
            answer, notices = ask(session, question)
            assert answer.used_tokens <= 512
            told += notices
            if session.dialogue.summary:
                break
        assert session.dialogue.summary is not None
        assert len(session.dialogue.summary.split()) > 5
        assert answer.text
        assert told[0].startswith("summarizing ")
        assert told[-1].endswith(" are sent as a summary from now on")


@pytest.mark.model
def test_a_real_model_answers_from_the_summary_of_a_long_file(starts_process: None, smollm2: Path) -> None:
    text = "Paris is the capital of France and lies on the river Seine. It has two million people.\n" * 60
    with session_with(str(smollm2), 1024) as session:
        session.become(ASSISTANT)
        session.fitting = Overflow("summarize")
        answer, notices = ask(session, "Which city is the capital of France?", Attachment("france.txt", text))
        assert "Paris" in answer.text
        assert "in 3 pieces" in notices[1]
        assert answer.usage.prompt_tokens < 768
