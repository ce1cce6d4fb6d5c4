"""tiny-phi answers its fixed conversations exactly: through the prompt format, the encoder, the session and the engine.

A wrong role tag, a missing stop token, a forgotten special or the wrong rope factors would change the answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phicli.answering.encode import encode
from phicli.answering.model_file import special_tokens_of
from phicli.answering.opening import open_model
from phicli.answering.types import Answer
from phicli.chat.dialogue import Dialogue
from phicli.chat.open import session_over
from phicli.chat.session import ChatSession
from phicli.chat_format import format_by_name
from phicli.chat_format.types import Message, ToolCall
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import Chunk, Engine, LoadSettings, Sampling
from phicli.gguf_file.header import read_header
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import Use
from phicli.plan.locate import locate

CONVERSATIONS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "tiny_phi_conversations.json").read_text(encoding="utf-8")
)
SPOKEN = [c for c in CONVERSATIONS if not c["tools"] and all(m["role"] != "tool" for m in c["messages"])]


@pytest.fixture(scope="module")
def session(starts_process: None) -> Iterator[ChatSession]:
    """A session as `phi chat tiny-phi` opens it; tests clear it."""
    with open_model(locate("tiny-phi"), ChatOptions(engine={"threads": 1}), Use.ONE_ANSWER) as opened:
        yield session_over(opened)


@pytest.fixture(scope="module")
def engines(starts_process: None) -> Iterator[dict[int, Engine]]:
    """The engine at the original context and at the largest."""
    model = locate("tiny-phi").path
    running = {
        tokens: LlamaServerEngine(LoadSettings(model, tokens, EngineSettings(threads=1))) for tokens in (256, 1024)
    }
    yield dict(running)
    for engine in running.values():
        engine.close()


def ask(session: ChatSession, text: str) -> Answer:
    *_, answer = session.ask(text)
    assert isinstance(answer, Answer)
    return answer


def split(content: str) -> tuple[str, str]:
    """Reasoning and text of an expected answer."""
    if content.startswith("<think>"):
        reasoning, _, text = content.removeprefix("<think>").partition("</think>")
        return reasoning.strip(), text.strip()
    return "", content


def message(raw: dict[str, Any]) -> Message:
    calls = tuple(ToolCall(call["name"], call["arguments"]) for call in raw.get("tool_calls", ()))
    return Message(raw["role"], "" if calls else raw["content"], calls)


@pytest.mark.parametrize("conversation", SPOKEN, ids=lambda c: c["id"])
def test_a_conversation_as_a_person_would_have_it(session: ChatSession, conversation: dict[str, Any]) -> None:
    session.clear()
    session.become(Dialogue(conversation["system"]))
    turns = [m for m in conversation["messages"] if m["role"] != "system"]
    for question, expected in zip(turns[::2], turns[1::2], strict=True):
        answer = ask(session, question["content"])
        assert (answer.reasoning.strip(), answer.text) == split(expected["content"])
        assert answer.finish_reason == "stop"


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda c: c["id"])
def test_each_answer_after_the_expected_history(engines: dict[int, Engine], conversation: dict[str, Any]) -> None:
    """Tools included: the history is the expected one, so one wrong answer does not spoil the next."""
    prompt_format = format_by_name("phi-4-mini", reasoning=True)
    special = special_tokens_of(read_header(locate("tiny-phi").path))
    visible = special.ids_of(prompt_format.visible_tokens)
    messages = [message(raw) for raw in conversation["messages"]]
    for index, expected in enumerate(messages):
        if expected.role != "assistant":
            continue
        segments = prompt_format.render(messages[:index], tools=conversation["tools"])
        prompt = encode(segments, engines[256], special)
        room = len(engines[256].tokenize(conversation["messages"][index]["content"], parse_special=True))
        engine = engines[256 if len(prompt) + room < 256 else 1024]
        parser = prompt_format.parser(tools=conversation["tools"] is not None)
        pieces = []
        for event in engine.generate(prompt, Sampling(), visible_tokens=visible):
            if isinstance(event, Chunk):
                pieces += parser.feed(event.text)
        pieces += parser.finish()
        text = "".join(piece.text for piece in pieces if piece.kind == "text")
        assert parser.tool_calls == expected.tool_calls
        assert text == ("" if expected.tool_calls else split(expected.content)[1])


def test_the_second_turn_reads_only_what_is_new(session: ChatSession) -> None:
    session.clear()
    session.become(Dialogue())
    first = ask(session, "What is the capital of France?")
    second = ask(session, "And of Italy?")
    assert "Rome" in second.text
    assert second.usage.cached_tokens == first.used_tokens - 1  # all but the end token, which the format adds itself
    assert second.usage.prompt_tokens - second.usage.cached_tokens < 12


@pytest.mark.process
def test_a_conversation_beyond_the_original_context_moves_and_goes_on() -> None:
    with open_model(locate("tiny-phi"), ChatOptions(engine={"threads": 1}), Use.CONVERSATION) as opened:
        session = session_over(opened)
        sizes = set()
        for _ in range(16):
            answer = ask(session, "What is the capital of France?")
            assert answer.text == "The capital of France is Paris."
            sizes.add(answer.context_tokens)
        assert {256, 512} <= sizes
