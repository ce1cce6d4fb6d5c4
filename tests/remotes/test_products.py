"""Every product: what is sent to it and what is left out, and what its streams mean."""

from __future__ import annotations

import math
from typing import Any

import pytest

from phicli.answering.formed import FormedModel
from phicli.answering.types import Ending, Undecided
from phicli.chat_format.types import Message, ToolCall
from phicli.engine.types import Sampling, Usage
from phicli.errors import UsageError
from phicli.remotes.body import body_of
from phicli.remotes.kinds import KINDS, kind_of
from phicli.remotes.request import RemoteRequest
from phicli.remotes.types import KindName, Remote
from phicli.structured.form import SchemaForm
from phicli.structured.grammars import choice_form, regex_form
from phicli.tools.declared import declared_for
from phicli.tools.types import Tool
from tests.support.remote_products import TAKEN, UNTRIED, ProductEndpoint, Script
from tests.support.remotes import HELLO, answer_of, events_of, notices_in, remote_model

EVERY = pytest.mark.parametrize("kind", KINDS)
WEATHER = Tool("get_weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
TIME = Tool("get_time", "The time.", {"type": "object", "properties": {}})
TOOLS = declared_for("", (WEATHER, TIME))
UNUSUAL: dict[str, Any] = {
    "top_k": 7, "top_p": 0.5, "min_p": 0.2, "repeat_penalty": 1.2, "repeat_last_n": 32, "xtc_probability": 0.1,
    "xtc_threshold": 0.2, "mirostat": 1, "mirostat_tau": 4.0, "mirostat_eta": 0.2, "presence_penalty": 0.5,
    "frequency_penalty": 0.25,
}  # fmt: skip
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


def test_those_that_no_test_asks_are_marked_so() -> None:
    assert {name for name, kind in KINDS.items() if not kind.tried} == set(UNTRIED)
    assert TAKEN.keys() == KINDS.keys()


@EVERY
def test_what_it_takes_is_sent_and_what_it_ignores_is_said(kind: KindName) -> None:
    """The server refuses a field that the product does not document."""
    with ProductEndpoint(kind) as endpoint, remote_model(endpoint.url, kind=kind) as model:
        row = model.kind
        events = events_of(model, max_tokens=50, seed=11, temperature=0.6, likeliest=2, **UNUSUAL)
        again = events_of(model, max_tokens=50, seed=11, temperature=0.6, likeliest=2, **UNUSUAL)
        body = endpoint.body
    assert (body["temperature"], body["seed"], body[row.limit_field]) == (0.6, 11, 50)
    others = {"max_tokens", "max_completion_tokens"} - {row.limit_field}
    assert not others & body.keys()
    for name, value in UNUSUAL.items():
        if name in row.sampling:
            assert body[row.sampling[name]] == value
        said = [one for one in notices_in(events) if one.startswith(f"--{name.replace('_', '-')} has no effect")]
        assert len(said) == (name not in row.sampling)
    assert ("logprobs" in body, body.get("top_logprobs")) == ((True, 2) if row.logprobs else (False, None))
    assert (body.get("stream_options") == {"include_usage": True}) is row.usage_option
    assert not any("has no effect" in one for one in notices_in(again)), "it is said once"


def test_openai_itself_has_another_limit_than_what_copies_it() -> None:
    request = RemoteRequest(HELLO, None, Sampling(max_tokens=9), Ending(stop_texts=tuple("abcdef")))
    for url, limit, stops in (
        ("https://api.openai.com/v1", "max_completion_tokens", 4),
        ("https://example.org/v1", "max_tokens", 6),
    ):
        fields = body_of(kind_of(Remote("lab", url, "openai")), "gpt", request, Sampling()).fields
        assert (fields[limit], len(fields["stop"])) == (9, stops)
        assert len({"max_tokens", "max_completion_tokens"} & fields.keys()) == 1


@EVERY
def test_usual_values_are_not_sent(kind: KindName) -> None:
    usual = Sampling(top_k=7, min_p=0.2)
    with ProductEndpoint(kind) as endpoint, remote_model(endpoint.url, kind=kind, usual=Sampling()) as model:
        events_of(model)
        assert not endpoint.body.keys() & set(KINDS[kind].sampling.values())
        assert not endpoint.body.keys() & {"seed", "max_tokens", "max_completion_tokens", "stop", "tools", "logprobs"}
    with ProductEndpoint(kind) as endpoint, remote_model(endpoint.url, kind=kind, usual=usual) as model:
        events = events_of(model, top_k=7, min_p=0.2, temperature=0.7)
        assert {"top_k", "min_p"} & endpoint.body.keys() == {"top_k", "min_p"} & set(KINDS[kind].sampling.values())
        events += events_of(model, top_k=7, min_p=0.2)
        assert not {"top_k", "min_p"} & endpoint.body.keys(), "they have no effect at temperature 0"
    assert notices_in(events) == [], "nobody asked for it, so nothing is said"


@EVERY
def test_a_stream_has_text_usage_and_a_reason(kind: KindName) -> None:
    with ProductEndpoint(kind) as endpoint, remote_model(endpoint.url, kind=kind) as model:
        answer = answer_of(model)
    assert (answer.text, answer.finish_reason) == ("It is sunny.", "stop")
    cached = 8 if kind in ("openai", "azure", "llama-server", "phi") else 0
    assert answer.usage == Usage(21, 4, cached)


@EVERY
def test_reasoning_is_not_text(kind: KindName) -> None:
    """OpenAI's API has no field for it; a server that copies it sends tags."""
    fields = KINDS[kind].reasoning_fields
    reasoning = ("The user", " asks.")
    script = Script(reasoning=reasoning) if fields else Script(text=("<th", "ink>The user asks.</think>", "\n\nIt"))
    with ProductEndpoint(kind, script) as endpoint, remote_model(endpoint.url, kind=kind) as model:
        answer = answer_of(model)
    assert answer.reasoning == "The user asks."
    assert answer.text == ("It is sunny." if fields else "It")
    assert answer.reasoning_tokens > 0


@EVERY
def test_probabilities_of_tokens(kind: KindName) -> None:
    with ProductEndpoint(kind) as endpoint, remote_model(endpoint.url, kind=kind) as model:
        answer = answer_of(model, likeliest=2)
    if not KINDS[kind].logprobs:
        assert answer.likely == ()
        return
    assert answer.likely is not None
    assert [one.text for one in answer.likely] == ["It", " is", " sunny", "."]
    assert {one.log_probability for one in answer.likely} == {math.log(0.5)}
    assert [other.text for other in answer.likely[0].likeliest] == ["It", "x"]


@EVERY
def test_calls_are_put_together(kind: KindName) -> None:
    script = Script(calls=(("get_weather", {"city": "Köln \u2603"}), ("get_time", {})))
    with ProductEndpoint(kind, script) as endpoint, remote_model(endpoint.url, kind=kind) as model:
        events = events_of(model, tools=TOOLS)
        body = endpoint.body
    answer = model_answer(events)
    assert answer.tool_calls == (ToolCall("get_weather", {"city": "Köln ☃"}), ToolCall("get_time", {}))
    assert (answer.finish_reason, answer.text) == ("tool_calls", "")
    assert any(isinstance(event, Undecided) for event in events)
    function = {"name": "get_weather", "description": "The weather.", "parameters": WEATHER.parameters}
    assert body["tools"][0] == {"type": "function", "function": function}
    assert "tool_choice" not in body


@EVERY
@pytest.mark.parametrize(("choice", "by_name"), [("required", False), ("none", False), ("get_time", True)])
def test_a_choice_of_tools_is_sent_where_it_is_known(kind: KindName, choice: str, by_name: bool) -> None:
    row = KINDS[kind]
    script = Script(calls=(("get_time", {}),)) if choice != "none" else Script()
    with ProductEndpoint(kind, script) as endpoint, remote_model(endpoint.url, kind=kind) as model:
        events = events_of(model.choosing(choice, by_name=by_name, several=False), tools=TOOLS)
        body = endpoint.body
    assert model_answer(events).finish_reason == ("stop" if choice == "none" else "tool_calls")
    names = [tool["function"]["name"] for tool in body.get("tools", ())]
    said = any("--tool-choice has no effect" in one for one in notices_in(events))
    if choice == "none":
        assert (body.get("tool_choice") == "none", bool(names)) == (("none" in row.tool_choice,) * 2)
        assert not said
    elif by_name:
        assert names == (["get_weather", "get_time"] if "named" in row.tool_choice else ["get_time"])
        named = {"type": "function", "function": {"name": "get_time"}}
        expected: Any = named if "named" in row.tool_choice else "required" if "required" in row.tool_choice else None
        assert body.get("tool_choice") == expected
        assert said is (expected is None)
    else:
        assert (body.get("tool_choice") == "required") is ("required" in row.tool_choice)
        assert said is ("required" not in row.tool_choice)
    several = body.get("parallel_tool_calls")
    assert several is (False if row.parallel_tool_calls and names else None)


@EVERY
def test_calls_and_results_of_the_history(kind: KindName) -> None:
    """The server refuses ids that do not match."""
    calls = (ToolCall("get_weather", {"city": "Köln"}), ToolCall("get_time", {}))
    history = (
        Message("system", "Be brief."),
        Message("user", "Weather and time?"),
        Message("assistant", "", calls),
        Message("tool", '"sunny"'),
        Message("tool", '"12:00"'),
        Message("assistant", "Sunny, noon."),
        Message("user", "Again?"),
        Message("assistant", "Once more.", calls[:1]),
        Message("tool", '"rain"'),
    )
    with ProductEndpoint(kind) as endpoint, remote_model(endpoint.url, kind=kind) as model:
        assert answer_of(model, history, tools=TOOLS).text == "It is sunny."
        sent = endpoint.body["messages"]
        assert answer_of(model, history, tools=TOOLS).text == "It is sunny."
        assert endpoint.body["messages"] == sent, "a cache of prompts knows the conversation again"
    assert [message["role"] for message in sent] == [message.role for message in history]
    assert sent[2]["content"] is None
    assert sent[2]["tool_calls"][0]["function"] == {"name": "get_weather", "arguments": '{"city": "Köln"}'}
    assert sent[7]["content"] == "Once more."
    ids = [call["id"] for message in sent for call in message.get("tool_calls", ())]
    assert len(set(ids)) == len(ids)


@EVERY
def test_a_schema_is_sent_and_checked_here(kind: KindName) -> None:
    script = Script(text=('{"city": ', '"Köln"}'))
    with ProductEndpoint(kind, script) as endpoint, remote_model(endpoint.url, kind=kind) as model:
        answer = answer_of(FormedModel(model, SchemaForm(SCHEMA), 0), max_tokens=50)
        body = endpoint.body
    assert answer.parsed == {"city": "Köln"}
    form = body["response_format"]
    assert form == {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}


@EVERY
def test_choices_and_patterns_are_sent_where_there_is_a_field(kind: KindName) -> None:
    row = KINDS[kind]
    with ProductEndpoint(kind, Script(text=("yes",))) as endpoint, remote_model(endpoint.url, kind=kind) as model:
        events = events_of(FormedModel(model, choice_form("yes,no"), 0))
        body = endpoint.body
    assert model_answer(events).text == "yes"
    sent = at(body, row.grammar.get("choice") or row.grammar.get("gbnf") or "nothing")
    assert sent == (
        ["yes", "no"] if "choice" in row.grammar else 'root ::= "yes" | "no"' if "gbnf" in row.grammar else None
    )
    said = f"the form of the answer is only checked: lab ({row.title}) does not take it"
    assert notices_in(events) == ([said] if sent is None else [])
    with ProductEndpoint(kind, Script(text=("A/7",))) as endpoint, remote_model(endpoint.url, kind=kind) as model:
        events_of(FormedModel(model, regex_form(r"[A-Z]/\d"), 0))
        assert at(endpoint.body, row.grammar.get("regex", "nothing")) == (
            "[A-Z]/[0-9]" if "regex" in row.grammar else None
        )


@EVERY
def test_stop_texts_are_sent_as_many_as_it_takes_and_found_here(kind: KindName) -> None:
    texts = (*(f"stop{number}" for number in range(80)), " sun")
    with ProductEndpoint(kind) as endpoint, remote_model(endpoint.url, kind=kind) as model:
        answer = answer_of(model, ending=Ending(stop_texts=texts))
        assert endpoint.body["stop"] == list(texts[: model.kind.most_stop_texts])
    assert (answer.text, answer.finish_reason, answer.stopped_by) == ("It is", "stop", " sun")


@EVERY
def test_a_begun_answer_is_continued_or_refused(kind: KindName) -> None:
    begun = (*HELLO, Message("assistant", "It is"))
    script = Script(text=("It", " is", " sunny")) if kind == "llama-server" else Script(text=(" sunny",))
    with ProductEndpoint(kind, script) as endpoint, remote_model(endpoint.url, kind=kind) as model:
        if kind in ("phi", "llama-server", "ollama", "vllm"):
            assert answer_of(model, begun).text == " sunny"
            assert endpoint.body["messages"][-1] == {"role": "assistant", "content": "It is"}
            assert endpoint.body.get("continue_final_message") is (True if kind == "vllm" else None)
        else:
            with pytest.raises(UsageError, match="does not continue an answer"):
                events_of(model, begun)
            assert endpoint.chats == []


@EVERY
def test_a_budget_of_reasoning_is_said_to_be_ignored(kind: KindName) -> None:
    with ProductEndpoint(kind) as endpoint, remote_model(endpoint.url, kind=kind) as model:
        events = events_of(model, ending=Ending(think_tokens=0))
        effort = endpoint.body.get("reasoning_effort")
    assert (effort == "none") is (kind == "phi")
    assert any(one.startswith("--think-budget has no effect") for one in notices_in(events)) is (kind != "phi")


def model_answer(events: list[Any]) -> Any:
    """The answer."""
    return events[-1]


def at(body: dict[str, Any], path: str) -> Any:
    """The value at a path with dots; None where there is none."""
    for name in path.split("."):
        body = body.get(name) if isinstance(body, dict) else None  # type: ignore[assignment]
    return body
