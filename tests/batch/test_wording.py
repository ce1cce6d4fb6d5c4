"""From rows to requests."""

from __future__ import annotations

from typing import Any

import pytest

from phicli.answering.asked import Asked
from phicli.batch.requests import RequestWords
from phicli.batch.types import Row
from phicli.batch.wording import Wording, bytes_of
from phicli.chat_format.types import Message
from phicli.errors import UsageError
from phicli.templates.text import read_text

BASE = Asked("m")


def row(**fields: Any) -> Row:
    return Row(0, 1, fields)


def said(wording: Wording, **fields: Any) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in wording.asked(row(**fields)).messages]


def test_a_prompt_or_messages_are_asked_as_they_are() -> None:
    plain = Wording(BASE)
    assert said(plain, prompt="Hello {x} {{") == [("user", "Hello {x} {{")]
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    assert said(plain, messages=messages) == [("user", "a"), ("assistant", "b"), ("user", "c")]


def test_a_prompt_is_worded_with_the_keys_of_the_row() -> None:
    wording = Wording(BASE, read_text("{{Say}} {word} {count}x: {tags} {ok}"))
    assert said(wording, word="{id}", count=2, tags=["ä"], ok=True) == [("user", '{Say} {id} 2x: ["ä"] true')]


def test_the_system_message_is_that_of_the_row_else_that_of_the_command() -> None:
    wording = Wording(BASE, system=read_text("Be {tone}."), defaults={"tone": "kind"})
    assert said(wording, prompt="x") == [("system", "Be kind."), ("user", "x")]
    assert said(wording, prompt="x", tone="brief") == [("system", "Be brief."), ("user", "x")]
    assert said(wording, prompt="x", system="No.") == [("system", "No."), ("user", "x")]
    own = [{"role": "system", "content": "Mine"}, {"role": "user", "content": "y"}]
    assert said(wording, messages=own) == [("system", "Mine"), ("user", "y")]


def test_a_typed_value_comes_before_that_of_the_row() -> None:
    wording = Wording(BASE, read_text("{a} {b} {c}"), values={"a": "typed"}, defaults={"b": "d", "c": "d"})
    assert said(wording, a="row", b="row") == [("user", "typed row d")]


def test_the_input_of_a_template_is_what_would_be_asked_without_it() -> None:
    template = read_text("{input}\n\nTranslate into {language}.")
    assert said(Wording(BASE, template=template), prompt="Hi", language="German") == [
        ("user", "Hi\n\nTranslate into German.")
    ]
    both = Wording(BASE, read_text("<{title}>"), template)
    assert said(both, title="T", language="L") == [("user", "<T>\n\nTranslate into L.")]
    whole = Wording(BASE, template=read_text("Name a {thing}."))
    assert said(whole, thing="tree") == [("user", "Name a tree.")]
    assert said(whole, thing="tree", prompt="In Norway.") == [("user", "Name a tree.\n\nIn Norway.")]
    own = Wording(BASE, template=read_text("Say {prompt} twice."))
    assert said(own, prompt="ho") == [("user", "Say ho twice.")]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "neither prompt nor messages"),
        ({"prompt": "x", "messages": []}, "both prompt and messages"),
        ({"prompt": 7}, "prompt is a number"),
        ({"prompt": "  "}, "prompt is empty"),
        ({"messages": []}, "messages is empty"),
        ({"messages": "x"}, "messages is a string"),
        ({"messages": [{"role": "user"}]}, r"messages\[0\].content is null"),
        ({"messages": [{"role": "who", "content": "x"}]}, "unknown messages"),
        ({"prompt": "x", "id": True}, "id is true or false"),
        ({"prompt": "x", "id": ["a"]}, "id is a list"),
        ({"prompt": "x", "system": 1}, "system is a number"),
    ],
)
def test_a_row_that_asks_nothing_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Wording(BASE).asked(row(**fields))


def test_a_row_without_a_value_and_messages_beside_a_prompt_are_refused() -> None:
    wording = Wording(BASE, read_text("{a}"))
    for fields in ({"b": 1}, {"a": None}):
        with pytest.raises(UsageError, match=r"no value for \{a\}"):
            wording.asked(row(**fields))
    with pytest.raises(UsageError, match="has messages, but --prompt words a prompt"):
        wording.asked(row(messages=[{"role": "user", "content": "x"}]))


def test_the_variables_are_those_that_rows_must_give() -> None:
    wording = Wording(
        BASE, read_text("{a} {b}"), read_text("{input} {c}"), read_text("{d}"), values={"b": "x"}, defaults={"d": "x"}
    )
    assert wording.variables == ("a", "c")


def test_the_size_is_that_of_everything_that_is_said() -> None:
    assert bytes_of(Asked("m", (Message("system", "ä"), Message("user", "bc")))) == 4


REQUESTS = RequestWords("m", Asked("m", sampling={"temperature": 1.0, "seed": 3}, stop=("END",), think_tokens=7))


def request(**body: Any) -> Row:
    whole = {"messages": [{"role": "user", "content": "x"}], "model": "gpt", **body}
    return row(custom_id="1", method="POST", url="/v1/chat/completions", body=whole)


def test_a_request_is_read_as_the_server_reads_it_and_asked_of_this_model() -> None:
    asked = REQUESTS.asked(request(temperature=0.5, max_tokens=9, stream=True))
    assert (asked.model, asked.streamed) == ("m", False)
    assert asked.sampling == {"temperature": 0.5, "max_tokens": 9, "seed": 3}
    assert (asked.stop, asked.think_tokens) == (("END",), 7)
    assert REQUESTS.asked(request(stop="x")).stop == ("x",)
    assert REQUESTS.asked(request(response_format={"type": "json_object"})).stop == ()
    text = row(custom_id="1", url="/v1/completions", body={"prompt": "Once", "model": "gpt"})
    assert REQUESTS.asked(text).text == "Once"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (request(n=0), "n is 0"),
        (request(messages=[]), "messages is empty"),
        (row(custom_id="1", url="/v1/embeddings", body={}), "url is '/v1/embeddings'"),
        (row(custom_id=1, body={}), "custom_id is a number"),
        (row(custom_id="1", body=None), "body is null"),
        (row(custom_id="1", method="GET", body={}), "not POST"),
    ],
)
def test_a_wrong_request_is_refused(wrong: Row, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        REQUESTS.asked(wrong)
