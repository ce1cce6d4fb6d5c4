"""Requests of all kinds at a time on one engine: none gets anything of another, neither text nor grammar."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.server.test_openai_tiny_phi import FRANCE, PARIS, TOOLS
from tests.support.tiny_phi_served import TinyPhi, put_together

pytestmark = pytest.mark.process
SYSTEM = {"role": "system", "content": "You are a helpful assistant with some tools."}
WEATHER = {"role": "user", "content": "What is the weather in Paris?"}
CITY = {"type": "object", "properties": {"city": {"enum": ["Rome", "Paris"]}}, "required": ["city"]}
FORM = {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY}}


def message(loaded: TinyPhi, **body: Any) -> dict[str, Any]:
    answer: dict[str, Any] = loaded.chat(**body)["choices"][0]["message"]
    return answer


def calls(loaded: TinyPhi) -> bool:
    (call,) = message(loaded, messages=[SYSTEM, WEATHER], tools=TOOLS)["tool_calls"]
    return json.loads(call["function"]["arguments"]) == {"city": "Paris"}


def must_call(loaded: TinyPhi) -> bool:
    add = {"type": "function", "function": {"name": "add"}}
    (call,) = message(loaded, messages=[FRANCE], tools=TOOLS, tool_choice=add)["tool_calls"]
    return call["function"]["name"] == "add"


def matches(loaded: TinyPhi) -> bool:
    return json.loads(message(loaded, messages=[FRANCE], response_format=FORM)["content"])["city"] in ("Rome", "Paris")


def goes_on(loaded: TinyPhi) -> bool:
    begun = {"role": "assistant", "content": "The capital of"}
    return message(loaded, messages=[FRANCE, begun])["content"] == " France is Paris."


def streams(loaded: TinyPhi) -> bool:
    return put_together(loaded.chat_stream(messages=[FRANCE], logprobs=True))["content"] == PARIS


def test_requests_side_by_side(starts_process: None) -> None:
    kinds: list[Callable[[TinyPhi], bool]] = [calls, must_call, matches, goes_on, streams]
    loaded = TinyPhi(slots=3)
    try:
        with ThreadPoolExecutor(8) as threads:
            right = list(threads.map(lambda kind: (kind.__name__, kind(loaded)), kinds * 6))
    finally:
        loaded.model.close()
    assert [name for name, is_right in right if not is_right] == []
