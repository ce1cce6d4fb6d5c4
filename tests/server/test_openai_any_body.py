"""Whatever JSON a client sends is read, or refused with an error that the client can correct."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phicli.answering.asked import Asked
from phicli.answering.types import Answer
from phicli.errors import PhiError
from phicli.server.errors import RequestError
from phicli.server.loading import Loaded
from phicli.server.making import answering
from phicli.server.openai.chat_request import ChatRequest, read_chat_request
from phicli.server.openai.completion_request import CompletionRequest, read_completion_request
from phicli.server.openai.errors import error_body, status_of
from tests.fakes.scripted_loaded import ScriptedLoaded

TEXTS = st.text(st.characters(exclude_categories=[]), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
WORDS = st.sampled_from(
    ["auto", "none", "required", "function", "text", "json_object", "json_schema", "allowed_tools", "object", "string",
     "user", "assistant", "tool", "system", "developer", "a", "1", "{}", '{"a": 1}', "image_url", "<|end|>", "",
     "strange"]
)  # fmt: skip


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of ``fields``, right or wrong."""
    return st.fixed_dictionaries({}, optional={name: values | WORDS | VALUES for name, values in fields.items()})


SCHEMAS = st.recursive(
    some(type=WORDS, pattern=WORDS, enum=st.lists(VALUES, max_size=2), minLength=st.integers()),
    lambda inner: some(
        properties=st.dictionaries(WORDS, inner, max_size=2), items=inner, anyOf=st.lists(inner, max_size=2)
    ),
    max_leaves=4,
)
FUNCTIONS = some(name=WORDS, arguments=WORDS, parameters=SCHEMAS, description=WORDS)
CALLS = st.lists(some(id=WORDS, type=st.just("function"), function=FUNCTIONS), max_size=2)
PARTS = st.lists(some(type=WORDS, text=TEXTS, refusal=TEXTS), max_size=2)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": WORDS},
        optional={"content": TEXTS | PARTS | VALUES, "tool_calls": CALLS, "tool_call_id": WORDS, "name": VALUES},
    ),
    max_size=4,
)
CHOICES = some(
    type=WORDS, function=FUNCTIONS, allowed_tools=some(mode=WORDS, tools=st.lists(some(type=WORDS, function=FUNCTIONS)))
)
BODIES = some(
    model=WORDS,
    messages=MESSAGES,
    tools=st.lists(some(type=st.just("function"), function=FUNCTIONS), max_size=2),
    tool_choice=CHOICES,
    response_format=some(type=WORDS, json_schema=some(name=WORDS, schema=SCHEMAS, strict=st.booleans())),
    stop=st.lists(TEXTS, max_size=2),
    prompt=st.lists(TEXTS, max_size=2) | TEXTS,
    stream_options=some(include_usage=st.booleans()),
    modalities=st.lists(WORDS, max_size=2),
    **dict.fromkeys(
        ("temperature", "top_p", "seed", "max_tokens", "max_completion_tokens", "n", "logprobs", "top_logprobs",
         "stream", "presence_penalty", "frequency_penalty", "logit_bias", "parallel_tool_calls",
         "reasoning_effort", "best_of",
         "echo", "suffix", "functions", "top_k", "min_p", "mirostat"),
        st.integers(-2, 30) | st.floats() | st.booleans(),
    ),
)  # fmt: skip


@pytest.mark.parametrize("read", [read_chat_request, read_completion_request])
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(body=BODIES | st.builds(dict, BODIES, model=st.just("m"), messages=MESSAGES) | VALUES)
def test_any_body_is_read_or_refused(read: Any, body: Any) -> None:
    try:
        wanted = read(body)
    except RequestError as error:
        assert status_of(error) == 400  # noqa: PT017 (not each body is refused)
        json.dumps(error_body(error)).encode()
        error.message.encode(errors="strict")
    else:
        assert isinstance(wanted, ChatRequest | CompletionRequest)
        assert isinstance(wanted.asked, Asked)
        assert bool(wanted.asked.messages) != (wanted.asked.text is not None)
        json.dumps([dict(call.arguments) for one in wanted.asked.messages for call in one.tool_calls]).encode()
        for message in wanted.asked.messages:
            message.content.encode()


SCHEMA_WORDS = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])
TRUE_SCHEMAS = st.recursive(
    st.booleans()
    | st.fixed_dictionaries(
        {},
        optional={
            "type": SCHEMA_WORDS | st.lists(SCHEMA_WORDS, min_size=1, unique=True),
            "enum": st.lists(VALUES, min_size=1, max_size=2),
            "const": VALUES,
            "default": VALUES,
            "description": TEXTS,
            "pattern": st.sampled_from(["a", "^a$", "(?=a)b", "[", "a{2000}"]),
            "format": st.sampled_from(["date", "path"]),
            "$ref": st.sampled_from(["#", "#/$defs/a", "#/properties/a"]),
            "minLength": st.integers(0, 5),
            "maximum": st.integers(),
            "uniqueItems": st.booleans(),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(WORDS, inner, max_size=2),
            "required": st.lists(WORDS, max_size=2, unique=True),
            "items": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "$defs": st.fixed_dictionaries({"a": inner}),
            "additionalProperties": inner,
        },
    ),
    max_leaves=5,
)


def tool(name: str, schema: Any) -> dict[str, Any]:
    parameters = {**(schema if isinstance(schema, dict) else {}), "type": "object"}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


WITH_SCHEMAS = st.fixed_dictionaries(
    {"model": st.just("m"), "messages": st.just([{"role": "user", "content": "x"}]), "max_tokens": st.just(30)},
    optional={
        "tools": st.lists(
            st.builds(tool, st.sampled_from("abc"), TRUE_SCHEMAS),
            max_size=2,
        ),
        "tool_choice": st.sampled_from(["auto", "none", "required"]),
        "parallel_tool_calls": st.booleans(),
        "response_format": st.builds(
            lambda schema: {"type": "json_schema", "json_schema": {"schema": schema}}, TRUE_SCHEMAS
        ),
    },
)  # fmt: skip
SAID = st.sampled_from(
    ["Hi", "{}", '{"a": 1}', "null", '<|tool_call|>[{"name": "a", "arguments": {}}]<|/tool_call|>', "<|tool_call|>[",
     '<|tool_call|>[{"name": "b", "arguments": {"a": [1]}}, {"name": "a", "arguments": {}}]<|/tool_call|>']
)  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=WITH_SCHEMAS, said=SAID)
def test_any_schema_and_any_answer_to_it(body: dict[str, Any], said: str) -> None:
    """What is read gives an answer, or an error that is not the server's."""
    try:
        wanted = read_chat_request(body)
        reply, answers = wanted.reply(), []
        for event in answering(cast(Loaded, ScriptedLoaded(lambda _: f"{said}<|end|>")), wanted.asked):
            json.dumps(list(reply.chunks(0, event))).encode()
            answers += [event] if isinstance(event, Answer) else []
        assert json.loads(json.dumps(reply.whole(answers)))["choices"][0]["finish_reason"]
    except PhiError as error:
        assert status_of(error) in (400, 422)  # noqa: PT017 (not each body is refused)
