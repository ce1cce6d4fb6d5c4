"""tiny-phi answers the requests of OpenAI clients: the real engine, prompts and parsers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phicli.errors import ContextExceededError
from tests.support.tiny_phi_served import TinyPhi, put_together

pytestmark = pytest.mark.process
FRANCE = {"role": "user", "content": "What is the capital of France?"}
PARIS = "The capital of France is Paris."
CONVERSATIONS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "tiny_phi_conversations.json").read_text(encoding="utf-8")
)
WITH_TOOLS = [one for one in CONVERSATIONS if one["tools"]]
SCHEMAS = {"str": "string", "int": "integer"}


@pytest.fixture(scope="module")
def tiny_phi(starts_process: None) -> Iterator[TinyPhi]:
    loaded = TinyPhi()
    yield loaded
    loaded.model.close()


def tools_of(declared: str) -> list[dict[str, Any]]:
    """Tools as OpenAI clients send them."""
    return [
        {
            "type": "function",
            "function": {
                "name": one["name"],
                "description": one["description"],
                "parameters": {
                    "type": "object",
                    "properties": {name: {"type": SCHEMAS[kind["type"]]} for name, kind in one["parameters"].items()},
                    "required": list(one["parameters"]),
                    "additionalProperties": False,
                },
                "strict": True,
            },
        }
        for one in json.loads(declared)
    ]


TOOLS = tools_of(WITH_TOOLS[0]["tools"])


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("conversation", WITH_TOOLS, ids=lambda one: one["id"])
def test_conversations_with_tools(tiny_phi: TinyPhi, conversation: dict[str, Any], streamed: bool) -> None:
    """The history is what came back, as clients send it; results come in another order than the calls."""
    tools, messages, expected = tools_of(conversation["tools"]), list[dict[str, Any]](), conversation["messages"]
    results = [one["content"] for one in expected if one["role"] == "tool"]
    for number, one in enumerate(expected):
        if one["role"] in ("system", "user"):
            messages.append(one)
        if one["role"] != "assistant":
            continue
        if streamed:
            message = put_together(tiny_phi.chat_stream(messages=messages, tools=tools))
        else:
            choice = tiny_phi.chat(messages=messages, tools=tools)["choices"][0]
            message = {"tool_calls": [], **choice["message"], "finish_reason": choice["finish_reason"]}
        reason = message.pop("finish_reason")
        calls = [
            {"name": call["function"]["name"], "arguments": json.loads(call["function"]["arguments"])}
            for call in message["tool_calls"]
        ]
        assert calls == one.get("tool_calls", []), number
        assert (message["content"] or "") == ("" if calls else one["content"])
        assert reason == ("tool_calls" if calls else "stop")
        messages.append(message)
        made = [
            {"role": "tool", "tool_call_id": call["id"], "content": result}
            for call, result in zip(message["tool_calls"], results, strict=False)
        ]
        messages += reversed(made)


def test_required_and_named_calls(tiny_phi: TinyPhi) -> None:
    required = tiny_phi.chat(messages=[FRANCE], tools=TOOLS, tool_choice="required")["choices"][0]
    assert required["finish_reason"] == "tool_calls"
    chosen = {"type": "function", "function": {"name": "add"}}
    (call,) = tiny_phi.chat(messages=[FRANCE], tools=TOOLS, tool_choice=chosen)["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "add"
    assert json.loads(call["function"]["arguments"]).keys() == {"a", "b"}


def test_parallel_calls_can_be_switched_off(tiny_phi: TinyPhi) -> None:
    system = {"role": "system", "content": "You are a helpful assistant with some tools."}
    two = {"role": "user", "content": "What is the weather in Rome and in Berlin?"}
    for several in (True, False):
        reply = tiny_phi.chat(messages=[system, two], tools=TOOLS, parallel_tool_calls=several)
        assert len(reply["choices"][0]["message"]["tool_calls"]) == 1 + several


def test_reasoning(tiny_phi: TinyPhi) -> None:
    system = {"role": "system", "content": "Your name is Phi, an AI math expert developed by Microsoft."}
    asked = {"messages": [system, {"role": "user", "content": "What is 7 + 5?"}]}
    reply = tiny_phi.chat(**asked)
    message = reply["choices"][0]["message"]
    thought = "I start at 7 and go 5 further. That makes 12."
    assert (message["content"], message["reasoning_content"]) == ("7 + 5 = 12", thought)
    assert reply["usage"]["completion_tokens_details"]["reasoning_tokens"] > 5
    streamed = put_together(tiny_phi.chat_stream(**asked))
    assert (streamed["content"], streamed["reasoning_content"]) == ("7 + 5 = 12", thought)
    directly = tiny_phi.chat(**asked, reasoning_effort="none")
    assert "reasoning_content" not in directly["choices"][0]["message"]
    assert directly["usage"]["completion_tokens_details"]["reasoning_tokens"] == 0


def test_an_answer_that_is_begun(tiny_phi: TinyPhi) -> None:
    begun = {"role": "assistant", "content": "The capital of"}
    reply = tiny_phi.chat(messages=[FRANCE, begun])
    assert reply["choices"][0]["message"]["content"] == " France is Paris."
    whole = tiny_phi.chat(messages=[FRANCE])["usage"]
    assert reply["usage"]["prompt_tokens"] == whole["prompt_tokens"] + 3
    assert reply["usage"]["completion_tokens"] == whole["completion_tokens"] - 3


def test_forms(tiny_phi: TinyPhi) -> None:
    schema = {"type": "object", "properties": {"city": {"enum": ["Rome", "Paris"]}}, "required": ["city"]}
    form = {"type": "json_schema", "json_schema": {"name": "city", "schema": schema, "strict": True}}
    for text in (
        tiny_phi.chat(messages=[FRANCE], response_format=form)["choices"][0]["message"]["content"],
        put_together(tiny_phi.chat_stream(messages=[FRANCE], response_format=form))["content"],
    ):
        assert json.loads(text)["city"] in ("Rome", "Paris")
    anything = tiny_phi.chat(messages=[FRANCE], response_format={"type": "json_object"}, max_tokens=200, seed=1)[
        "choices"
    ][0]
    if anything["finish_reason"] == "stop":
        assert isinstance(json.loads(anything["message"]["content"]), dict)


def test_a_form_and_tools_together(tiny_phi: TinyPhi) -> None:
    schema = {"type": "object", "properties": {"celsius": {"enum": [20, 21]}}, "required": ["celsius"]}
    form = {"type": "json_schema", "json_schema": {"name": "weather", "schema": schema}}
    system = {"role": "system", "content": "You are a helpful assistant with some tools."}
    messages: list[dict[str, Any]] = [system, {"role": "user", "content": "What is the weather in Paris?"}]
    called = tiny_phi.chat(messages=messages, tools=TOOLS, response_format=form)["choices"][0]["message"]
    (call,) = called["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}
    result = {"role": "tool", "tool_call_id": call["id"], "content": '{"sky": "sunny", "celsius": 21}'}
    messages += [called, result]
    reply = tiny_phi.chat(messages=messages, tools=TOOLS, response_format=form, tool_choice="none")
    assert json.loads(reply["choices"][0]["message"]["content"])["celsius"] in (20, 21)


def test_probabilities_belong_to_the_text(tiny_phi: TinyPhi) -> None:
    choice = tiny_phi.chat(messages=[FRANCE], logprobs=True, top_logprobs=3)["choices"][0]
    tokens = choice["logprobs"]["content"]
    assert "".join(one["token"] for one in tokens) == PARIS
    assert bytes(byte for one in tokens for byte in one["bytes"]).decode() == PARIS
    assert all(len(one["top_logprobs"]) == 3 for one in tokens)
    assert all(one["logprob"] == one["top_logprobs"][0]["logprob"] for one in tokens)
    chunks = list(tiny_phi.chat_stream(messages=[FRANCE], logprobs=True, top_logprobs=3))
    streamed = [chunk["choices"][0] for chunk in chunks if chunk["choices"][0]["logprobs"]]
    for choice in streamed:
        assert choice["delta"]["content"] == "".join(one["token"] for one in choice["logprobs"]["content"])
    assert [one["token"] for choice in streamed for one in choice["logprobs"]["content"]] == [
        one["token"] for one in tokens
    ]


def test_several_answers_have_seeds_of_their_own(tiny_phi: TinyPhi) -> None:
    asked = {"messages": [{"role": "user", "content": "Hm"}], "temperature": 5, "top_p": 1, "top_k": 0, "min_p": 0}
    both = tiny_phi.chat(**asked, n=2, seed=3, max_tokens=12)
    texts = [choice["message"]["content"] for choice in both["choices"]]
    assert texts[0] != texts[1]
    second = tiny_phi.chat(**asked, seed=4, max_tokens=12)
    assert second["choices"][0]["message"]["content"] == texts[1]
    assert both["usage"]["prompt_tokens"] == second["usage"]["prompt_tokens"]


def test_stop_and_length(tiny_phi: TinyPhi) -> None:
    stopped = tiny_phi.chat(messages=[FRANCE], stop=[" Paris"])["choices"][0]
    assert (stopped["message"]["content"], stopped["finish_reason"]) == ("The capital of France is", "stop")
    cut_off = tiny_phi.chat(messages=[FRANCE], max_tokens=2)["choices"][0]
    assert (cut_off["message"]["content"], cut_off["finish_reason"]) == ("The capital", "length")


def test_a_completion_continues_a_text(tiny_phi: TinyPhi) -> None:
    reply = tiny_phi.complete(prompt="The capital of France is", max_tokens=4, logprobs=1)
    choice = reply["choices"][0]
    assert "".join(choice["logprobs"]["tokens"]) == choice["text"]
    assert reply["usage"]["prompt_tokens"] == len(tiny_phi.prompts[-1]) <= 6


def test_penalties_change_what_is_repeated(tiny_phi: TinyPhi) -> None:
    def text(**more: Any) -> str:
        return str(tiny_phi.complete(prompt="a " * 24, max_tokens=16, **more)["choices"][0]["text"])

    assert len({text(), text(frequency_penalty=2), text(presence_penalty=2)}) == 3


def test_a_conversation_that_does_not_fit(tiny_phi: TinyPhi) -> None:
    with pytest.raises(ContextExceededError, match=r"has \d+ tokens, but the context has only 1024"):
        tiny_phi.chat(messages=[{"role": "user", "content": "x " * 2000}])
