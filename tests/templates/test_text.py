"""Braces: variables, doubled ones, single ones, and values that have braces themselves."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phicli.templates.text import BraceError, read_text


@pytest.mark.parametrize(
    ("text", "names", "result"),
    [
        ("no variables", (), "no variables"),
        ("{input}", ("input",), "<input>"),
        ("{a}{b} and {a}", ("a", "b"), "<a><b> and <a>"),
        ('{{"key": "{value}"}}', ("value",), '{"key": "<value>"}'),
        ("{{input}}", (), "{input}"),
        ("{{{input}}}", ("input",), "{<input>}"),
        ("{{{{", (), "{{"),
        ("{my-name} {other_name2}", ("my-name", "other_name2"), "<my-name> <other_name2>"),
    ],
)
def test_variables(text: str, names: tuple[str, ...], result: str) -> None:
    read = read_text(text)
    assert read.names == names
    assert read.whole({name: f"<{name}>" for name in names}) == result


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('one\n{"key": 1}\ntwo', '{"key": 1}'),
        ("an end}", "an end}"),
        ("{ input }", "{ input }"),
        ("{}", "{}"),
        ("{2nd}", "{2nd}"),
        ("{a{b}}", "{a{b}}"),
        ("}}}", "}}}"),
        ("{schlüssel}", "{schlüssel}"),
    ],
)
def test_a_single_brace_is_shown_with_its_line(text: str, shown: str) -> None:
    with pytest.raises(BraceError, match=re.escape(shown)):
        read_text(text)


@given(st.text())
def test_a_text_with_doubled_braces_is_the_text(text: str) -> None:
    assert read_text(text.replace("{", "{{").replace("}", "}}")).whole() == text


@given(st.text(), st.text(), st.text())
def test_values_are_never_read_for_variables(before: str, value: str, other: str) -> None:
    doubled = before.replace("{", "{{").replace("}", "}}")
    text = read_text(f"{doubled}{{a}}{{b}}")
    assert text.whole({"a": value, "b": other}) == before + value + other
    step = text.filled({"a": value})
    assert step.names == ("b",)
    assert step.whole({"b": other}) == before + value + other


@pytest.mark.parametrize(
    ("text", "behind"),
    [
        ("{input}\n\nSummarize it.", "Summarize it."),
        ("{input}\n\n\nSummarize it.", "Summarize it."),
        ("{input}\nSummarize it.", None),
        ("Summarize: {input}\n\nnow", None),
        ("{input}\n\nSummarize {input}", None),
        ("Summarize it.", None),
    ],
)
def test_what_is_behind_the_input(text: str, behind: str | None) -> None:
    rest = read_text(text).behind_input
    assert (None if rest is None else rest.whole()) == behind
