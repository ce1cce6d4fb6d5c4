"""The probabilities of the tokens of an answer."""

from __future__ import annotations

import itertools

import pytest

from phicli.answering.formed import FormedModel
from phicli.answering.likely_tokens import LikelyTokens
from phicli.answering.pool import whole
from phicli.chat_format.types import Message
from phicli.engine.logprobs import Likely, likely_of
from phicli.engine.types import Sampling
from phicli.errors import EngineError
from phicli.structured.grammars import choice_form
from tests.fakes.scripted_model import Lab

QUESTION = (Message("user", "Why?"),)
WITH_PROBABILITIES = Sampling(seed=1, likeliest=2)


def tokens_of(*texts: str) -> LikelyTokens:
    collected, place = LikelyTokens(), 0
    for text in texts:
        collected.add(place, (Likely(text),))
        place += len(text)
    return collected


def texts(generated: tuple[Likely, ...]) -> list[str]:
    return [one.text for one in generated]


def test_a_token_belongs_to_the_text_that_it_overlaps() -> None:
    words = tokens_of(" It", " is", " so", ".\n", "END")
    assert texts(words.of_answer(" It is so.\nEND", "", "It is so.\n")) == [" It", " is", " so", ".\n"]
    assert texts(words.of_answer(" It is so.\nEND", "", "It is s")) == [" It", " is", " so"]


def test_reasoning_and_its_tags_do_not_belong_to_the_text() -> None:
    words = tokens_of("<think>", "think", " Rome", "</think>", "\n", "think")
    assert texts(words.of_answer("<think>think Rome</think>\nthink", "think Rome", "think")) == ["think"]
    assert texts(words.of_answer("<think>think Rome</think>\nthink", "think Rome</think>\nthink", "")) == []


def test_a_text_in_parts_has_all_tokens_behind_the_reasoning() -> None:
    words = tokens_of("<think>", "why", "</think>", "a", "CALL", "b")
    assert texts(words.of_answer("<think>why</think>aCALLb", "why", "ab")) == ["a", "CALL", "b"]


def test_what_is_generated_again_counts_once() -> None:
    words = tokens_of("a", "b", "c")
    words.forget_from(1)
    words.add(1, (Likely("B"),))
    assert texts(words.of_answer("aB", "", "aB")) == ["a", "B"]


def test_an_answer_has_its_tokens_only_where_they_were_asked_for() -> None:
    lab = Lab(lambda _: "so it is<|end|>")
    answer = whole(lab.model.answer(QUESTION, sampling=WITH_PROBABILITIES))
    assert "".join(texts(answer.likely or ())) == answer.text == "so it is"
    assert whole(lab.model.answer(QUESTION, sampling=Sampling())).likely is None


def test_an_answer_that_outgrows_its_context_has_each_token_once() -> None:
    text = " ".join(str(number) for number in range(60))
    lab = Lab(lambda prompt: text[len(prompt.rsplit("<|assistant|>", 1)[1]) :] + "<|end|>", first=64, limit=1024)
    answer = whole(lab.model.answer(QUESTION, sampling=WITH_PROBABILITIES))
    assert len(lab.engines) > 1
    assert "".join(texts(answer.likely or ())) == answer.text == text


def test_attempts_of_samples_have_seeds_of_their_own() -> None:
    turn = itertools.cycle(["x", "y", "Rome"])
    lab = Lab(lambda _: next(turn) + "<|end|>")
    model = FormedModel(lab.model, choice_form("Rome,Oslo"), 2, seed_step=5)
    answer = whole(model.answer(QUESTION, sampling=WITH_PROBABILITIES))
    assert [one.seed for one in lab.engines[0].samplings] == [1, 6, 11]
    assert "".join(texts(answer.likely or ())) == "Rome"


def test_a_character_of_several_tokens_has_no_numbers() -> None:
    step = {"id": 7, "logprob": -0.25, "top_logprobs": [{"id": 7, "token": "a", "logprob": -0.25}]}
    reply = {"completion_probabilities": [step]}
    top = Likely("a", 7, -0.25)
    assert likely_of(reply, "a", 1, 1) == (Likely("a", 7, -0.25, (top,)),)
    assert likely_of(reply, "a", 1, 0) == (Likely("a", 7, -0.25),)
    assert likely_of(reply, "é", 2, 1) == (Likely("é"),)
    assert likely_of({}, "a", 1, 1) == (Likely("a"),)
    assert likely_of(reply, "", 1, 1) == ()


def test_numbers_that_are_none_are_an_error() -> None:
    step = {"id": 7, "logprob": None, "top_logprobs": []}
    with pytest.raises(EngineError, match="did not report the probability"):
        likely_of({"completion_probabilities": [step]}, "a", 1, 1)
