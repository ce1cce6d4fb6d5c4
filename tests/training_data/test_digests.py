"""How duplicates are found: by hashes of texts that differ where examples do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phicli.training_data.digests import Digests, Joiner, digest_of, encoded, joined_texts, plain_texts
from tests.training_data.examples import (
    GOOD,
    OF_THE_CARD,
    THINKING,
    WITH_TOOLS,
    numbered,
)


def test_equal_hashes_are_found_among_many() -> None:
    digests, other = Digests(), Digests()
    for number in range(1000):
        digests.add(digest_of(encoded(joined_texts(number % 990))[0]) if number != 5 else None)
        other.add(digest_of(encoded(joined_texts(number + 985))[0]))
    assert list(digests.repeated()) == [(number, number - 990) for number in range(991, 1001) if number != 996]
    many, shared = digests.shared_with(other)
    assert (many, list(shared)) == (5, [(number, 985 + number) for number in range(1, 6)])


@given(st.lists(st.integers(0, 6), max_size=40), st.lists(st.integers(0, 6), max_size=40))
def test_equal_hashes_are_found_as_by_hand(here: list[int], there: list[int]) -> None:
    def digests_of(numbers: list[int]) -> Digests:
        found = Digests()
        for number in numbers:  # the first halves of 1 and 2, of 3 and 4 ... are equal; 0 has no example
            found.add(bytes([(number + 1) // 2] * 8 + [number] * 8) if number else None)
        return found

    one, other = digests_of(here), digests_of(there)
    again = [(at + 1, here.index(n) + 1) for at, n in enumerate(here) if n and here.index(n) < at]
    both = [(at + 1, here.index(n) + 1) for at, n in enumerate(there) if n and n in here]
    many, shared = one.shared_with(other)
    assert (list(one.repeated()), many, list(shared)) == (again, len(both), both)
    assert other.examples == sum(map(bool, there))


@pytest.mark.parametrize(
    ("one", "other"),
    [(["a", "b"], ["ab", ""]), ({"a": "b"}, ["a", "b"]), ("1", 1), (1, True), ([[]], []), ({"a": ["b"]}, {"a": "b"}),
     (["1\n2"], ["1", "2"]), ("a\n1\nb", ["a", "b"])],
)  # fmt: skip
def test_different_values_have_different_joined_texts(one: Any, other: Any) -> None:
    assert joined_texts(one) != joined_texts(other)


@pytest.mark.parametrize("example", [GOOD, *map(json.loads, numbered(3))])
def test_plain_turns_have_the_joined_texts_of_any_value(example: dict[str, Any]) -> None:
    assert plain_texts(example) == joined_texts(example)


@pytest.mark.parametrize(
    "example", [WITH_TOOLS, OF_THE_CARD, THINKING, {"messages": []}, {}, [], None, {"messages": {}}]
)
def test_other_examples_are_not_plain(example: Any) -> None:
    assert plain_texts(example) is None


def test_tools_are_joined_as_any_value() -> None:
    joiner, other = Joiner(), {**WITH_TOOLS, "tools": [*WITH_TOOLS["tools"], {"name": "b"}]}
    for example in (WITH_TOOLS, GOOD, WITH_TOOLS, other, WITH_TOOLS, OF_THE_CARD, {"tools": "text", "a": 1}):
        assert joiner.texts(example) == joined_texts(example)
