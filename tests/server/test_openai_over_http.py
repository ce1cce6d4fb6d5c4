"""OpenAI's interface over HTTP: conversations with tools, streams, errors, whatever a body says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.server.test_openai_any_body import BODIES, VALUES
from tests.support.servers import ANSWER, QUESTION, Client, Server, events_in
from tests.support.tiny_phi_served import put_together

pytestmark = pytest.mark.process
SYSTEM = {"role": "system", "content": "You are a helpful assistant with some tools."}
WEATHER = {"role": "user", "content": "What is the weather in Paris?"}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather in a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


def message_of(server: Client, *, streamed: bool, **body: Any) -> dict[str, Any]:
    """The message of a reply, put together where it is streamed."""
    asked = {"model": "tiny-phi", "temperature": 0, **body}
    if not streamed:
        reply = server.chat(asked)
        assert reply.status == 200, reply.text
        choice = reply.json["choices"][0]
        return {**choice["message"], "finish_reason": choice["finish_reason"]}
    with server.chat_stream(asked) as events:
        return put_together(event for event in events if event != "[DONE]")


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_conversation_with_a_tool(server: Server, streamed: bool) -> None:
    called = message_of(server, streamed=streamed, messages=[SYSTEM, WEATHER], tools=TOOLS)
    assert called.pop("finish_reason") == "tool_calls"
    (call,) = called["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("get_weather", {"city": "Paris"})
    result = {"role": "tool", "tool_call_id": call["id"], "content": json.dumps({"sky": "sunny", "celsius": 21})}
    said = message_of(server, streamed=streamed, messages=[SYSTEM, WEATHER, called, result], tools=TOOLS)
    assert (said["content"], said["finish_reason"]) == ("It is sunny in Paris, at 21 degrees.", "stop")


def test_a_completion_in_a_stream(server: Server) -> None:
    asked = {"model": "tiny-phi", "prompt": "The capital of France is", "max_tokens": 4, "temperature": 0}
    whole = server.post("/v1/completions", asked)
    assert whole.status == 200
    with server.stream("/v1/completions", {**asked, "stream": True}) as lines:
        *chunks, end = events_in(lines)
    assert end == "[DONE]"
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == whole.json["choices"][0]["text"]


def test_errors_have_a_status_that_no_client_tries_again(server: Server) -> None:
    too_long = server.chat(messages=[{"role": "user", "content": "x " * 3000}])
    assert (too_long.status, too_long.error["code"]) == (400, "context_length_exceeded")
    streamed = server.chat(messages=[{"role": "user", "content": "x " * 3000}], stream=True)
    assert (streamed.status, streamed.error["code"]) == (400, "context_length_exceeded")
    many = server.chat(n=100)
    assert (many.status, many.error["param"]) == (400, "n")
    unknown = server.chat(model="tiny-fi")
    assert (unknown.status, unknown.error["code"], unknown.error["param"]) == (404, "model_not_found", "model")
    assert "tiny-phi" in unknown.error["message"]
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]
    assert server.chat(messages=image).error["param"] == "messages[0].content[0].type"


def test_whatever_a_body_says_the_server_does_not_fail(server: Server) -> None:
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(body=BODIES | VALUES)
    def ask(body: Any) -> None:
        if isinstance(body, dict):
            body = {**body, "model": "tiny-phi", "max_tokens": 2}
        for path in ("/v1/chat/completions", "/v1/completions"):
            reply = server.post(path, body)
            assert reply.status in (200, 400, 422), (reply.status, reply.text)
            if reply.status != 200 and "data:" not in reply.text:
                assert reply.error["message"]

    ask()
    assert server.chat(QUESTION).json["choices"][0]["message"]["content"] == ANSWER
