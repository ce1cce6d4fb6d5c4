"""The brake for runaway answers: what it ends, and what it lets through."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from phicli.answering.repetition import Repetition
from phicli.engine.types import Chunk
from tests.support.regular_answers import REGULAR_ANSWERS

Tokens = Callable[[str], Iterator[str]]


def letters(text: str) -> Iterator[str]:
    """A token for each character: the worst vocabulary."""
    yield from text


def words(text: str) -> Iterator[str]:
    """Tokens about as those of large vocabularies."""
    yield from re.findall(r" ?[^\W\d]+|\d{1,3}| ?[^\w\s]{1,16}|\s+?(?=\s)|\s", text)


def seen_after(text: str, tokens: Tokens = letters) -> int | None:
    """The number of tokens after which the brake ends ``text``; None where it lets all of it through."""
    brake = Repetition()
    for count, token in enumerate(tokens(text), 1):
        if brake.add(Chunk(token, (ord(token[0]),), 1)):
            return count
    return None


def test_there_are_twenty_regular_answers() -> None:
    assert len(REGULAR_ANSWERS) == 20


@pytest.mark.parametrize("tokens", [letters, words])
@pytest.mark.parametrize("name", REGULAR_ANSWERS)
def test_a_regular_answer_is_not_cut(name: str, tokens: Tokens) -> None:
    text = REGULAR_ANSWERS[name]
    assert "".join(tokens(text)) == text
    assert seen_after(text, tokens) is None
    assert seen_after(f"Here it is:\n\n{text}\nThat is all. {text}", tokens) is None


@pytest.mark.parametrize(
    "part", ["a", "ab", "I am a loop. ", "é日😀 ", "The answer is 42, since it always was.\n"], ids=len
)
def test_a_loop_is_ended_soon_after_eight_times_and_two_hundred_tokens(part: str) -> None:
    least = max(200, 8 * len(part))
    lead = "It begins like any other answer.\n"
    found = seen_after(lead + part * 4000)
    assert found is not None
    assert len(lead) + least <= found + len(part)
    assert found <= len(lead) + least + len(part) + (32 if len(part) <= 32 else 256)


def test_a_loop_of_a_whole_page_is_ended() -> None:
    page = "".join(f"Line {number} of a page that comes again.\n" for number in range(40))
    found = seen_after(page * 60)
    assert found is not None
    assert found <= 8 * len(page) + 2048


def test_less_than_eight_times_or_two_hundred_tokens_is_no_loop() -> None:
    assert seen_after("a" * 199 + "b") is None
    assert seen_after(("x" * 100 + "y" * 100) * 7) is None


def test_a_tail_in_a_code_block_is_let_through() -> None:
    rows = "    0, 0, 0, 0, 0, 0, 0, 0,\n" * 60
    for fence in ("```", "~~~~", "   ```"):
        assert seen_after(f"The matrix:\n\n{fence}python\n{rows}{fence.strip()}\nThat is all.\n") is None
    assert seen_after(f"The matrix:\n\n{rows}") is not None


def test_code_blocks_that_repeat_are_a_loop() -> None:
    assert seen_after("Try this:\n\n```sh\nls -l | sort | uniq -c\n```\n\n" * 40) is not None


def test_a_loop_behind_a_code_block_is_ended() -> None:
    assert seen_after("```\nx = 1\n```\n" + "and again " * 60) is not None


def test_a_loop_in_a_code_block_is_known_where_a_larger_context_would_be_needed() -> None:
    brake = Repetition()
    for letter in "```\n" + "0, " * 100:
        assert not brake.add(Chunk(letter, (ord(letter),), 1))
    assert brake.now()


def test_tokens_without_text_repeat_too() -> None:
    brake = Repetition()
    assert any(brake.add(Chunk("", (7,), 1)) for _ in range(300))
    other = Repetition()
    assert not any(other.add(Chunk("", (number,), 1)) for number in range(300))


def test_characters_of_several_tokens_count_as_those() -> None:
    brake = Repetition()
    found = next(count for count in range(1, 300) if brake.add(Chunk("😀", None, 3)))
    assert 200 <= 3 * found <= 200 + 3 * 32
