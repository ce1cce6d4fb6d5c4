"""Accuracy, and what the difference of two models on the same questions proves."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.bench.evaluation.estimates import difference_interval, mcnemar_exact
from phicli.bench.evaluation.expected import Expected
from phicli.bench.evaluation.items import read_items
from phicli.bench.evaluation.result import Evaluation, paired
from phicli.bench.evaluation.talks import TalkRule
from phicli.bench.evaluation.types import Item, ItemResult, Reply, wrong
from phicli.chat_format.types import Message
from phicli.records.run import Subject
from phicli.records.statistics import wilson_interval
from phicli.ui.bench.evaluation import comparison_line
from phicli.ui.bench.expected_answers import incomparable_lines, notes_on

(ITEM,) = read_items(b'{"question": "q", "compare": "exact", "answer": "yes"}', "test")


def evaluation(name: str, replies: str, *, total: int | None = None) -> Evaluation:
    """``replies``: y is right, n is wrong, c was cut, e failed."""
    results = []
    for number, letter in enumerate(replies):
        (item,) = read_items(
            f'{{"id": {number}, "question": "q", "compare": "exact", "answer": "yes"}}'.encode(), "test"
        )
        text = "yes" if letter == "y" else "no"
        reply = Reply(text, "thoughts", "length" if letter == "c" else "stop", 10, 4, 1.0, 2.0, 3.0)
        reply = Reply.none("error", "it crashed") if letter == "e" else reply
        results.append(ItemResult(item, reply, item.verdict_on(reply)))
    return Evaluation(
        run_id="r",
        made_at="2026-01-01T00:00:00+00:00",
        subject=Subject(name, "Q8_0", None, Path("/m.gguf"), 1),
        set_name="test",
        set_sha256="0" * 64,
        total=len(replies) if total is None else total,
        results=tuple(results),
        settings={"seed": 1},
        hardware={"cpu": "c"},
        wall_s=2.0,
    )


@pytest.mark.parametrize(
    ("first", "second", "p_value"),
    [
        (0, 0, 1.0),
        (1, 1, 1.0),
        (1, 9, 0.021484375),  # scipy.stats.binomtest(1, 10).pvalue
        (9, 1, 0.021484375),
        (3, 12, 0.03515625),  # binomtest(3, 15)
        (0, 5, 0.0625),
        (5, 5, 1.0),
        (0, 2000, 0.0),
    ],
)
def test_mcnemar(first: int, second: int, p_value: float) -> None:
    assert mcnemar_exact(first, second) == pytest.approx(p_value, abs=1e-12)


def test_the_interval_of_a_difference_covers_what_it_promises() -> None:
    """Over all outcomes of 50 questions, weighted by their probability."""
    count, gain, loss = 50, 0.2, 0.1
    covered = 0.0
    for only_second in range(count + 1):
        for only_first in range(count + 1 - only_second):
            rest = count - only_second - only_first
            ways = math.comb(count, only_second) * math.comb(count - only_second, only_first)
            low, high = difference_interval(only_first, only_second, count)
            if low <= gain - loss <= high:
                covered += ways * gain**only_second * loss**only_first * (1 - gain - loss) ** rest
    assert 0.94 < covered < 0.97


def test_the_interval_of_a_difference_is_symmetric_and_stays_in_bounds() -> None:
    low, high = difference_interval(3, 8, 50)
    assert difference_interval(8, 3, 50) == pytest.approx((-high, -low))
    assert difference_interval(0, 1, 1)[1] <= 1
    assert difference_interval(0, 0, 50) == pytest.approx((-0.038, 0.038), abs=0.001)


def test_pairs_are_counted_by_question() -> None:
    pair = paired(evaluation("o/a", "yynn"), evaluation("o/b", "ynyy"))
    assert pair is not None
    assert (pair.only_first, pair.only_second, pair.items) == (1, 2, 4)
    assert pair.difference == pytest.approx(0.25)
    assert (pair.first, pair.second) == ("o/a:q8_0", "o/b:q8_0")
    assert pair.p_value == 1.0
    only_common = paired(evaluation("a", "yy"), evaluation("b", "nyyyy"))
    assert only_common is not None
    assert (only_common.items, only_common.only_first) == (2, 1)
    assert paired(evaluation("a", "yy"), evaluation("b", "")) is None


def test_what_failed_is_neither_right_nor_wrong() -> None:
    found = evaluation("a", "yyne")
    assert (found.right, found.failed, found.answered, found.cut, found.complete) == (2, 1, 3, 0, True)
    assert found.accuracy is not None
    assert found.accuracy.estimate == pytest.approx(2 / 3)
    assert evaluation("a", "ee").accuracy is None
    failed = found.to_data()["results"][3]
    assert (failed["right"], failed["error"], failed["finish_reason"]) == (None, "it crashed", "error")
    pair = paired(found, evaluation("b", "ynyy"))
    assert pair is not None
    assert (pair.items, pair.only_first, pair.only_second) == (3, 1, 1)


def test_accuracy_counts_what_was_asked_and_says_what_was_cut() -> None:
    found = evaluation("a", "yync", total=10)
    assert found.accuracy is not None
    assert (found.right, found.accuracy.estimate, found.cut, found.complete) == (2, 0.5, 1, False)
    assert found.generated_tps == 8.0
    data = found.to_data()
    assert (data["items"], data["asked"], data["right"]) == (10, 4, 2)
    assert data["results"][0]["reasoning"] == "thoughts"
    assert evaluation("a", "").accuracy is None


def talks(name: str, losses: list[tuple[float, int, str]]) -> Evaluation:
    """``losses``: the sum of an answer, its tokens, and what tells these from others."""
    results = []
    for number, (loss, tokens, digest) in enumerate(losses, 1):
        talk = TalkRule((Message("user", f"{number}?"),), Message("assistant", "yes"), (), number)
        item = Item(f"line-{number}", f"{number}?", "messages", talk, talk=talk)
        reply = Reply("yes no", "", "stop", 1, 1, 1.0, 1.0, 1.0)
        expected = Expected(tokens, -loss, digest)
        results.append(ItemResult(item, reply, item.verdict_on(reply), expected))
    return replace(evaluation(name, ""), total=len(losses), results=tuple(results))


def test_two_answers_of_one_conversation_are_one_observation() -> None:
    """Three lines with two answers each: the first model is right in the first line, the second one everywhere."""
    models = []
    for name, right in (("a", {1}), ("b", {1, 2, 3})):
        results = []
        for line in (1, 2, 3):
            for count in (1, 2):
                talk = TalkRule((Message("user", "q"),), Message("assistant", "yes"), (), line)
                item = Item(f"line-{line}.{count}", "q", "messages", talk, talk=talk)
                reply = Reply("yes" if line in right else "no", "", "stop", 1, 1, 1.0, 1.0, 1.0)
                results.append(ItemResult(item, reply, item.verdict_on(reply)))
        models.append(replace(evaluation(name, ""), total=6, results=tuple(results)))
    first, second = models
    assert second.accuracy == wilson_interval(3, 3)
    pair = paired(first, second)
    assert pair is not None
    assert (pair.items, pair.only_first, pair.only_second, pair.p_value) == (6, 0, 4, 0.5)
    assert pair.difference == pytest.approx(2 / 3)
    mixed = replace(first, results=(first.results[0], replace(first.results[1], verdict=wrong("no"))))
    only = paired(replace(second, results=second.results[:2]), mixed)
    assert only is not None
    assert (only.difference, only.low, only.high) == (-0.5, None, None)
    assert comparison_line(only).startswith("a compared with b: -50.0 points on 2 questions")


def test_perplexities_are_compared_token_by_token() -> None:
    first, second = talks("a", [(4.0, 2, "x"), (6.0, 3, "y")]), talks("b", [(2.0, 2, "x"), (3.0, 3, "y")])
    assert first.perplexity is not None
    assert first.perplexity.estimate == pytest.approx(math.exp(2))
    assert first.f1 is not None
    assert first.f1.estimate == pytest.approx(2 / 3)
    pair = paired(first, second)
    assert pair is not None
    assert pair.perplexity_ratio is not None
    found = pair.perplexity_ratio
    assert (found.estimate, found.low, found.high) == pytest.approx((math.exp(-1),) * 3)
    assert pair.f1 is not None
    assert (pair.f1.estimate, pair.f1.method) == (0.0, "Agresti and Min's")
    assert pair.to_data()["f1_difference"]["estimate"] == 0.0


def test_perplexities_of_other_tokens_are_not_compared() -> None:
    """Not even those of the answers that both split alike by chance."""
    first, second = talks("a", [(4.0, 2, "x"), (6.0, 3, "y")]), talks("b", [(2.0, 2, "x"), (3.0, 4, "z")])
    pair = paired(first, second)
    assert pair is not None
    assert pair.perplexity_ratio is None
    assert pair.f1 is not None
    said = list(incomparable_lines([first, second], [pair]))
    assert len(said) == 1
    assert "a" in said[0]
    assert "different tokens" in said[0]


def test_what_was_not_read_yet_is_said() -> None:
    whole = talks("a", [(4.0, 2, "x"), (6.0, 3, "y")])
    half = replace(whole, results=(whole.results[0], replace(whole.results[1], expected=None)))
    assert (whole.complete, half.complete, half.scored, half.unread) == (True, False, 1, 1)
    assert "1 of 2 expected answers" in " ".join(notes_on([half]))
    never = replace(half, not_scored="it cannot")
    assert never.complete
    assert "it cannot" in " ".join(notes_on([never]))
    failed = replace(half.results[1], expected=Expected.none("too long"))
    lines = list(notes_on([replace(half, results=(half.results[0], failed))]))
    assert lines[-1] == "  line-2: too long"
