from __future__ import annotations

import pytest

from phicli.chat_format import format_by_name
from phicli.chat_format.reasoning import ReasoningSplitter, opens_reasoning
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
    ("<think>a</think>b <think>c</think>", "a", "b <think>c</think>"),
    ("<think>a <think> a</think>b", "a <think> a", "b"),
    ("</think>b", "", "</think>b"),
    ("<<think>a<</think>b", "a<", "<b"),
    ("  x", "", "x"),
]


def split(text: str, sizes: list[int] | None = None, *, inside: bool = False) -> tuple[str, str]:
    splitter, pieces, at = ReasoningSplitter(inside=inside), [], 0
    for size in sizes or [len(text)]:
        pieces += splitter.feed(text[at : at + size])
        at += size
    pieces += splitter.feed(text[at:])
    pieces += splitter.finish()
    assert all(piece.text for piece in pieces)
    return tuple("".join(piece.text for piece in pieces if piece.kind == kind) for kind in ("reasoning", "text"))


@pytest.mark.parametrize(("text", "reasoning", "answer"), CASES)
def test_reasoning_is_split_off_however_it_is_cut(text, reasoning, answer):
    assert split(text) == (reasoning, answer)
    assert split(text, [1] * len(text)) == (reasoning, answer)
    generator = seeded(text)
    for _ in range(30):
        assert split(text, [generator.randrange(5) for _ in text]) == (reasoning, answer)


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
    assert splitter.feed("<") == [Piece("text", "<")]


def test_formats_of_reasoning_models_split():
    for name in ("phi-3", "phi-4", "phi-4-mini", "plain"):
        parser = format_by_name(name, reasoning=True).parser()
        assert parser.feed("<think>a</think> b") == [Piece("reasoning", "a"), Piece("text", "b")]
        assert parser.finish() == []
        inside = format_by_name(name).parser(inside_reasoning=True)
        assert inside.feed("a</think>b") == [Piece("reasoning", "a"), Piece("text", "b")]


def test_a_template_that_opens_the_reasoning_is_noticed():
    assert opens_reasoning((Text("x"), Template("<|im_start|>assistant\n<think>\n")))
    assert not opens_reasoning((Template("<|im_start|>"), Text("<think>")))
    assert not opens_reasoning((Text("<think>"), Special("<|assistant|>")))
    assert not opens_reasoning(())
