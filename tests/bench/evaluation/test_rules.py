"""Replies compared with texts, numbers, patterns, choices and JSON."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from phicli.bench.evaluation.items import read_item
from phicli.bench.evaluation.patterns import LONGEST_TEXT, search
from phicli.bench.evaluation.rules import last_number


def item(**fields: Any) -> Any:
    return read_item(json.dumps({"question": "What?", **fields}), 1)


def right(reply: str, **fields: Any) -> bool:
    verdict = item(**fields).judge(reply)
    assert verdict.right == (not verdict.reason)
    return bool(verdict.right)


@pytest.mark.parametrize(
    ("reply", "answer", "expected"),
    [
        ("Paris", "Paris", True),
        ("  PARIS \n", "paris", True),
        ("New   York\tCity", "new york city", True),
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}", True),
        ("Straße", "STRASSE", True),
        ("Paris.", "Paris", False),
        ("It is Paris", "Paris", False),
        ("four", ["4", "four"], True),
        ("five", ["4", "four"], False),
        ("", "x", False),
    ],
)
def test_exact(reply: str, answer: Any, expected: bool) -> None:
    assert right(reply, compare="exact", answer=answer) is expected


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", "42"),
        ("The answer is 42.", "42"),
        ("1,234.50", "1234.50"),
        ("12,345,678", "12345678"),
        ("It costs $1,250", "1250"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("\N{MINUS SIGN}7 degrees", "-7"),
        ("minus sign: -3", "-3"),
        ("+3", "3"),
        ("5-3", "3"),
        ("10 - 3 = 7", "7"),
        ("pages 3-5", "5"),
        (".5", "0.5"),
        ("about 2.5e3 metres", "2500"),
        ("1E-2", "0.01"),
        ("50%", "50"),
        ("€ 3", "3"),
        ("1, 2 and 3", "3"),
        ("1,2,3", "3"),
        ("12,3456", "3456"),
        ("**\\boxed{88}**", "88"),
        ("9/16", "16"),
        ("5 eggs", "5"),
        ("12.", "12"),
        ("٣ and 4", "4"),
    ],
)
def test_the_last_number(text: str, number: str) -> None:
    assert last_number(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "none", "-", "$", "٣", "1" * 300])
def test_no_number(text: str) -> None:
    assert last_number(text) is None


@pytest.mark.parametrize(
    ("reply", "fields", "expected"),
    [
        ("3.0", {"answer": 3}, True),
        ("0.1 + 0.2 = 0.3", {"answer": 0.3}, True),
        ("3.14", {"answer": 3.14159, "tolerance": 0.01}, True),
        ("3.1", {"answer": 3.14159, "tolerance": 0.01}, False),
        ("3.001", {"answer": 3}, False),
        ("12345678901234567890123456789012345678901", {"answer": 12345678901234567890123456789012345678902}, False),
        ("no idea", {"answer": 3}, False),
        ("-2", {"answer": 2}, False),
    ],
)
def test_numbers_within_a_tolerance(reply: str, fields: dict[str, Any], expected: bool) -> None:
    assert right(reply, compare="number", **fields) is expected


CAPITALS = {"compare": "choice", "choices": ["Paris", "Rome", "New York", "A coast"], "answer": "B"}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("B", True),
        ("b", True),
        ("(B)", True),
        ("B.", True),
        ("**B**", True),
        ("B) Rome", True),
        ("B. Because it is old, unlike Paris", True),
        ("Rome", True),
        ("rome!", True),
        ("It must be Rome, I think.", True),
        ("The answer is B", True),
        ("First I thought the answer is A.\nBut the answer is: **B**.", True),
        ("Answer: B\n", True),
        ("C", False),
        ("Paris or Rome", False),
        ("The answer is a city", False),
        ("A city", False),
        ("Romeo", False),
        ("E", False),
        ("I do not know", False),
    ],
)
def test_choices(reply: str, expected: bool) -> None:
    assert right(reply, **CAPITALS) is expected


def test_the_answer_to_a_choice_may_be_its_text_and_the_choices_are_shown() -> None:
    asked = item(compare="choice", choices=["Paris", "Rome"], answer="rome")
    assert asked.judge("b").right
    assert asked.prompt == "What?\n\nA. Paris\nB. Rome\n\nAnswer with the letter of the right choice."
    assert asked.rule.expected == "B. Rome"


@pytest.mark.process
@pytest.mark.parametrize(
    ("reply", "pattern", "expected"),
    [
        ("It has eight legs", r"\beight\b", True),
        ("It has Eight legs", r"\beight\b", False),
        ("It has Eight legs", r"(?i)\beight\b", True),
        ("abc", r"^b", False),
        ("x" * (LONGEST_TEXT + 10) + "needle", "needle", False),
    ],
)
def test_patterns(reply: str, pattern: str, expected: bool) -> None:
    assert right(reply, compare="regex", answer=pattern) is expected


@pytest.mark.process
def test_a_pattern_that_never_ends_is_ended() -> None:
    assert search(r"^(a+)+$", "a" * 60 + "!", timeout_s=0.5) is None
    verdict = item(compare="regex", answer=r"^(a+)+$").judge("a" * 60 + "!")
    assert not verdict.right
    assert "took longer" in verdict.reason


@pytest.mark.parametrize(
    ("reply", "fields", "expected"),
    [
        ('{"a": 1}', {"answer": {"a": 1}}, True),
        ('{"a": 1.0}', {"answer": {"a": 1}}, True),
        ('{"a": true}', {"answer": {"a": 1}}, False),
        ('{"a": 1, "b": 2}', {"answer": {"a": 1}}, False),
        ('{"a": 1, "b": 2}', {"answer": {"a": 1}, "match": "subset"}, True),
        ('{"a": {"x": 1, "y": 2}}', {"answer": {"a": {"x": 1}}, "match": "subset"}, True),
        ('{"b": 2}', {"answer": {"a": 1}, "match": "subset"}, False),
        ("[1, 2]", {"answer": [1, 2]}, True),
        ("[2, 1]", {"answer": [1, 2]}, False),
        ("[1, 2, 3]", {"answer": [1, 2], "match": "subset"}, False),
        ("null", {"answer": None}, True),
        ('Here it is:\n```json\n{"a": 1}\n```\n', {"answer": {"a": 1}}, True),
        ("```\n1\n```\n```\n2\n```", {"answer": 2}, False),
        ('It is {"a": 1}', {"answer": {"a": 1}}, False),
        ("NaN", {"answer": None}, False),
        ("1e999999999", {"answer": 1}, False),
        ("[" * 100_000, {"answer": 1}, False),
        ('{"n": "x", "age": 3}', {"keys": {"n": "string", "age": "integer"}}, True),
        ('{"n": "x", "age": 3.5}', {"keys": {"n": "string", "age": "integer"}}, False),
        ('{"n": "x", "age": 1e900}', {"keys": {"n": "string", "age": "integer"}}, True),
        ('{"n": "x"}', {"keys": {"n": "string", "age": "integer"}}, False),
        ('{"n": "x", "age": 3, "more": 1}', {"keys": {"n": "string", "age": "integer"}}, False),
        ('{"n": true}', {"keys": {"n": "number"}}, False),
        ('{"n": null}', {"keys": {"n": "null"}}, True),
        ('{"n": []}', {"keys": {"n": "array"}}, True),
        ('["n"]', {"keys": {"n": "any"}}, False),
    ],
)
def test_json(reply: str, fields: dict[str, Any], expected: bool) -> None:
    assert right(reply, compare="json", **fields) is expected
