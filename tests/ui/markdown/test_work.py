"""Rendering takes work in proportion to the length of an answer, whatever is in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from markdown_it.rules_core import StateCore

from phicli.ui.markdown import inline
from phicli.ui.markdown.stream import MarkdownStream


class ParsedCharacters:
    """How many characters the parser has read: a rule of the parser that counts."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, state: StateCore) -> None:
        self.count += len(state.src)

    def of(self, text: str) -> int:
        """The number for rendering one answer, letter by letter."""
        self.count = 0
        stream = MarkdownStream(lambda: 80, colour=False)
        for letter in text:
            stream.feed(letter)
        stream.finish()
        return self.count


@pytest.fixture
def parsed() -> Iterator[ParsedCharacters]:
    counter = ParsedCharacters()
    inline.parser.cache_clear()
    inline.parser().core.ruler.before("normalize", "count", counter)
    yield counter
    inline.parser.cache_clear()


@pytest.mark.parametrize(
    "word",
    ["**a ", "*a* ", "`a ", "[a ", "[a](b ", "<a ", "~~a ", "\\(a ", "**日", "**a " + "日本語" * 100, "__a ", "$a "],
)
def test_marks_that_never_end(parsed: ParsedCharacters, word: str) -> None:
    text = word * (4000 // len(word))
    short, long = parsed.of(text), parsed.of(text * 2)
    assert long <= 2.2 * short + 600
    assert long <= 12 * len(text * 2)


@pytest.mark.parametrize("start", ["# ", "| ", "- ", "> ", "```\n", "\\[\n", "    "])
def test_long_lines_of_every_kind(parsed: ParsedCharacters, start: str) -> None:
    text = start + "**a | " * 1000
    assert parsed.of(text) <= 12 * len(text)


def test_an_end_that_comes_late_is_still_waited_for() -> None:
    stream = MarkdownStream(lambda: 80, colour=True)
    assert stream.feed("**" + "word `x` and " * 12) == ""
    assert "\x1b[1mword\x1b[0m" in stream.feed("end** .")
