"""Answers are checked when they are there: values, problems with their places, texts that our own limit ended."""

from __future__ import annotations

import socket
from typing import Any, NoReturn

import pytest

from phicli.engine.constraint import Constraint
from phicli.errors import UsageError
from phicli.structured.form import SchemaForm, TextForm
from phicli.structured.grammars import choice_form, grammar_form, regex_form
from phicli.structured.limits import USUAL_TOKENS, limits_for

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name"],
}


def problems(schema: Any, text: str) -> tuple[str, ...]:
    return SchemaForm(schema).check(text, None).problems


def test_an_answer_that_matches_has_its_value_and_no_problems() -> None:
    checked = SchemaForm(PERSON).check('{"name": "Marie", "age": 66}', None)
    assert (checked.value, checked.problems) == ({"name": "Marie", "age": 66}, ())


@pytest.mark.parametrize(
    ("schema", "text", "problem"),
    [
        (PERSON, '{"name": "Ma', "the answer is not JSON: Unterminated string"),
        (PERSON, "", "the answer is not JSON"),
        (PERSON, '{"age": 1}', "/: 'name' is a required property"),
        (PERSON, '{"name": "x", "age": "old"}', "/age: 'old' is not of type 'integer'"),
        ({"uniqueItems": True}, "[1, 1]", "/: [1, 1] has non-unique elements"),
        ({"format": "date"}, '"2025-02-30"', "/: '2025-02-30' is not a 'date'"),
        ({"pattern": "(?=a)ab"}, '"ba"', "/: 'ba' does not match"),
        ({"type": "number"}, "1e999", "a number is too large"),
        ({"multipleOf": 0.5}, "[1e400]", "a number is too large"),
        (True, "[" * 5000 + "]" * 5000, "the answer is not JSON"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(schema: Any, text: str, problem: str) -> None:
    assert problems(schema, text)[0].startswith(problem)


def test_a_text_that_our_own_limit_ended_is_not_an_answer() -> None:
    longest = limits_for(PERSON, None).characters
    whole, cut = "x" * (longest - 1), "x" * longest
    assert problems(PERSON, f'{{"name": "{whole}"}}') == ()
    assert problems(PERSON, f'{{"name": "{cut}"}}') == (f"/name: the text did not end within {longest} characters",)


def test_a_schema_without_an_end_is_an_error() -> None:
    with pytest.raises(UsageError, match="refers to itself without an end"):
        problems({"allOf": [{"$ref": "#"}]}, "1")


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_connection(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "socket", no_connection)
    monkeypatch.setattr(socket, "create_connection", no_connection)
    with pytest.raises(UsageError, match="never downloaded"):
        SchemaForm({"$ref": "http://127.0.0.1:9/schema.json"})


def test_choices() -> None:
    form = choice_form('yes, no,say "hi"\\n')
    assert form.constraint == Constraint("gbnf", 'root ::= "yes" | "no" | "say \\"hi\\"\\\\n"')
    assert form.check("no", None).problems == ()
    assert form.check("yes!", None).problems
    for wrong in ("yes", "", "yes,", "a,a"):
        with pytest.raises(UsageError, match=r"^--choice"):
            choice_form(wrong)


@pytest.mark.parametrize(
    ("typed", "lark"),
    [
        (r"\d{3}", "[0-9]{3}"),
        (r"[\d.]+", "[0-9.]+"),
        (r"a/b\\d", r"a\/b\\d"),
        ("a\nb", r"a\nb"),
    ],
)
def test_regular_expressions_are_written_for_lark(typed: str, lark: str) -> None:
    assert regex_form(typed).constraint == Constraint("regex", lark)


def test_regular_expressions_are_checked() -> None:
    assert regex_form("[a-z]+").check("abc", None).problems == ()
    assert regex_form("[a-z]+").check("abc ", None).problems == ("'abc ' does not match --regex",)
    for wrong in ("(", ""):
        with pytest.raises(UsageError, match="--regex is"):
            regex_form(wrong)


def test_grammars_are_files(tmp_path: Any) -> None:
    (tmp_path / "a.gbnf").write_text('root ::= "a"')
    (tmp_path / "a.lark").write_text('%llguidance {}\nstart: "a"\n')
    (tmp_path / "empty").write_text("\n")
    form = grammar_form(str(tmp_path / "a.gbnf"))
    assert (form.constraint, form.check("anything", None).problems) == (Constraint("gbnf", 'root ::= "a"'), ())
    assert grammar_form(str(tmp_path / "a.lark")).constraint == Constraint("lark", 'start: "a"\n')
    with pytest.raises(UsageError, match="is empty"):
        grammar_form(str(tmp_path / "empty"))


def test_what_the_engine_is_asked_for_ends_with_any_json_at_all() -> None:
    first, without_limits, anything = SchemaForm(PERSON).constraints(100)
    assert '"maxLength": 100' in first.text
    assert "maxLength" not in without_limits.text
    assert anything.language == "json_schema"
    assert '"type": "object"' in anything.text
    assert '"name"' not in anything.text
    assert isinstance(choice_form("a,b"), TextForm)
    assert USUAL_TOKENS == 2048


def test_an_integer_that_reached_the_limit_of_digits_does_not_count_as_one() -> None:
    """The model had more to say: with fewer tokens ``42`` would become ``4``."""
    form = SchemaForm({"type": "array", "items": {"type": "integer"}})
    assert form.check("[7, 42]", None).problems == ()
    assert form.check(f"[7, {10**18 - 1}]", None).problems == (
        "/1: the number did not end within the limit of digits, 18",
    )
    assert form.check("[4]", 3).problems == ("/0: the number did not end within the limit of digits, 1",)
    assert SchemaForm({"type": "integer", "maximum": 10**18}).check(str(10**18 - 1), None).problems == ()


DIGITS, PLACES = (
    "the number did not end within the limit of digits, {}",
    "the number did not end within 9 decimals; set multipleOf, e.g. 0.01",
)
SENTENCE, LIST = "the text did not end within {} characters", "the list did not end within {} items"


@pytest.mark.parametrize(
    ("schema", "text", "problem"),
    [
        ({"type": "number"}, "3.141592653", f"/: {PLACES}"),
        ({"type": "number"}, "3.14159265", ""),
        ({"type": "number"}, "1.500000000", f"/: {PLACES}"),
        ({"type": "number"}, "-0.123456789", f"/: {PLACES}"),
        ({"type": "number"}, "8123456789", ""),
        ({"type": "number"}, "812345678912345", f"/: {DIGITS.format(15)}"),
        ({"type": "number"}, "-812345678912345.5", f"/: {DIGITS.format(15)}"),
        ({"type": "number", "multipleOf": 1e-9}, "3.141592653", ""),
        ({"type": "number", "minimum": 0, "maximum": 1}, "0.333333333", f"/: {PLACES}"),
        ({"type": "number", "minimum": 0, "maximum": 10**14}, "100000000000000", ""),
        ({"type": ["number", "null"]}, "null", ""),
        ({"type": "integer", "minimum": 0}, "123456789012345678", f"/: {DIGITS.format(18)}"),
        ({"type": "integer", "maximum": 9}, "-123456789012345678", f"/: {DIGITS.format(18)}"),
        ({"type": "integer", "minimum": 0, "maximum": 2**64}, "1844674407370955161", f"/: {DIGITS.format(19)}"),
        ({"type": "integer", "minimum": 10**18}, "1844674407370955161", ""),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "123456789012345678", f"/: {DIGITS.format(18)}"),
        ({"anyOf": [{"type": "integer"}, {"const": 123456789012345678}]}, "123456789012345678", ""),
        (
            {"properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "number"}}},
            '{"a": 0.123456789}',
            f"/a: {PLACES}",
        ),
        ({"type": "object"}, '{"a": [0.123456789]}', f"/a/0: {PLACES}"),
        ({"type": "object", "properties": {"id": {"type": "integer"}, "n": {"type": "number"}}},
         '{"id": 123456789012345, "n": 1}', ""),
        ({"type": "string", "maxLength": 2048}, f'"{"x" * 2048}"', ""),
        ({"type": "string", "format": "email"}, f'"a@{"x" * 78}"', f"/: {SENTENCE.format(80)}"),
        ({"type": "string", "format": "date"}, '"2026-11-28"', ""),
        ({"type": "string", "minLength": 4000}, f'"{"x" * 8000}"', f"/: {SENTENCE.format(8000)}"),
        ({"type": "array", "items": {"const": 1}}, f"[{'1,' * 1023}1]", f"/: {LIST.format(1024)}"),
        ({"type": "array", "items": {"const": 1}, "maxItems": 1024}, f"[{'1,' * 1023}1]", ""),
        ({"type": "object"}, f'{{"{"x" * 60}": 1}}', "/: a name did not end within 60 characters"),
        ({"type": "object", "properties": {"x" * 60: True}}, f'{{"{"x" * 60}": 1}}', ""),
        ({"not": {"type": "string"}}, "1", ""),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "type": "number"}, "0.123456789", f"/: {PLACES}"),
    ],
)  # fmt: skip
def test_a_value_that_our_limit_cut_off_is_not_an_answer(schema: Any, text: str, problem: str) -> None:
    assert problems(schema, text) == ((problem,) if problem else ())


def test_the_value_of_an_answer_has_plain_numbers() -> None:
    assert type(SchemaForm({"type": "number"}).check("0.5", None).value) is float


STRINGS = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "goes_on"),
    [
        ({"type": "array", "items": {"type": "integer"}}, True),
        ({"type": "array", "items": {"type": "integer"}, "maxItems": 500}, False),
        ({"type": "array", "items": STRINGS, "maxItems": 5}, True),
        ({"type": "array", "items": STRINGS | {"maxLength": 9}, "maxItems": 5}, False),
        ({"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 60, "maxItems": 60}, False),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"const": 1}}}}, True),
        ({"type": "object", "properties": {"day": {"type": "string", "format": "date"}}}, False),
        ({"type": "object", "properties": {"city": STRINGS}}, True),
        ({"type": "object"}, True),
        ({}, True),
        ({"type": "number"}, False),
    ],
)
def test_a_schema_whose_values_have_lengths_cannot_go_on(schema: Any, goes_on: bool) -> None:
    assert SchemaForm(schema).to_limit == ("use a --schema with maxItems and maxLength" if goes_on else "")


@pytest.mark.parametrize(
    ("typed", "goes_on"),
    [("[0-9]+", True), (".*", True), ("(ab){3,}", True), ("a{1,500}", False), (r"[+*]\+\*", False), ("[]+]x", False)],
)
def test_a_regular_expression_with_numbers_of_repetitions_cannot_go_on(typed: str, goes_on: bool) -> None:
    assert bool(regex_form(typed).to_limit) == goes_on
    assert not choice_form("a,b").to_limit


def test_a_name_that_occurs_twice_is_wrong() -> None:
    form = SchemaForm({"type": "object"})
    assert form.check('{"a":1,"a":2}', None).problems == ("the key 'a' occurs twice in one object",)
    assert form.check('{"b":[{"a":1,"a":1}]}', None).problems == ("the key 'a' occurs twice in one object",)
    assert form.check('{"a":1,"b":{"a":2}}', None).problems == ()
