"""Answers in Markdown: nothing is lost, nothing moves, whatever pieces the text comes in."""

from __future__ import annotations

import base64
import re
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phicli.ui.markdown.clipboard import clipboard_sequence
from phicli.ui.markdown.code import CodeBlock
from phicli.ui.markdown.stream import MarkdownStream, code_blocks
from phicli.ui.wrapping import cells

ANSWER = """\
# Title of *it*

A paragraph with **bold words that go on** and `code x` and a [link](http://e.com/x), snake_case, 2 * 3.

- item one that is long enough to wrap at words on narrow terminals
  - nested _one_
1. ```python
   def f(x):
       return "x"
   ```
> quoted words

| a | b |
|---|--:|
| 日本 | `x` |

---
日本語のテキストはどこでも折り返すことができますから、これは長い行です。
שלום עולם, مرحبا بالعالم
    indented code
e\u0301 and 👩\u200d🚀 and the end"""
PARTS = st.sampled_from(
    (
        *("**", "*", "_", "`", "```", "```python\n", "~~~", "~~", "[", "](", ")", "|", "# ", "- ", "1. ", "> "),
        *("| a | b |\n", "|---|---|\n", "|1|2|3|\n", "\n", "\n\n", "    ", "\t", "---\n", " ", "\\", '"""'),
        *("<b>", "&amp;", "[a]: http://b.c\n", "![i](u)", "word", "日本語", "שלום", "e\u0301", "👩\u200d🚀"),
        *("\x1b[2J", "\r\n", "\x00", "x" * 50, "\u2003"),
    )
)
ANSWERS = st.one_of(st.lists(PARTS, max_size=40).map("".join), st.text(max_size=80))
WIDTHS = st.sampled_from([1, 10, 40, 80, 140])


def rendered(*pieces: str, width: int = 80, colour: bool = False) -> str:
    stream = MarkdownStream(lambda: width, colour=colour)
    return "".join(map(stream.feed, pieces)) + stream.finish()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def letters(text: str) -> Counter[str]:
    return Counter(filter(str.isalnum, text))


@given(ANSWERS, st.lists(st.integers(0, 300), max_size=8), WIDTHS, st.booleans())
@settings(deadline=None, max_examples=200)
def test_any_split_gives_the_same_output(answer: str, cuts: list[int], width: int, colour: bool) -> None:
    places = [0, *sorted(min(cut, len(answer)) for cut in cuts), len(answer)]
    pieces = [answer[start:end] for start, end in pairwise(places)]
    whole = rendered(answer, width=width, colour=colour)
    assert rendered(*pieces, width=width, colour=colour) == whole
    assert rendered(*answer, width=width, colour=colour) == whole


@given(ANSWERS, WIDTHS, st.booleans())
@settings(deadline=None, max_examples=300)
def test_everything_generated_is_printed(answer: str, width: int, colour: bool) -> None:
    assert not letters(answer) - letters(plain(rendered(answer, width=width, colour=colour)))


@given(ANSWERS)
@settings(deadline=None)
def test_a_terminal_gets_only_colors(answer: str) -> None:
    shown = plain(rendered(answer, colour=True))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown)


@pytest.mark.parametrize("width", [40, 80, 140])
def test_lines_fit_the_terminal(width: int) -> None:
    shown = plain(rendered(ANSWER, width=width, colour=True))
    assert max(map(cells, shown.splitlines())) <= width
    assert "折り返" in shown.replace("\n", "")


def test_marks_become_styles() -> None:
    shown = rendered("# Big\na **bold word** and `code`\n", colour=True)
    assert shown == "\x1b[1;4mBig\x1b[0m\na \x1b[1mbold\x1b[0m \x1b[1mword\x1b[0m and \x1b[36mcode\x1b[0m\n"


def test_text_is_printed_by_word_and_emphasis_when_it_ends() -> None:
    stream = MarkdownStream(lambda: 80, colour=False)
    shown = [stream.feed(piece) for piece in ("Hel", "lo wor", "ld and **two ", "words** en", "d")]
    assert shown == ["", "Hello", " world and", " two words", ""]
    assert stream.finish() == " end\n"


def test_emphasis_that_never_ends_does_not_hold_the_answer_back() -> None:
    stream = MarkdownStream(lambda: 80, colour=False)
    assert "**never" in stream.feed("**never " + "ends " * 100)


def test_code_is_printed_by_line_and_copies_clean() -> None:
    stream = MarkdownStream(lambda: 20, colour=False)
    assert stream.feed("```python\ndef f():\n    ret") == "[1] python\ndef f():\n"
    assert stream.feed("urn 1\n```\nafter ") == "    return 1\nafter"
    assert stream.code_blocks == (CodeBlock("python", "def f():\n    return 1\n"),)


def test_code_in_a_list_loses_the_indentation_of_the_list() -> None:
    assert code_blocks(ANSWER) == (CodeBlock("python", 'def f(x):\n    return "x"\n'),)


def test_code_without_its_end_is_a_block() -> None:
    assert code_blocks("````\n```\nx") == (CodeBlock("", "```\nx\n"),)


def test_a_string_over_several_lines_stays_a_string() -> None:
    lines = rendered('```python\nx = """a\ndef b\n"""\ny = 1\n```\n', colour=True).splitlines()
    assert lines[2] == "\x1b[33mdef b\x1b[0m"
    assert lines[4].endswith("\x1b[94m1\x1b[0m")


def test_a_table_is_laid_out_when_it_is_complete() -> None:
    stream = MarkdownStream(lambda: 40, colour=False)
    assert stream.feed("| name | n |\n|---|--:|\n| **ab** | 12 |\n") == ""
    assert stream.feed("\n") == "name    n\n─────────\nab     12\n\n"


@pytest.mark.parametrize(
    "table",
    ["| a |\n|---|\n| 1 | lost |\n", "| a | b | c | d | e | f | g | h |\n" + "|---" * 8 + "|\n| 1 |\n", "| no table\n"],
)
def test_a_table_that_would_lose_text_is_printed_as_it_is(table: str) -> None:
    assert rendered(table, width=40) == table


def test_the_clipboard_gets_the_text_as_it_is() -> None:
    sequence = clipboard_sequence("é\n`x`")
    assert base64.b64decode(sequence.removeprefix("\x1b]52;c;").removesuffix("\x07")).decode() == "é\n`x`"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (" " * 2000 + "word", ["word"]),
        ("- a\n" + " " * 2000 + "word", ["•", "a", "word"]),
        ("x" * 2000, ["x" * 2000]),
        ("日本" * 1000, ["日本" * 10] * 100),
        ("-" * 2000, ["-" * 2000]),
        ("-" * 200, ["─" * 40]),
        ("*" * 2000 + "x", ["*" * 2000 + "x"]),
    ],
)
def test_a_line_without_words_is_printed_completely(line: str, words: list[str]) -> None:
    assert rendered(line, width=40).split() == words


def test_lines_keep_their_breaks_and_blank_lines() -> None:
    assert rendered("one\r\ntwo\n\nthree") == "one\ntwo\n\nthree\n"
