from __future__ import annotations

import pytest

from phicli.chat_format import format_by_name
from phicli.chat_format.reasoning import ReasoningSplitter, opens_reasoning, without_reasoning
from phicli.chat_format.types import Piece, Special, Template, Text
from tests.support.conversations import seeded

CASES = [
    ("<think>a</think>b", "a", "b"),
    ("<think>\na\n</think>\n\n b \n", "a\n", "b \n"),
    ("\n<think>a</think>b", "a", "b"),
    ("Well. <think>a</think>b", "a", "Well. b"),
    ("<think>never ends", "never ends", ""),
    ("<think>half a tag </thi", "half a tag </thi", ""),
    ("no tags, 1 < 2 <", "", "no tags, 1 < 2 <"),
    ("<thin", "", "<thin"),
    ("<think></think>b", "", "b"),
    ("<think> </think> ", "", ""),
    ("<think>a</think>b <think>c</think>", "a\nc", "b "),
    ("<think>a\n</think>\nb\n<think>\nc\n</think>\nd", "a\nc\n", "b\nd"),
    ("<think>a <think> a</think>b", "a <think> a", "b"),
    ("</think>b", "", "</think>b"),
    ("<<think>a<</think>b", "a<", "<b"),
    ("  x", "", "x"),
]


"""Of a model that may reason: what is generated, the reasoning, the answer."""

TAGS_IN_REASONING = [
    ("<think>I end with `</think>` now.\n</think>\nFour.", "I end with `</think>` now.\n", "Four."),
    ("<think>I end with `</think>` now. It is 4", "I end with `</think>` now. It is 4", ""),
    ('<think>say "</think>", then\n</think>\nFour.', 'say "</think>", then\n', "Four."),
    ("<think>“</think>”「引用」\n</think>\n四", "“</think>”「引用」\n", "四"),
    ("<think>it is `4`</think>`4`", "it is `4`", "`4`"),
    ('<think>it is "4"</think>"4"', 'it is "4"', '"4"'),
    ("<think>it is **4**</think>**Four**", "it is **4**", "**Four**"),
    ("<think>Use `<think>…</think>` first.\n</think>\nb", "Use `<think>…</think>` first.\n", "b"),
    ("<think>I use <think> and </think> tags.\n</think>\nb", "I use <think> and </think> tags.\n", "b"),
    ("<think>I use <think> and </think> tags. Well", "I use <think> and </think> tags. Well", ""),
    ("<think>the </think> tag ends it.\n</think>\nb", "the </think> tag ends it.\n", "b"),
    ("<think>So:\n<think>\nx\n</think>\ny\nGood.\n</think>\nb", "So:\n<think>\nx\n</think>\ny\nGood.\n", "b"),
    ("<think>So:\n<think>\nx\n</think>\nb", "So:\n<think>\nx\n", "b"),
    ("<think>```\n<think>\nx\n</think>\n```\nOK.\n</think>\nb", "```\n<think>\nx\n</think>\n```\nOK.\n", "b"),
    ("<think>```\nx = 4\n</think>\nb", "```\nx = 4\n", "b"),
    ("<think>```py\nx\n</think>\n```py\ny\n```\nb", "```py\nx\n", "```py\ny\n```\nb"),
    ("<think>\n<think>\na\n</think>\nb", "a\n", "b"),
    ("<think>a. </think> The answer", "a. ", "The answer"),
    ("<think>so it is four </think> The answer", "so it is four ", "The answer"),
    ("<think>so it is four </think>\nThe answer", "so it is four ", "The answer"),
    ("<think>a<\\think>b", "a", "b"),
    ("<think>a\n<\\think>\n\nb", "a\n", "b"),
    ("<think>a</think>\\n\\nThe answer", "a", "The answer"),
    ("<think>a</think>\n\\nabla f", "a", "\\nabla f"),
    ("<think>a</think>\\n", "a", "\\n"),
    ("<think>a\r\n</think>\r\nb", "a\r\n", "b"),
]

TAGS_IN_ANSWERS = [
    ("<think>a</think>Write `<think>` and `</think>`.", "a", "Write `<think>` and `</think>`."),
    ("<think>a</think>The <think> tag opens it.", "a", "The <think> tag opens it."),
    ("<think>a</think>The </think> tag closes it.", "a", "The </think> tag closes it."),
    ("<think>a</think>\n```\n<think>\nx\n</think>\n```\nb", "a", "```\n<think>\nx\n</think>\n```\nb"),
    ("<think>a</think>b\n</think>", "a", "b\n"),
    ("<think>a</think>b\n</think>\nc", "a", "b\n\nc"),
    ("<think>a</think></think>b", "a", "b"),
    ("<think>a</think>b\n<think>", "a", "b\n"),
    ("<think>a</think>b\n<think>never ends", "a\nnever ends", "b\n"),
]

