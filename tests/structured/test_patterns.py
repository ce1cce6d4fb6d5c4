"""The check of an answer ends in time, whatever regular expression is in the schema."""

from __future__ import annotations

from typing import Any

import pytest

from phicli.chat_format.types import ToolCall
from phicli.structured.checking import check_schema
from phicli.structured.dialect import compiled
from phicli.structured.form import SchemaForm
from phicli.structured.grammars import regex_form
from phicli.structured.patterns import matches, search, time_for_searches
from phicli.tools.checking import wrong_calls
from phicli.tools.types import Tool

SLOW = r"^(?:(?:a|a|aa)+b|a+!)$"
"""Matches some letters and a mark, but not before all ways to read the letters were tried."""
NAMES = {"patternProperties": {"^x": {"type": "integer"}}}
CASES: tuple[tuple[Any, str], ...] = (
    ({"type": "string", "pattern": "^x"}, '"x"'),
    ({"type": "object", **NAMES, "additionalProperties": False, "maxProperties": 2}, '{"x": 1}'),
    ({"type": "object", **NAMES, "unevaluatedProperties": False, "maxProperties": 2}, '{"x": 1}'),
    ({"type": "object", "propertyNames": {"pattern": "^x"}, "maxProperties": 2}, '{"x": 1}'),
    ({"$schema": "http://json-schema.org/draft-07/schema#", "type": "string", "pattern": "^x"}, '"x"'),
    ({"$schema": "https://json-schema.org/draft/2019-09/schema", "type": "object", **NAMES,
      "unevaluatedProperties": False, "maxProperties": 2}, '{"x": 1}'),
    ({"type": "array", "maxItems": 2, "items": {"$schema": "http://json-schema.org/draft-07/schema#",
                                               "type": "string", "pattern": "^x"}}, '["x"]'),
)  # fmt: skip


@pytest.mark.parametrize(("schema", "text"), CASES)
def test_every_word_with_a_pattern_keeps_to_the_time(schema: Any, text: str) -> None:
    form = SchemaForm(schema)
    assert form.check(text, None).problems == ()
    with time_for_searches(0):
        assert form.check(text, None).problems != ()


def test_a_search_that_takes_too_long_does_not_match() -> None:
    assert search(SLOW, "a" * 8 + "!")
    with time_for_searches(0.001):
        assert not search(SLOW, "a" * 20 + "!")
        assert not matches(SLOW, "a" * 20 + "!")


def test_the_time_is_for_all_searches_together() -> None:
    with time_for_searches(0), time_for_searches(60):
        assert not search("a", "a")
    assert search("a", "a")


def test_constants_in_a_schema_are_compared_with_its_pattern_in_time() -> None:
    assert check_schema({"type": "string", "const": "x", "pattern": "^x"})
    with time_for_searches(0), pytest.raises(Exception, match="no answer can match the schema"):
        check_schema({"type": "string", "const": "x", "pattern": "^x"})


def test_calls_of_tools_are_checked_in_time() -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string", "pattern": "^P"}}}
    calls, tools = [ToolCall("weather", {"city": "Paris"})], [Tool("weather", "", parameters)]
    assert wrong_calls(calls, "", tools) is None
    with time_for_searches(0):
        assert "does not match" in (wrong_calls(calls, "", tools) or "")


def test_an_answer_is_compared_with_a_regular_expression_in_time() -> None:
    form = regex_form("a+!")
    assert form.check("aa!", None).problems == ()
    with time_for_searches(0):
        assert form.check("aa!", None).problems != ()


@pytest.mark.parametrize(
    "pattern", ["[[:alpha:]]", "[^[]", r"[\[[]", "^a{e}$", "a{}", "a{,2}$", r"\N{BULLET}", r"[]\]]"]
)
@pytest.mark.parametrize("text", ["a", "b", "[", ":]", "a]", "a{e}", "a{}", "aa", "•", "]", ""])
def test_patterns_mean_what_they_mean_in_python(pattern: str, text: str) -> None:
    assert search(pattern, text) is (compiled(pattern).search(text) is not None)
