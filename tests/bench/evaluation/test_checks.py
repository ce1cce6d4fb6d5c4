"""Properties of replies, each with a reply that has it and one that has not."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from phicli.bench.evaluation.checks import _MAKERS
from phicli.bench.evaluation.items import read_item

TABLE: list[tuple[dict[str, Any], str, str]] = [
    ({"check": "words", "exactly": 3}, "one two three", "one two"),
    ({"check": "words", "at_least": 2, "at_most": 3}, "one two", "one two three four"),
    ({"check": "lines", "at_most": 2}, "one\n\ntwo", "one\ntwo\nthree"),
    ({"check": "paragraphs", "exactly": 2}, "one\nmore\n\n\ntwo", "one\ntwo"),
    ({"check": "characters", "at_most": 5}, " abcde ", "abcdef"),
    ({"check": "parts", "by": ",", "exactly": 2}, "a, b", "a, b, c"),
    ({"check": "parts", "by": ",", "at_least": 1}, "a, b", "a, , b"),
    ({"check": "contains", "text": "Ab"}, "xAby", "xaby"),
    ({"check": "contains", "text": "the", "word": True, "exactly": 2}, "The cat, the dog, then", "the cat"),
    ({"check": "without", "text": "e"}, "no such sign", "hello"),
    ({"check": "without", "text": ["x", "y"]}, "abc", "aBY"),
    ({"check": "equals", "text": ["no", "no."]}, "No", "no way"),
    ({"check": "begins", "text": "In short:"}, "In short: yes", "in short: yes"),
    ({"check": "ends", "text": "Bye."}, "So long. Bye.\n", "Bye. So long."),
    ({"check": "lines_begin", "text": "- "}, "- a\n\n  - b", "- a\nb"),
    ({"check": "words_begin", "text": "b"}, "big Bears", "big ears"),
    ({"check": "words_have", "exactly": 4}, "Tree, moon!", "tree moons"),
    ({"check": "upper"}, "ALL 3 CAPITALS", "All"),
    ({"check": "upper"}, "A", "123"),
    ({"check": "lower"}, "all small", "All"),
    ({"check": "capitalised"}, "The Sea, 2 Miles Off", "The sea"),
    ({"check": "digits"}, "120", "120."),
    ({"check": "digits"}, "1", "٣"),
    ({"check": "no_digits"}, "seven", "7"),
    ({"check": "numbered"}, "1. a\n2) b", "1. a\n3. b"),
    ({"check": "sorted"}, "ant Bear cow", "bear ant"),
    ({"check": "sorted", "by": ","}, "new york, Paris, Rome.", "Rome, Paris"),
    ({"check": "different"}, "red blue", "red Red"),
    ({"check": "different", "by": ","}, "dark red, red", "red, red"),
    ({"check": "json_array", "exactly": 2}, "[1, 2]", "[1]"),
    ({"check": "json_array", "exactly": 2}, "```json\n[1, 2]\n```", '{"a": 1, "b": 2}'),
    ({"check": "json_keys", "keys": ["a", "b"]}, '{"b": 1, "a": 2}', '{"a": 1}'),
]


def item(*checks: Any) -> Any:
    return read_item(json.dumps({"question": "Do it", "compare": "checks", "checks": list(checks)}), 1)


@pytest.mark.parametrize(("check", "good", "bad"), TABLE, ids=[str(index) for index in range(len(TABLE))])
def test_each_check(check: dict[str, Any], good: str, bad: str) -> None:
    assert item(check).judge(good).reason == ""
    assert item(check).judge(bad).reason != ""


def test_every_check_is_in_the_table() -> None:
    assert {check["check"] for check, _, _ in TABLE} == set(_MAKERS)


def test_all_checks_have_to_hold_and_each_failure_is_told() -> None:
    verdict = item({"check": "words", "exactly": 2}, {"check": "upper"}).judge("only one word")
    assert verdict.reason == "words: 3, not 2; not all letters are uppercase"
    assert not item({"check": "no_digits"}).judge("   ").right


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("words", "must be an object"),
        ({"check": "haiku"}, '"check" must be one of words'),
        ({"exactly": 3}, '"check" is missing'),
        ({"check": "words"}, "a count needs"),
        ({"check": "words", "exactly": 3, "at_least": 1}, "a count needs"),
        ({"check": "words", "at_least": 3, "at_most": 1}, "less than"),
        ({"check": "words", "exactly": -1}, "whole number"),
        ({"check": "words", "exactly": True}, "whole number"),
        ({"check": "words", "exact": 3}, 'unknown field "exact"'),
        ({"check": "upper", "text": "x"}, 'unknown field "text"'),
        ({"check": "parts", "exactly": 2}, '"by" is missing'),
        ({"check": "parts", "by": "", "exactly": 2}, '"by" must be'),
        ({"check": "contains", "text": "a", "word": "yes"}, "true or false"),
        ({"check": "without", "text": []}, "a list of 1 to"),
        ({"check": "json_keys", "keys": ["a", 1]}, "each of"),
    ],
)
def test_bad_checks_are_refused(check: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        item(check)
