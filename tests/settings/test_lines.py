"""Lines of keys in texts that people write, in every form that TOML has."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import pytest

from phicli.settings.key import KeyPath
from phicli.settings.lines import key_lines, key_parts, line_of, statements, written

EVERYTHING = '''\
# a comment with = and [brackets]
model = "phi-4-mini" # behind it
"quoted key" = 1
'literal.key' = 2
dotted.inside . "of it" = 3
text = """
not = "a key"
[not.a.table]
\\"""
"""
literal = \'\'\'
not = 'a key'\'\'\'
array = [ # one
  "a = 1", # two ]
  [2, 3],
]
inline = { a = 1, b = { c = "}" } }
date = 2024-01-01T00:00:00Z
empty = ""
quotes = """a""""

[chat] # comment
max_tokens = 0
  system = 'say "hi"'

[ profile . "very fast" . chat ]
seed = 1

[[list.of]]
x = 1
[[list.of]]
x = 2
'''


def test_every_form() -> None:
    lines = key_lines(EVERYTHING)
    assert lines == {
        ("model",): 2,
        ("quoted key",): 3,
        ("literal.key",): 4,
        ("dotted",): 5,
        ("dotted", "inside"): 5,
        ("dotted", "inside", "of it"): 5,
        ("text",): 6,
        ("literal",): 11,
        ("array",): 13,
        ("inline",): 17,
        ("date",): 18,
        ("empty",): 19,
        ("quotes",): 20,
        ("chat",): 22,
        ("chat", "max_tokens"): 23,
        ("chat", "system"): 24,
        ("profile",): 26,
        ("profile", "very fast"): 26,
        ("profile", "very fast", "chat"): 26,
        ("profile", "very fast", "chat", "seed"): 27,
        ("list",): 29,
        ("list", "of"): 29,
        ("list", "of", "x"): 30,
    }


def test_what_is_found_is_what_tomllib_reads() -> None:
    def keys(tables: Mapping[str, Any], above: KeyPath = ()) -> set[KeyPath]:
        found = {(*above, name) for name in tables}
        for name, value in tables.items():
            if isinstance(value, Mapping) and name != "inline":
                found |= keys(value, (*above, name))
            elif isinstance(value, list) and value and isinstance(value[0], Mapping):
                found |= keys(value[0], (*above, name))
        return found

    assert set(key_lines(EVERYTHING)) == keys(tomllib.loads(EVERYTHING))


def test_a_statement_ends_behind_its_value() -> None:
    texts = {one.key: EVERYTHING[one.start : one.end] for one in statements(EVERYTHING)}
    assert texts["model",] == 'model = "phi-4-mini"'
    assert texts["array",].endswith("[2, 3],\n]")
    assert texts["chat",] == "[chat]"
    assert texts["list", "of"] == "[[list.of]]"
    values = {one.key: EVERYTHING[one.value : one.end] for one in statements(EVERYTHING)}
    assert values["inline",] == '{ a = 1, b = { c = "}" } }'
    assert values["quotes",] == '"""a""""'
    assert values["chat",] == ""


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment", "# one\n# two\n"])
def test_nothing(text: str) -> None:
    assert key_lines(text) == {}


@pytest.mark.parametrize("text", ["a = 1", "a = 1\r\nb = 2\r\n", "a=1#x\nb=2"])
def test_other_line_breaks_and_no_space(text: str) -> None:
    assert key_lines(text) == {(name,): line for line, name in enumerate(tomllib.loads(text), 1)}


def test_the_closest_table_has_the_line_of_what_is_inside_an_inline_one() -> None:
    lines = key_lines("a = 1\nchat = { seed = 1 }\n")
    assert line_of(lines, ("chat", "seed")) == 2
    assert line_of(lines, ("nothing",)) == 1


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("chat.max_tokens", ("chat", "max_tokens")),
        ('profile."very fast".model', ("profile", "very fast", "model")),
        ("'a.b'.c", ("a.b", "c")),
        ("", None),
        ("a..b", None),
        ("a.", None),
        ("a b", None),
        ('"a', None),
        ('"\\q"', None),
    ],
)
def test_keys_as_they_are_typed(typed: str, parts: KeyPath | None) -> None:
    assert key_parts(typed) == parts
    if parts is not None:
        assert key_parts(written(parts)) == parts


def test_many_lines_take_no_time() -> None:
    text = "".join(f"key_{number} = {number}\n" for number in range(50_000))
    assert key_lines(text)["key_49999",] == 50_000
