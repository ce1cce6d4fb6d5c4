"""Answers as reasoning models write them: code and JSON with tags, several languages, tags that are missing or odd.

Each is fed whole, in single characters, and in any other way, with its tags as tokens of the vocabulary or as letters.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phicli.chat_format.reasoning import ReasoningSplitter
from phicli.chat_format.think_tags import TAGS
from phicli.chat_format.types import Piece

_TAG = re.compile(f"({'|'.join(map(re.escape, TAGS))})")
XML = "```xml\n<answer>\n<think>\nwhy\n</think>\n</answer>\n```"
PARSER = '```python\nbody = text.split("</think>", 1)[-1]\nassert "<think>" not in body\n```'
JSON = '{"think": "<think>", "end": "</think>", "sum": 4}'

ANSWERS = {
    "usual": ("<think>\nTwo and two is four.\n</think>\n\nThe answer is **4**.", "The answer is **4**."),
    "without line breaks": ("<think>Two and two is four.</think>4", "4"),
    "Phi-4-reasoning speaks of its format": (
        "<think>User asks 2+2. I have to use <think> and </think> tags for the Thought section.\n</think>\n\n4.",
        "4.",
    ),
    "it quotes its system prompt": (
        '<think>The format is "<think> {Thought section} </think> {Solution section}". Fine.</think>\n\nIt is 4.',
        "It is 4.",
    ),
    "it plans the tag in backticks": ("<think>Then I close with `</think>`.\nOK.\n</think>\n\nFour.", "Four."),
    "code with tags in the answer": (f"<think>\nA parser.\n</think>\n\nUse this:\n{PARSER}", f"Use this:\n{PARSER}"),
    "code with tags in both": (f"<think>\nTry:\n{PARSER}\nGood.\n</think>\n\n{PARSER}", PARSER),
    "an example in XML": (f"<think>\nAn example.\n</think>\n\n{XML}\nThat is it.", f"{XML}\nThat is it."),
    "an example in XML while it reasons": (f"<think>\nDraft:\n{XML}\nGood.\n</think>\n\nDone.", "Done."),
    "a block of code that never closes": ("<think>\n```py\nx = 4\n</think>\n\nx is 4.", "x is 4."),
    "JSON": (f"<think>\nJSON, then.\n</think>\n\n{JSON}", JSON),
    "JSON while it reasons": (f"<think>\nI write {JSON} now.\n</think>\n\n{{}}", "{}"),
    "German": ("<think>\nAlso: zwei und zwei …\n</think>\n\nDas Ergebnis ist „4“.", "Das Ergebnis ist „4“."),
    "Chinese": ("<think>好的，我来想一想。「二加二」是四。</think>\n\n答案是四。", "答案是四。"),  # noqa: RUF001
    "German in quotes": ("<think>\nIch ende mit „</think>“, dann.\n</think>\n\nVier.", "Vier."),
    "Japanese in quotes": ("<think>「</think>」で終わる。\n</think>\n\n四です。", "四です。"),
    "Arabic": ("<think>\nاثنان واثنان\n</think>\n\nأربعة.", "أربعة."),  # noqa: RUF001
    "Russian": ("<think>\nДва и два, это четыре.\n</think>\n\nЧетыре.", "Четыре."),  # noqa: RUF001
    "emoji": ("<think>🤔 hm 👩‍👩‍👧</think>👍 4", "👍 4"),
    "reasoning that is empty": ("<think>\n\n</think>\n\nFour.", "Four."),
    "opened twice": ("<think>\n<think>\nTwo.\n</think>\n\nFour.", "Four."),
    "closed twice": ("<think>Two.</think>\n</think>\n\nFour.", "Four."),
    "two blocks": ("<think>\nOne.\n</think>\n\nFirst.\n<think>\nTwo.\n</think>\nSecond.", "First.\nSecond."),
    "the misspelled tag": ("<think>\nTwo and two.\n<\\think>\n\nFour.", "Four."),
    "escaped line breaks": ("<think>Two and two.\\n</think>\\n\\nThe answer is 4.", "The answer is 4."),
    "Windows line breaks": ("<think>\r\nTwo.\r\n</think>\r\n\r\nFour.", "Four."),
    "math": ("<think>\n$1 < 2$ and $x > 3$, so $x<4$.\n</think>\n\n$$x < 4$$", "$$x < 4$$"),
    "a shell's redirection": ("<think>\ncat <file >out\n</think>\n\n`cat <in >out`", "`cat <in >out`"),
    "a list that ends in a tag": ("<think>\n1. two\n2. four</think>\n\n1. Four.", "1. Four."),
    "the tag explained": (
        "<think>\nThey ask of tags.\n</think>\n\nThe `<think>` tag opens it, and `</think>` closes it.",
        "The `<think>` tag opens it, and `</think>` closes it.",
    ),
    "a table": ("<think>\n| a |\n|---|\n</think>\n\n| tag |\n|---|\n| `</think>` |", "| tag |\n|---|\n| `</think>` |"),
    "a model that wavers": ("<think>\nWait. Hmm. Wait, no. Four? Yes.\n</think>\n\nFour!", "Four!"),
    "never closed": ("<think>\nTwo and two, and then", ""),
    "nothing but the tag": ("<think>", ""),
}


def chunks(text: str, cuts: list[int], special: list[bool]) -> list[tuple[str, bool]]:
    """The text in parts; a tag for which ``special`` has true is a part of its own, as a token of the vocabulary."""
    marks, parts = iter(special), list[tuple[str, bool]]()
    plain = ""
    for part in _TAG.split(text):
        if part in TAGS and next(marks, False):
            parts += [(plain, False), (part, True)]
            plain = ""
        else:
            plain += part
    result: list[tuple[str, bool]] = []
    for part, by_id in [*parts, (plain, False)]:
        at = 0
        for cut in [] if by_id else cuts:
            result.append((part[at : at + cut], False))
            at += cut
        result.append((part[at:], by_id))
    return [(part, by_id) for part, by_id in result if part]


def split(parts: list[tuple[str, bool]], **how: bool) -> tuple[str, str, int]:
    """The reasoning, the text, and how many characters are reasoning by their place."""
    splitter, pieces, length = ReasoningSplitter(**how), list[Piece](), 0
    for part, by_id in parts:
        pieces += splitter.feed(part, special=by_id)
        length += len(part)
    pieces += splitter.finish()
    reasoning, text = ("".join(one.text for one in pieces if one.kind == kind) for kind in ("reasoning", "text"))
    return reasoning, text, sum(splitter.is_reasoning(at) is True for at in range(length))


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("expected", [False, True])
def test_the_answer_holds_neither_reasoning_nor_a_tag(name: str, *, expected: bool) -> None:
    said, answer = ANSWERS[name]
    for special in ([], [True] * 9):
        for cuts in ([], [1] * len(said)):
            reasoning, text, places = split(chunks(said, cuts, special), expected=expected)
            assert text == answer
            assert len(reasoning) <= places + reasoning.count("\n")  # line breaks stand between blocks
            assert all(line.strip() in said for line in reasoning.split("\n"))


@given(name=st.sampled_from(sorted(ANSWERS)), cuts=st.lists(st.integers(1, 9)), expected=st.booleans())
def test_no_way_to_cut_an_answer_changes_it(name: str, cuts: list[int], *, expected: bool) -> None:
    said, answer = ANSWERS[name]
    assert split(chunks(said, cuts, []), expected=expected)[1] == answer


PARTS = st.sampled_from(
    [
        *TAGS,
        "`",
        "```\n",
        '"',
        "“",
        "”",
        "(",
        ")",
        "\n",
        "\n\n",
        " ",
        ". ",
        ", ",
        "so it is",
        "The",
        "四",
        "é",
        "<",
        "\\n",
    ]
)


@given(
    parts=st.lists(PARTS, max_size=14), special=st.lists(st.booleans(), max_size=14), cuts=st.lists(st.integers(1, 7)),
    inside=st.booleans(), expected=st.booleans(),
)  # fmt: skip
def test_any_split_with_any_tags_as_tokens_gives_the_same(
    parts: list[str], special: list[bool], cuts: list[int], *, inside: bool, expected: bool
) -> None:
    text = "".join(parts)
    whole = split(chunks(text, [], special), inside=inside, expected=expected)
    assert split(chunks(text, cuts, special), inside=inside, expected=expected) == whole
    assert split(chunks(text, [1] * len(text), special), inside=inside, expected=expected) == whole


@given(parts=st.lists(PARTS, max_size=14), at=st.integers(0, 60), expected=st.booleans())
def test_behind_reasoning_that_was_ended_comes_the_answer(parts: list[str], at: int, *, expected: bool) -> None:
    """As a budget ends it: wherever that is, the text before it is reasoning, and none of it is lost."""
    text = "".join(parts)[:at]
    splitter = ReasoningSplitter(inside=True, expected=expected)
    pieces = splitter.feed(text)
    if not splitter.inside:
        return
    pieces += [*splitter.end_reasoning(), *splitter.feed("\n\nIt is 4."), *splitter.finish()]
    answer = "".join(one.text for one in pieces if one.kind == "text")
    assert answer.endswith("It is 4.")
    if not any(one.kind == "text" for one in ReasoningSplitter(inside=True, expected=expected).feed(text)):
        assert answer == "It is 4."
    assert splitter.is_reasoning(len(text)) is False
