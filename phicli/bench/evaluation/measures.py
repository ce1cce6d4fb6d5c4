"""What each question adds to the numbers of a model, and to the differences of two models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from phicli.bench.evaluation.estimates import Part
from phicli.bench.evaluation.types import ItemResult

Pair = tuple[ItemResult, ItemResult]


def pairs_of(first: Iterable[ItemResult], second: Iterable[ItemResult]) -> list[Pair]:
    """The results of two models on the same questions."""
    theirs = {result.item.item_id: result for result in second}
    return [(result, theirs[result.item.item_id]) for result in first if result.item.item_id in theirs]


def right_parts(results: Iterable[ItemResult]) -> list[Part]:
    """1 for each reply that is right, 0 for each that is wrong."""
    return [Part(line_of(one), float(one.verdict.right)) for one in results if not one.failed]


def right_differences(pairs: Sequence[Pair]) -> list[Part]:
    """1 where only the second model was right, -1 where only the first was, 0 elsewhere; where both have replied."""
    return [
        Part(line_of(first), float(second.verdict.right) - float(first.verdict.right))
        for first, second in pairs
        if not first.failed and not second.failed
    ]


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
    """The negative log-probability with the second model less that with the first; none where any tokens differ."""
    found = [(first, first.expected, second.expected) for first, second in pairs]
    read = [(one, ours, theirs) for one, ours, theirs in found if ours and theirs and ours.tokens and theirs.tokens]
    if any(ours.digest != theirs.digest for _, ours, theirs in read):
        return []
    return [
        Part(line_of(one), ours.log_probability - theirs.log_probability, ours.tokens) for one, ours, theirs in read
    ]


def line_of(result: ItemResult) -> object:
    """What answers that are not independent have in common: the line of training data; else the question itself."""
    talk = result.item.talk
    return result.item.item_id if talk is None else talk.line