NO_OPENING_TAG = [
    ("Let me see.\n</think>\n\nFour.", "Let me see.\n", "Four."),
    ("Let me see. </think> Four.", "Let me see. ", "Four."),
    ("four </think> Four", "four ", "Four"),
    ("</think>b", "", "b"),
    ("Four.", "", "Four."),
    (" Four <", "", "Four <"),
    ("Write `</think>` at the end.", "", "Write `</think>` at the end."),
    ("The </think> tag ends it.", "", "The </think> tag ends it."),
    ("It ends with `</think>`.\n</think>\nFour.", "It ends with `</think>`.\n", "Four."),
    ("Write:\n```\n<think>\n</think>\n```\nDone.", "", "Write:\n```\n<think>\n</think>\n```\nDone."),
    ("<nothink>Four.", "", "Four."),
    ("<nothink>\nFour.", "", "Four."),
    ("<no thinking", "", "<no thinking"),
    ("four </think> Four\n<think>five</think>six", "four \nfive", "Four\nsix"),
]
"""Of a model that always reasons."""


def split(
    text: str, sizes: list[int] | None = None, *, inside: bool = False, expected: bool = False
) -> tuple[str, str]:
    splitter, pieces, at = ReasoningSplitter(inside=inside, expected=expected), [], 0
    for size in sizes or [len(text)]:
        pieces += splitter.feed(text[at : at + size])
        at += size
    pieces += splitter.feed(text[at:])
    pieces += splitter.finish()
    assert all(piece.text for piece in pieces)
    assert not splitter.waiting
    return tuple("".join(piece.text for piece in pieces if piece.kind == kind) for kind in ("reasoning", "text"))


def check(text: str, wanted: tuple[str, str], **how: bool) -> None:
    """The same result whatever the split: into single characters, at each place, at random."""
    assert split(text, **how) == wanted
    assert split(text, [1] * len(text), **how) == wanted
    for at in range(1, len(text)):
        assert split(text, [at], **how) == wanted
    generator = seeded(text)
    for _ in range(30):
        assert split(text, [generator.randrange(9) for _ in text], **how) == wanted


@pytest.mark.parametrize(("text", "reasoning", "answer"), CASES + TAGS_IN_REASONING + TAGS_IN_ANSWERS)
def test_reasoning_is_split_off_however_it_is_cut(text, reasoning, answer):
    check(text, (reasoning, answer))


@pytest.mark.parametrize(("text", "reasoning", "answer"), NO_OPENING_TAG + TAGS_IN_REASONING + TAGS_IN_ANSWERS)
def test_a_model_that_always_reasons_may_leave_out_tags(text, reasoning, answer):
    check(text, (reasoning, answer), expected=True)


@pytest.mark.parametrize(("text", "reasoning", "answer"), TAGS_IN_REASONING + TAGS_IN_ANSWERS)
def test_a_prompt_that_opened_the_reasoning_changes_nothing_else(text, reasoning, answer):
    check(text.removeprefix("<think>"), (reasoning, answer), inside=True)


PARTS = (
    "<think>", "</think>", "<\\think>", "<nothink>", "<", "\\", "\\n", "`", "``", "```", "```\n", '"', "“", "”", "(",
    ")", "*", "\n", "\n\n", " ", "\t", "\r\n", ".", ",", "4", "so", "The", "é", "四", "x" * 90,
)  # fmt: skip


@pytest.mark.parametrize("how", [{}, {"expected": True}, {"inside": True}, {"inside": True, "expected": True}])
def test_any_split_of_any_answer_gives_the_same_result(how):
    generator = seeded(f"any answer {how}")
    for _ in range(1500):
        text = "".join(generator.choice(PARTS) for _ in range(generator.randrange(1, 16)))
        whole = split(text, **how)
        assert split(text, [1] * len(text), **how) == whole, text
        assert split(text, [generator.randrange(12) for _ in text], **how) == whole, text


def test_nothing_but_tags_and_space_around_them_is_lost():
    generator = seeded("nothing is lost")
    for _ in range(1500):
        text = "".join(generator.choice(PARTS[4:] + PARTS[:2]) for _ in range(generator.randrange(1, 16)))
        for how in ({}, {"expected": True}, {"inside": True}):
            kept = "".join(split(text, **how))
            assert letters(kept) == letters(text), text


def letters(text: str) -> list[str]:
    """What must come through, in any order: a line break that was spelled is not."""
    bare = text.replace("<think>", "").replace("</think>", "").replace("<\\think>", "")
    return sorted(character for character in bare if character.isalnum() and character != "n")


