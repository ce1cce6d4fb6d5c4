"""Prompts as people can read them."""

from __future__ import annotations

from phicli.answering.prompt_parts import PromptPart, parts_of
from phicli.answering.special_tokens import SpecialTokens
from phicli.chat_format.types import Message, Special, Template, Text
from tests.fakes.scripted_engine import SPECIAL_IDS, spell
from tests.fakes.scripted_model import Lab, echo

SPECIALS = SpecialTokens({1: "<s>", 2: "<|end|>", 3: "<|en"})


def special(literal: str) -> PromptPart:
    return PromptPart(literal, special=True)


def text(words: str) -> PromptPart:
    return PromptPart(words, special=False)


def test_text_that_looks_like_a_special_token_is_text() -> None:
    parts = list(parts_of([Special("<|end|>"), Text("a <|end|>"), Text(" b"), Special("<|end|>")], SPECIALS, [2]))
    assert parts == [special("<|end|>"), text("a <|end|> b"), special("<|end|>")]


def test_special_tokens_of_a_template_are_found_the_longest_first() -> None:
    parts = list(parts_of([Template("x<|end|><|en y"), Text("<|end|>")], SPECIALS, [9]))
    assert parts == [text("x"), special("<|end|>"), special("<|en"), text(" y<|end|>")]
    assert list(parts_of([Template("x")], SpecialTokens({}), [9])) == [text("x")]


def test_an_optional_token_that_the_file_lacks_is_text() -> None:
    segments = [Text("a"), Special("<think>", optional=True), Special("<|end|>", optional=True)]
    assert list(parts_of(segments, SPECIALS, [9])) == [text("a<think>"), special("<|end|>")]


def test_the_token_that_a_file_begins_with_is_shown_once() -> None:
    assert list(parts_of([Text("a")], SPECIALS, [1, 9])) == [special("<s>"), text("a")]
    assert list(parts_of([Special("<s>"), Text("a")], SPECIALS, [1, 9])) == [special("<s>"), text("a")]
    assert list(parts_of([], SPECIALS, [])) == []


def test_the_prompt_of_a_model_is_what_it_would_get_and_nothing_is_generated() -> None:
    lab = Lab(echo, system="Be brief.")
    messages = [Message("system", "Be brief."), Message("user", "Hi <|end|>")]
    prompt = lab.model.prompt(messages, tools="[]")
    assert not lab.engines[0].prompts
    assert [part.text for part in prompt.parts if part.special] == [
        "<|system|>", "<|tool|>", "<|/tool|>", "<|end|>", "<|user|>", "<|end|>", "<|assistant|>",
    ]  # fmt: skip
    assert "".join(part.text for part in prompt.parts) == spell(prompt.token_ids)
    assert prompt.token_ids.count(SPECIAL_IDS["<|end|>"]) == 2
    assert len(prompt.token_ids) == lab.model.count(messages, tools="[]")
    assert list(lab.model.answer(messages, tools="[]", sampling=lab.session.sampling))
    assert lab.engines[0].prompts == [spell(prompt.token_ids)]
