"""Replies: whole ones, the chunks of streams, errors, lists of models."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from phicli.answering.formed import FormError
from phicli.answering.types import Answer, Event, Notice
from phicli.chat_format.types import Piece, ToolCall
from phicli.engine.logprobs import Likely
from phicli.engine.types import Prefill, Usage
from phicli.errors import (
    CheckFailedError,
    ContextExceededError,
    DoesNotFitError,
    EngineDiedError,
    EngineError,
    NotFoundError,
    NotInstalledError,
    PhiError,
    UnsupportedModelError,
    UsageError,
)
from phicli.server.errors import RequestError, UnknownNameError
from phicli.server.names import ServedName
from phicli.server.openai.chat_reply import ChatReply
from phicli.server.openai.completion_reply import CompletionReply
from phicli.server.openai.errors import error_body, status_of
from phicli.server.openai.models import model_body, models_body

ANSWER = Answer(
    text="Hi", reasoning="", tool_calls=(), finish_reason="stop", usage=Usage(10, 2, 4), timings=None, load_ms=0.0,
    ttft_ms=None, total_ms=1.0, context_tokens=256, used_tokens=12,
)  # fmt: skip
CALLS = (ToolCall("f", {"a": "é"}), ToolCall("g", {}))
LIKELY = (Likely("H", 7, -0.5, (Likely("H", 7, -0.5), Likely("h", 8, -1.5))), Likely("i"))


def chunks(reply: ChatReply | CompletionReply, *events: Event, index: int = 0) -> list[dict[str, Any]]:
    return [chunk for event in events for chunk in reply.chunks(index, event)]


def deltas(*events: Event) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in chunks(ChatReply("m"), *events)]


def test_a_whole_reply() -> None:
    reply = ChatReply("m").whole([ANSWER])
    assert reply["id"].startswith("chatcmpl-")
    assert (reply["object"], reply["model"]) == ("chat.completion", "m")
    assert reply["system_fingerprint"].startswith("fp_")
    assert reply["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hi", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert reply["usage"] == {
        "prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }  # fmt: skip


def test_the_prompt_of_several_answers_counts_once() -> None:
    reasoned = replace(ANSWER, reasoning="Hm", reasoning_tokens=1)
    reply = ChatReply("m").whole([ANSWER, reasoned])
    assert [choice["index"] for choice in reply["choices"]] == [0, 1]
    assert reply["choices"][1]["message"]["reasoning_content"] == "Hm"
    assert (reply["usage"]["prompt_tokens"], reply["usage"]["completion_tokens"]) == (10, 4)
    assert reply["usage"]["completion_tokens_details"] == {"reasoning_tokens": 1}


def test_tool_calls() -> None:
    called = replace(ANSWER, text="", tool_calls=CALLS, finish_reason="tool_calls")
    choice = ChatReply("m").whole([called])["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (None, "tool_calls")
    assert [one["function"] for one in choice["message"]["tool_calls"]] == [
        {"name": "f", "arguments": '{"a": "é"}'}, {"name": "g", "arguments": "{}"},
    ]  # fmt: skip
    assert len({one["id"] for one in choice["message"]["tool_calls"]}) == 2
    with_text = ChatReply("m").whole([replace(called, text="I call.")])["choices"][0]
    assert with_text["message"]["content"] == "I call."


def test_a_stream_begins_with_the_role_and_ends_with_the_reason() -> None:
    events = (Prefill(1, 1, 0), Piece("reasoning", "Hm"), Notice("never shown"), Piece("text", "Hi"), ANSWER)
    assert deltas(*events) == [{"role": "assistant"}, {"reasoning_content": "Hm"}, {"content": "Hi"}, {}]
    made = chunks(ChatReply("m"), *events)
    assert [chunk["choices"][0]["finish_reason"] for chunk in made] == [None, None, None, "stop"]
    assert len({chunk["id"] for chunk in made}) == 1
    assert all("usage" not in chunk for chunk in made)


def test_each_answer_of_several_has_its_role() -> None:
    reply = ChatReply("m")
    made = [*chunks(reply, Piece("text", "a"), index=1), *chunks(reply, Piece("text", "b"), ANSWER, index=0)]
    assert [(one["choices"][0]["index"], one["choices"][0]["delta"]) for one in made] == [
        (1, {"role": "assistant"}), (1, {"content": "a"}), (0, {"role": "assistant"}), (0, {"content": "b"}), (0, {}),
    ]  # fmt: skip


def test_calls_in_a_stream_are_put_together_by_their_index() -> None:
    calls: dict[int, dict[str, Any]] = {}
    for delta in deltas(replace(ANSWER, text="", tool_calls=CALLS, finish_reason="tool_calls")):
        for one in delta.get("tool_calls", ()):
            known = calls.setdefault(one["index"], {"arguments": ""})
            known |= {name: one[name] for name in ("id", "type") if name in one}
            known |= {"name": one["function"]["name"]} if "name" in one["function"] else {}
            known["arguments"] += one["function"]["arguments"]
    assert [(one["name"], json.loads(one["arguments"]), one["type"]) for one in calls.values()] == [
        ("f", {"a": "é"}, "function"), ("g", {}, "function"),
    ]  # fmt: skip
    assert all(one["id"].startswith("call_") for one in calls.values())


def test_the_usage_comes_last_where_it_is_wanted() -> None:
    reply = ChatReply("m", usage_chunk=True)
    assert all(chunk["usage"] is None for chunk in chunks(reply, Piece("text", "Hi"), ANSWER))
    last = reply.usage_chunk([ANSWER])
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 12)


def test_probabilities() -> None:
    scored = replace(ANSWER, likely=LIKELY)
    expected = [
        {
            "token": "H", "logprob": -0.5, "bytes": [72],
            "top_logprobs": [
                {"token": "H", "logprob": -0.5, "bytes": [72]}, {"token": "h", "logprob": -1.5, "bytes": [104]},
            ],
        },
        {"token": "i", "logprob": -9999.0, "bytes": [105], "top_logprobs": []},
    ]  # fmt: skip
    assert ChatReply("m").whole([scored])["choices"][0]["logprobs"] == {"content": expected, "refusal": None}
    made = chunks(ChatReply("m"), Piece("text", "Hi"), scored)
    found = [one for chunk in made for one in (chunk["choices"][0]["logprobs"] or {"content": []})["content"]]
    assert found == expected


def test_completions() -> None:
    scored = replace(ANSWER, likely=LIKELY)
    reply = CompletionReply("m").whole([scored])
    assert reply["id"].startswith("cmpl-")
    assert (reply["object"], reply["choices"][0]["text"]) == ("text_completion", "Hi")
    assert reply["choices"][0]["logprobs"] == {
        "tokens": ["H", "i"], "token_logprobs": [-0.5, -9999.0], "top_logprobs": [{"H": -0.5, "h": -1.5}, {}],
        "text_offset": [0, 1],
    }  # fmt: skip
    made = chunks(CompletionReply("m"), Prefill(1, 1, 0), Piece("text", "Hi"), scored)
    assert [chunk["choices"][0]["text"] for chunk in made] == ["Hi", ""]
    assert [chunk["choices"][0]["finish_reason"] for chunk in made] == [None, "stop"]


def test_models() -> None:
    small, other = ServedName("tiny-phi", 5, "phi", 256), ServedName("mine", 6, "local", None)
    plain = {"id": "mine", "object": "model", "created": 6, "owned_by": "local"}
    assert model_body(other) == plain
    assert models_body([small, other])["data"] == [
        {"id": "tiny-phi", "object": "model", "created": 5, "owned_by": "phi", "context_length": 256},
        plain,
    ]


@pytest.mark.parametrize(
    ("error", "status", "code", "param"),
    [
        (RequestError("m", param="n"), 400, "invalid_request", "n"),
        (UsageError("m", "see: phi help chat"), 400, "usage", None),
        (ContextExceededError("m", "use --on-overflow drop"), 400, "context_length_exceeded", "messages"),
        (NotFoundError("m", "did you mean tiny-phi? see: phi list"), 404, "model_not_found", "model"),
        (NotInstalledError("m", "download it: phi pull phi-4", model="phi-4"), 404, "model_not_found", "model"),
        (UnsupportedModelError("m"), 400, "unsupported_model", None),
        (FormError("m", "allow more attempts: --retries 4", ANSWER, ["p"]), 422, "answer_does_not_match", None),
        (CheckFailedError("m"), 422, "answer_does_not_match", None),
        (DoesNotFitError("m", "use a smaller context: --context 512"), 503, "does_not_fit", None),
        (EngineDiedError("m", "run the command again"), 500, "engine", None),
        (PhiError("m"), 500, "error", None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, PhiError) else "",
)
def test_errors(error: PhiError, status: int, code: str, param: str | None) -> None:
    body = error_body(error)["error"]
    assert body.keys() == {"message", "type", "param", "code"}
    assert (status_of(error), body["code"], body["param"]) == (status, code, param)
    assert body["type"] == ("server_error" if status >= 500 else "invalid_request_error")
    assert body["message"].startswith("m")
    assert "--" not in body["message"]


def test_hints_are_for_programs() -> None:
    assert error_body(EngineDiedError("m", "run the command again"))["error"]["message"] == "m; send the request again"
    of_server = error_body(UsageError("m", "start phi serve with a larger --parallel"))["error"]["message"]
    assert of_server == "m; start phi serve with a larger --parallel"
    suggestion = error_body(NotFoundError("m", "did you mean tiny-phi? see: phi list"))["error"]["message"]
    assert suggestion == "m; did you mean tiny-phi? see: phi list"


@pytest.mark.parametrize(
    "error",
    [
        NotFoundError("/srv/nope.gguf does not exist", "/srv contains other.gguf"),
        NotFoundError("m does not exist", "/srv contains other.gguf"),
        EngineError("[Errno 2] no such file: '/home/a b/m.gguf'"),
        EngineDiedError("the engine stopped; the engine says: failed to open (/home/a/m.gguf)"),
        PhiError("C:\\models\\m.gguf is damaged"),
        PhiError("~/models/m.gguf is damaged"),
    ],
)
def test_a_client_is_not_told_what_is_on_the_disk_of_the_server(error: PhiError) -> None:
    assert error_body(error)["error"]["message"] == "the model cannot be used; the log of the server says why"


def test_a_place_in_an_answer_is_not_a_path() -> None:
    error = FormError("the answer does not match the schema: /age: 'x' is not of type 'integer'", "", ANSWER, ["p"])
    assert "/age: 'x' is not" in error_body(error)["error"]["message"]


@pytest.mark.parametrize("text", ["microsoft/phi-4-gguf:q4 and/or https://example.org/a", "2 / 3 tokens", "a: b"])
def test_other_words_are_no_paths(text: str) -> None:
    assert error_body(PhiError(text))["error"]["message"] == text


def test_what_a_client_said_is_said_again() -> None:
    for error in (RequestError("pattern: ' /etc/x'"), UnknownNameError("model '/etc/x' not found")):
        assert error_body(error)["error"]["message"] == error.message
