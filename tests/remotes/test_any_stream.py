"""Whatever bytes a remote sends, there is an answer or an error in words."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from phicli.answering.types import Answer, Ending
from phicli.engine.endpoint.address import read_address
from phicli.engine.endpoint.deltas import Delta
from phicli.engine.endpoint.events import Reader, as_stream
from phicli.engine.endpoint.failures import EndpointError
from phicli.engine.types import Sampling
from phicli.remotes.draft import RemoteDraft
from phicli.remotes.kinds import KINDS
from phicli.remotes.request import RemoteRequest
from tests.support.remote_products import Script, stream_of
from tests.support.remotes import HELLO

HERE = read_address("http://127.0.0.1:1/v1", {})
SCRIPTS = (
    Script(reasoning=("The user", " asks."), text=("It", " is 🦙", "<th", "ink>", "sunny", "</think>", ".")),
    Script(calls=(("add", {"x": 1, "deep": {"list": [1, None, "ü"]}}), ("other", {}))),
    Script(text=('<|tool_call|>[{"name": "add", "argu', 'ments": {"x": ', "1}}]")),
)
STRANGE: tuple[Any, ...] = (
    None, True, -1, 0, 10**40, 1e308, float("nan"), float("inf"), "", "x", "\ud800", "</think>", "<think>", [], [[]],
    {}, [None], [{}], {"content": [1]}, {"index": -1}, {"function": {"name": 3, "arguments": []}}, "[DONE]", "\x00\x1b",
)  # fmt: skip


def result_of(data: bytes, chance: random.Random, *, whole: bool = False) -> Answer | EndpointError:
    """What becomes of these bytes, read in pieces of any size."""
    sampling = Sampling(likeliest=chance.choice((None, 3)), max_tokens=chance.choice((None, 5)))
    ending = Ending(stop_texts=chance.choice(((), ("sun", "{"))), brake=True)
    draft = RemoteDraft(RemoteRequest(HELLO, chance.choice((None, "[]")), sampling, ending), 3, None)
    reader = Reader(HERE)
    data = as_stream(data) if whole else data
    try:
        while data and not reader.ended:
            size = chance.randint(1, 200)
            for event in reader.read(data[:size], 0.0):
                list(draft.take(event))
            data = data[size:]
        for event in reader.last(0.0):
            assert isinstance(event, Delta)
            list(draft.take(event))
        *_, answer = draft.finish(reader.close())
    except EndpointError as failure:
        return failure
    assert isinstance(answer, Answer)
    json.dumps([answer.text, answer.reasoning, [dict(call.arguments) for call in answer.tool_calls]])
    "".join((answer.text, answer.reasoning, *(call.name for call in answer.tool_calls))).encode()
    return answer


def changed(value: Any, chance: random.Random) -> Any:
    """``value`` with something strange in one place."""
    if chance.random() < 0.2 or not isinstance(value, dict | list) or not value:
        return chance.choice(STRANGE)
    place = chance.choice(list(value)) if isinstance(value, dict) else chance.randrange(len(value))
    if chance.random() < 0.1:
        return {key: inner for key, inner in value.items() if key != place} if isinstance(value, dict) else value * 2
    if isinstance(value, dict):
        return {**value, place: changed(value[place], chance)}
    return [*value[:place], changed(value[place], chance), *value[place + 1 :]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("script", SCRIPTS, ids=["text", "calls", "calls in text"])
def test_a_stream_with_something_strange_in_it(kind: Any, script: Script) -> None:
    chance = random.Random(f"{kind} {script}")
    body = {"model": "m", "stream_options": {"include_usage": True}, "logprobs": True, "top_logprobs": 2}
    good = stream_of(kind, script, body).split(b"\n\n")
    found = set()
    for _ in range(150):
        events = list(good)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(events))
            name, _, text = events[place].partition(b": ")
            try:
                value = changed(json.loads(text), chance)
            except ValueError:
                continue
            events[place] = name + b": " + json.dumps(value).encode()
        result = result_of(b"\n\n".join(events), chance)
        assert isinstance(result, Answer) or result.message.isprintable()
        found.add(type(result))
    assert found == {Answer, EndpointError}, "both ways were seen"


def test_a_stream_with_other_bytes_in_it() -> None:
    chance = random.Random(5)
    for _ in range(400):
        kind = chance.choice(list(KINDS))
        data = bytearray(stream_of(kind, chance.choice(SCRIPTS), {"model": "m", "logprobs": True}))
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(data))
            data[place : place + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
        result_of(bytes(data[: chance.randint(1, len(data))]), chance)


def test_a_whole_reply_with_something_strange_in_it() -> None:
    chance = random.Random(6)
    call = {"id": "a", "type": "function", "function": {"name": "add", "arguments": '{"x": 1}'}}
    message = {"role": "assistant", "content": "Hi", "reasoning_content": "Hm", "tool_calls": [call]}
    good = {"model": "m", "choices": [{"message": message, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3}}
    for _ in range(1000):
        result_of(json.dumps(changed(good, chance)).encode(), chance, whole=True)


@pytest.mark.parametrize("arguments", ["[" * 5000, '{"a":' * 5000, "{'a': " * 3000, "9" * 10_000, '"' * 999])
def test_arguments_without_an_end(arguments: str) -> None:
    call = {"index": 0, "id": "a", "function": {"name": "add", "arguments": arguments}}
    events = [{"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}]
    data = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    answer = result_of(data, random.Random(1))
    assert isinstance(answer, Answer)
    assert answer.tool_calls == ()
