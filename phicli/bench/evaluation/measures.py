"""What each question from training data adds to the numbers of a model, and to the differences of two models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from phicli.bench.evaluation.estimates import Part
from phicli.bench.evaluation.types import ItemResult

Pair = tuple[ItemResult, ItemResult]


def pairs_of(first: Iterable[ItemResult], second: Iterable[ItemResult]) -> list[Pair]:
    """The results of two models on the same questions."""
    theirs = {result.item.item_id: result for result in second}
    return [(result, theirs[result.item.item_id]) for result in first if result.item.item_id in theirs]


def f1_parts(results: Iterable[ItemResult]) -> list[Part]:
    """The F1 of each reply."""
    return [Part(line_of(one), f1) for one in results if (f1 := one.f1) is not None]


def loss_parts(results: Iterable[ItemResult]) -> list[Part]:
    """The negative log-probability of each expected answer, and its tokens."""
    return [
        Part(line_of(one), -one.expected.log_probability, one.expected.tokens)
        for one in results
        if one.expected is not None and not one.expected.failed
    ]


def f1_differences(pairs: Sequence[Pair]) -> list[Part]:
    """The F1 of the second model less that of the first, where both have replied."""
    found = ((first, first.f1, second.f1) for first, second in pairs)
    return [Part(line_of(one), theirs - ours) for one, ours, theirs in found if ours is not None and theirs is not None]


def loss_differences(pairs: Sequence[Pair]) -> list[Part]:
    """The negative log-probability with the second model less that with the first, where the tokens are the same."""
    found = ((first, first.expected, second.expected) for first, second in pairs)
    return [
        Part(line_of(one), ours.log_probability - theirs.log_probability, ours.tokens)
        for one, ours, theirs in found
        if ours and theirs and not ours.failed and not theirs.failed and ours.digest == theirs.digest
    ]


def line_of(result: ItemResult) -> object:
    """What answers that are not independent have in common: the line of the example."""
    talk = result.item.talk
    return result.item.item_id if talk is None else talk.line