def test_the_id_of_a_tag_counts_where_its_surroundings_leave_a_doubt():
    def answer(*parts: str, **how: bool) -> tuple[str, str]:
        splitter, pieces = ReasoningSplitter(**how), []
        for part in parts:
            pieces += splitter.feed(part, special=part == "</think>" or part == "<think>")
        streamed = "".join(piece.text for piece in pieces if piece.kind == "text")
        pieces += splitter.finish()
        return streamed, "".join(piece.text for piece in pieces if piece.kind == "text")

    assert answer("<think>", "so it is four ", "</think>", " The answer") == ("The answer", "The answer")
    assert answer("<think>so it is four </think> The answer") == ("", "The answer")
    assert answer("<think>", "it is four ", "</think>", " the answer") == ("", "the answer")
    assert answer("<think>it is four </think> the answer") == ("", "the answer")
    quoted = ("<think>", "I end with `", "</think>", "` now.\n</think>\n", "Four.")
    assert answer(*quoted) == answer(*quoted, expected=True) == ("Four.", "Four.")
    assert answer("<think>", "a", "</think>", "b ", "<think>", " Well", "</think>", "c") == ("b c", "b c")


def test_an_answer_streams_once_its_reasoning_has_ended():
    splitter = ReasoningSplitter(expected=True)
    assert splitter.feed("<think>Hm") == [Piece("reasoning", "Hm")]
    assert splitter.feed(".\n</think>\nFo") == [Piece("reasoning", ".\n"), Piece("text", "Fo")]
    assert splitter.feed("ur") == [Piece("text", "ur")]


def test_what_may_be_reasoning_waits():
    splitter = ReasoningSplitter(expected=True)
    assert splitter.feed("Four") == []
    assert splitter.waiting
    assert splitter.finish() == [Piece("text", "Four")]


def test_earlier_answers_lose_their_reasoning():
    assert without_reasoning("\n<think>a `</think>`\n</think>\nb") == "b"
    assert without_reasoning("<think>never ends") == ""
    for answer in ("Write </think> and <think>", " b\n</think>\nc", "x</think>y", ""):
        assert without_reasoning(answer) == answer


@pytest.mark.parametrize("behind", ["x" * 3000, " " * 3000, "x" * 900 + "`", "x" * 3000 + "`"])
def test_only_the_nearest_text_behind_a_tag_counts(behind):
    """A backtick somewhere in a long line does not keep an answer back."""
    wanted = split("<think>it is `4 </think> A" + behind)
    assert split("<think>it is `4 </think> A" + behind, [7] * 500) == wanted
    assert (wanted[1] == "") == (len(behind) < 1000)


def test_after_eight_doubtful_tags_that_closed_reasoning_a_further_one_is_certain():
    """Each look at all that follows costs time; a model that runs away could make thousands of them."""
    text = "<think>so </think> B\n<think>" * 300
    wanted = split(text)
    assert split(text, [1] * len(text)) == wanted
    assert wanted[1].count("B") >= 290
    assert wanted[1].count("<think>") == 0


def test_an_answer_that_was_split_once_is_not_split_again():
    """Later prompts have the answer as it was, so that the engine finds its tokens in the cache."""
    generator = seeded("split once")
    for _ in range(1500):
        text = "".join(generator.choice(PARTS) for _ in range(generator.randrange(1, 16)))
        answer = split(text, expected=True)[1]
        if not answer.lstrip().startswith("<think>"):
            assert without_reasoning(answer) == answer


def test_a_prompt_can_have_opened_the_reasoning():
    assert split("\na</think>\nb", inside=True) == ("a", "b")
    assert split("a", inside=True) == ("a", "")


def test_only_a_possible_tag_is_held_back():
    splitter = ReasoningSplitter()
    assert splitter.feed("one <") == [Piece("text", "one ")]
    assert splitter.feed("b> two") == [Piece("text", "<b> two")]
    assert splitter.feed("<thinking") == [Piece("text", "<thinking")]
    assert splitter.feed("<think>x </") == [Piece("reasoning", "x ")]
    assert splitter.feed("b></thin") == [Piece("reasoning", "</b>")]
    assert splitter.feed("k>y") == [Piece("text", "y")]
    assert splitter.feed("<") == []
    assert splitter.feed("5") == [Piece("text", "<5")]


def test_formats_of_reasoning_models_split():
    for name in ("phi-3", "phi-4", "phi-4-mini", "plain"):
        parser = format_by_name(name, reasoning=True).parser()
        assert parser.feed("<think>a</think> b") == [Piece("reasoning", "a"), Piece("text", "b")]
        assert parser.finish() == []
        assert not parser.waiting
        inside = format_by_name(name).parser(inside_reasoning=True)
        assert inside.feed("a</think>b") == [Piece("reasoning", "a"), Piece("text", "b")]


def test_a_template_that_opens_the_reasoning_is_noticed():
    assert opens_reasoning((Text("x"), Template("<|im_start|>assistant\n<think>\n")))
    assert not opens_reasoning((Template("<|im_start|>"), Text("<think>")))
    assert not opens_reasoning((Text("<think>"), Special("<|assistant|>")))
    assert not opens_reasoning(())
