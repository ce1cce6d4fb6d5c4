"""Random conversations to other formats and back."""

from __future__ import annotations

import io
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phicli.training_data.converting import Converting, ConvertOptions
from phicli.training_data.source import Source
from tests.training_data.examples import DECLARED, called

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00\ufeff"), min_size=1, max_size=30).filter(
    str.strip
)
ARGUMENTS = st.dictionaries(st.text("abc", min_size=1), st.none() | st.booleans() | st.integers() | st.text(max_size=5))


def converted(data: bytes, target: str = "messages", source_format: str | None = None, name: str = "x.jsonl") -> bytes:
    parts: list[bytes] = []
    converting = Converting(ConvertOptions(source_format, target), parts.append)
    converting.convert(Source(name, io.BytesIO(data), len(data)))
    made = converting.result(None)
    assert made.left_out == 0, made.findings.kept()
    return b"".join(parts)


def lines(examples: list[Any]) -> bytes:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in examples).encode()


def read(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.decode().split("\n") if line]


def said(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


@st.composite
def turns(draw: st.DrawFn, most: int) -> dict[str, Any]:
    """A conversation of plain turns, with or without a system message."""
    messages = [said("system", draw(TEXT))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, most))):
        messages += [said("user", draw(TEXT)), said("assistant", draw(TEXT))]
    return {"messages": messages}


@st.composite
def tool_turns(draw: st.DrawFn) -> dict[str, Any]:
    """A conversation in which tools are called, one or several at a time."""
    messages, count = [said("system", draw(TEXT))] if draw(st.booleans()) else [], 0
    for _ in range(draw(st.integers(1, 3))):
        messages.append(said("user", draw(TEXT)))
        if number := draw(st.integers(0, 2)):
            arguments = [json.dumps(draw(ARGUMENTS), ensure_ascii=False) for _ in range(number)]
            calls = [called(known=f"call_{count + n}", arguments=one) for n, one in enumerate(arguments, 1)]
            messages.append({"role": "assistant", "content": "", "tool_calls": calls})
            messages += [{"role": "tool", "content": draw(TEXT), "tool_call_id": call["id"]} for call in calls]
            count += number
        messages.append(said("assistant", draw(TEXT)))
    return {"messages": messages, "tools": DECLARED}


def lists(of: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(of, min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(lists(turns(3)))
@pytest.mark.parametrize("target", ["messages", "openai", "azure", "sharegpt", "alpaca"])
def test_plain_conversations_come_back(target: str, examples: list[Any]) -> None:
    assert read(converted(converted(lines(examples), target))) == examples


@settings(max_examples=60, deadline=None)
@given(lists(turns(1)))
def test_single_turns_come_back_from_a_table_and_from_pairs(examples: list[Any]) -> None:
    assert read(converted(converted(lines(examples), "csv"), name="x.csv")) == examples
    assert read(converted(converted(lines(examples), "trl"))) == examples


@settings(max_examples=60, deadline=None)
@given(lists(tool_turns()))
@pytest.mark.parametrize("target", ["messages", "openai", "azure", "sharegpt"])
def test_conversations_with_tools_come_back(target: str, examples: list[Any]) -> None:
    assert read(converted(converted(lines(examples), target))) == examples


@settings(max_examples=40, deadline=None)
@given(lists(turns(3) | tool_turns()))
def test_pairs_are_the_same_after_a_second_trip(examples: list[Any]) -> None:
    pairs = converted(lines(examples), "trl")
    answers = sum(one["role"] == "assistant" for example in examples for one in example["messages"])
    assert len(read(pairs)) == answers, "one for each answer"
    assert converted(converted(pairs), "trl") == pairs


@settings(max_examples=40, deadline=None)
@given(lists(turns(3)), st.sampled_from([None, 1, 4]), st.integers(0, 1 << 30))
def test_a_list_and_objects_over_several_lines_are_read_as_lines_are(
    examples: list[Any], indent: int | None, seed: int
) -> None:
    text = json.dumps(examples, indent=indent, ensure_ascii=bool(seed % 2))
    assert read(converted(text.encode())) == examples
    joined = "\n".join(json.dumps(one, indent=indent) for one in examples)
    assert read(converted(joined.encode())) == examples


def test_values_that_are_longer_than_what_is_read_at_a_time() -> None:
    rng = random.Random(3)
    examples = [
        {"messages": [said("user", "".join(rng.choices('ab"\\é\n', k=400_000))), said("assistant", str(number))]}
        for number in range(4)
    ]
    assert read(converted(json.dumps(examples, indent=2).encode())) == examples
    assert read(converted(json.dumps(examples, ensure_ascii=False).encode("utf-8-sig"))) == examples
