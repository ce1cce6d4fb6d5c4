"""F1 over words, as the evaluation script of SQuAD computes it."""

from __future__ import annotations

import pytest

from phicli.bench.evaluation.overlap import token_f1, words_of


@pytest.mark.parametrize(
    ("reply", "expected", "f1"),
    [
        ("The capital of France is Paris.", "the Capital of France is: Paris", 1.0),
        ("Paris", "The capital of France is Paris.", 2 * 1 * (1 / 5) / (1 + 1 / 5)),  # precision 1, recall 1/5
        ("It is Paris or Rome", "Paris", 2 * (1 / 5) * 1 / (1 / 5 + 1)),
        ("no no no", "no", 2 * (1 / 3) * 1 / (1 / 3 + 1)),  # a word counts as often as it is in both
        ("no no no", "no no", 0.8),
        ("yes", "no", 0.0),
        ("", "no", 0.0),
        ("", "The.", 1.0),  # neither has words
        ("the", "theory", 0.0),  # an article is a whole word
        ("1.5", "15", 1.0),  # punctuation goes, also inside
        ("café", "CAFÉ", 1.0),
        ("今日は", "今日は良い", 0.0),  # one word each
        ("a b c d", "d c b a", 1.0),  # "a" is an article; order does not count
    ],
)
def test_f1(reply: str, expected: str, f1: float) -> None:
    assert token_f1(reply, expected) == pytest.approx(f1)
    assert token_f1(expected, reply) == pytest.approx(f1), "it is symmetric"


def test_words() -> None:
    assert words_of("An apple, the  pear\nand A.I.") == ["apple", "pear", "and", "ai"]
