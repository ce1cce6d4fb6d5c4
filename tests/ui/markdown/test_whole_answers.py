"""Whole answers at the widths of terminals: what was generated is what is printed, in lines that fit."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phicli.ui.markdown.stream import MarkdownStream
from phicli.ui.wrapping import cells
from tests.ui.markdown.answers import ANSWERS, Part

WIDTHS = pytest.mark.parametrize("width", [40, 80, 140])


def rendered(*pieces: str, width: int) -> str:
    stream = MarkdownStream(lambda: width, colour=True)
    return "".join(map(stream.feed, pieces)) + stream.finish()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)


@WIDTHS
@given(ANSWERS, st.lists(st.integers(0, 2000), max_size=8))
@settings(deadline=None)
def test_any_split_gives_the_same_output(width: int, answer: Part, cuts: list[int]) -> None:
    text = answer.source
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    whole = rendered(text, width=width)
    assert rendered(*(text[start:end] for start, end in pairwise(places)), width=width) == whole
    assert rendered(*text, width=width) == whole


@WIDTHS
@given(ANSWERS)
@settings(deadline=None)
def test_every_word_is_printed_in_its_order(width: int, answer: Part) -> None:
    shown = re.sub(r"[\s▌]+", "", plain(rendered(answer.source, width=width)))
    place = 0
    for word in answer.words:
        found = shown.find(word, place)
        assert found >= 0, f"{word!r} is not in {shown[place:]!r}"
        place = found + len(word)


@WIDTHS
@given(ANSWERS)
@settings(deadline=None)
def test_every_line_of_code_is_printed_as_it_is(width: int, answer: Part) -> None:
    lines = iter(plain(rendered(answer.source, width=width)).split("\n"))
    for code in answer.code:
        assert code in lines  # goes on behind it


@WIDTHS
@given(ANSWERS)
@settings(deadline=None)
def test_lines_of_prose_fit_the_terminal(width: int, answer: Part) -> None:
    for line in plain(rendered(answer.source, width=width)).split("\n"):
        words = re.sub(r"^[ ▌]*([•\d.)]+ )?", "", line)
        assert cells(line) <= width or line in answer.code or " " not in words, line
