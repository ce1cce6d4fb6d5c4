"""Tokens of examples: as the engine counts them, in the format that the model is trained in."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phicli.answering.encode import text_ids
from phicli.answering.local_model import LocalModel
from phicli.answering.opening import open_model
from phicli.answering.own_tokenizer import own_tokenizer
from phicli.chat_format.types import Special
from phicli.errors import UsageError
from phicli.finetune.examples import PairMaker
from phicli.gguf_file.header import read_header
from phicli.plan.chat_options import ChatOptions
from phicli.plan.identify import FormatChoice
from phicli.plan.load import Use
from phicli.plan.locate import locate
from phicli.tools.declared import declared_for
from phicli.training_data.conversation import conversation_of
from phicli.training_data.counting import EngineCounter, ExampleCounter, open_counter
from tests.support.tokenizing import StartEngine
from tests.support.vocabularies import byte_level, sentencepiece, write
from tests.training_data.examples import GOOD, OF_THE_CARD, THINKING, WITH_TOOLS, checked, errors, line, numbered

TEXTS = [
    "What is the capital of France?", "Où est Orléans? 東京 🙂 Ελλάδα", "  spaces   and\n\n\nlines\t\t",
    "<|end|> and </s>", "CamelCase snake_case 12345678", "\u200b\u0301e", "a" * 300,
]  # fmt: skip


def example(text: str) -> dict[str, Any]:
    return {
        "messages": [*GOOD["messages"][:1], {"role": "user", "content": text}, {"role": "assistant", "content": text}]
    }


@pytest.mark.process
def test_tiny_phi_counts_as_its_engine_does() -> None:
    located = locate("tiny-phi")
    with open_counter(located) as counter, open_model(located, ChatOptions(), Use.CONVERSATION) as opened:
        assert isinstance(counter, ExampleCounter)
        model: LocalModel = opened.model
        theirs = EngineCounter(located, read_header(located.path), "phi-4-mini", model.given_answer)
        for one in (GOOD, WITH_TOOLS, OF_THE_CARD, THINKING, *map(example, TEXTS)):
            assert counter.count(one) == theirs.count(one), one
            said = conversation_of(one)
            tools = declared_for("phi-4-mini", said.tools) if said.tools else None
            if one is not THINKING:  # in a prompt, reasoning of earlier answers is left out
                assert counter.count(one) == len(model.prompt(said.messages, tools=tools).token_ids) + 1


VOCABULARIES = {
    "o200k": byte_level("control"),
    "o200k with runs of spaces": byte_level("user_defined"),
    "cl100k": byte_level("normal", pre="dbrx"),
    "gpt-2": byte_level("control", pre="gpt-2"),
    "phi-3": sentencepiece("control", name="Phi-3"),
    "another SentencePiece": sentencepiece("user_defined", name="other"),
}


@pytest.mark.process
@pytest.mark.parametrize("name", VOCABULARIES)
def test_our_tokenizer_is_the_engine_s(name: str, tokenizing_engine: StartEngine) -> None:
    vocabulary = VOCABULARIES[name]
    engine = tokenizing_engine(vocabulary)
    header = read_header(engine.settings.model_path)
    mine = own_tokenizer(header)
    assert mine is not None
    rng = random.Random(5)
    words = [
        "the",
        "end",
        "user",
        "capital",
        "France",
        "Paris",
        "you",
        "are",
        "",
        "\n",
        "weather",
        "city.",
        "12",
        "<|",
        "|>",
        "é",
    ]
    for text in ["What is the capital of France?", *(" ".join(rng.choices(words, k=12)) for _ in range(60))]:
        ours = text_ids(text, mine, vocabulary.special_tokens, inside=False)
        assert ours == text_ids(text, engine, vocabulary.special_tokens, inside=False), text


def counter_of(name: str, *, reasoning: bool) -> ExampleCounter:
    located = locate("tiny-phi")
    header = read_header(located.path)
    tokenizer = own_tokenizer(header)
    assert tokenizer is not None
    return ExampleCounter(located, header, FormatChoice(name, reasoning), tokenizer)


def text_in(name: str, one: dict[str, Any], *, reasoning: bool = False) -> str:
    said = conversation_of(one)
    tools = declared_for(name, said.tools) if said.tools else None
    segments = counter_of(name, reasoning=reasoning)._segments(said.messages, tools)
    return "".join(part.literal if isinstance(part, Special) else part.text for part in segments)


def test_what_is_counted_is_what_a_model_is_trained_with() -> None:
    assert text_in("phi-4-mini", GOOD) == (
        "<|system|>You are a helpful assistant.<|end|><|user|>What is the capital of France?<|end|>"
        "<|assistant|>The capital of France is Paris.<|end|>"
    )
    assert text_in("phi-3", GOOD) == (
        "<|system|>\nYou are a helpful assistant.<|end|>\n<|user|>\nWhat is the capital of France?<|end|>\n"
        "<|assistant|>\nThe capital of France is Paris.<|end|>"
    )
    assert text_in("phi-4", GOOD) == (
        "<|im_start|>system<|im_sep|>You are a helpful assistant.<|im_end|><|im_start|>user<|im_sep|>What is the "
        "capital of France?<|im_end|><|im_start|>assistant<|im_sep|>The capital of France is Paris.<|im_end|>"
    )
    assert text_in("phi-4-mini", OF_THE_CARD).endswith(
        '<|assistant|><|tool_call|>[{"name": "get_weather", "arguments": {"city": "Rome"}}]<|/tool_call|><|end|>'
        "<|tool_response|>22<|end|><|assistant|>22 degrees.<|end|>"
    )


def test_reasoning_of_the_last_answer_counts_and_that_of_others_does_not() -> None:
    assert text_in("phi-4", THINKING, reasoning=True) == (
        "<|im_start|>user<|im_sep|>What is 6 times 7?<|im_end|><|im_start|>assistant<|im_sep|>42<|im_end|>"
        "<|im_start|>user<|im_sep|>And 6 times 8?<|im_end|><|im_start|>assistant<|im_sep|>"
        "<think>\n6 times 8 is 48.\n</think>\n\n48<|im_end|>"
    )


@pytest.mark.parametrize("tags", [{}, {500: "<think>", 501: "</think>"}])
def test_it_counts_the_tokens_that_are_trained_on(tags: dict[int, str]) -> None:
    """Those of ``phi finetune``; in a vocabulary that has them, the tags around reasoning are one token each."""
    counter = counter_of("phi-4-mini", reasoning=True)
    specials = replace(counter._specials, literals={**counter._specials.literals, **tags})
    counter._specials = specials
    maker = PairMaker("phi-4-mini", counter._tokenizer, specials, reasoning=True)
    for one in (GOOD, WITH_TOOLS, OF_THE_CARD, THINKING):
        *_, last = maker.pairs_of(one)
        assert counter.count(one) == len(last.ids)
        if one is THINKING:
            assert tags.keys() <= {*last.ids}


def test_a_format_without_tools_is_an_error_with_its_line() -> None:
    counter = counter_of("phi-3", reasoning=False)
    with pytest.raises(UsageError, match="does not support tools"):
        counter.count(WITH_TOOLS)


def test_examples_that_exceed_the_context() -> None:
    with open_counter(locate("tiny-phi")) as tiny:
        assert isinstance(tiny, ExampleCounter)
        long = example("word " * 1000)
        report = checked(b"".join([*numbered(10), line(long), line(GOOD)]), counter=tiny)
    assert [(one.kind, one.line) for one in errors(report)] == [("too_long", 11)]
    assert report.tokens is not None
    assert (report.tokens.over, len(report.tokens.counts)) == (1, 12)


def test_quantiles_and_ranges() -> None:
    with open_counter(locate("tiny-phi")) as counter:
        report = checked(b"".join(line(example(f"{number} " * number)) for number in range(1, 41)), counter=counter)
    tokens = report.tokens
    assert tokens is not None
    ordered = sorted(tokens.counts)
    assert (tokens.quantile(0.5), tokens.quantile(0.95)) == (ordered[19], ordered[37])
    ranges = tokens.histogram()
    assert (ranges[0][0], ranges[-1][1], sum(many for _, _, many in ranges)) == (ordered[0], ordered[-1], 40)
    assert all(low == before[1] + 1 for before, (low, _, _) in itertools.pairwise(ranges))
    for low, high, many in ranges:
        assert many == sum(low <= count <= high for count in ordered)


@pytest.mark.process
def test_a_vocabulary_that_only_the_engine_knows_is_counted_by_it(tmp_path: Path) -> None:
    counts = []
    for pre, kind in [("qwen2", EngineCounter), ("dbrx", ExampleCounter)]:
        path = write(tmp_path / f"{pre}.gguf", byte_level("control", pre=pre))
        with open_counter(locate(str(path))) as counter:
            assert isinstance(counter, kind)
            assert (counter.format, counter.context_tokens) == ("phi-4", 512)
            report = checked(
                b"".join([line(GOOD), line(example("What is the end of the tool call?")), line(THINKING)]),
                counter=counter,
            )
        assert report.tokens is not None
        counts.append(list(report.tokens.counts))
    assert counts[0] == counts[1]
