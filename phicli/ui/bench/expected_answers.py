"""F1 of replies and perplexity of expected answers: columns of a table, fields of records, and sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from phicli.bench.evaluation.result import Evaluation, Paired
from phicli.records.statistics import Interval
from phicli.ui.tables import Column

Form = Callable[[float], str]

_SHOWN: Final = 5
_LARGE: Final = 1e5
F1: Final = Column("F1", right=True)
PERPLEXITY: Final = Column("perplexity", right=True)
WITH_INTERVALS: Final = (
    F1,
    Column("95 % interval", right=True, key="interval of F1"),
    PERPLEXITY,
    Column("95 % interval", right=True, key="interval of perplexity"),
)


NARROW: Final = (
    Column("F1", right=True, least=9, key="F1 with interval"),
    Column("perplexity", right=True, least=10, key="perplexity with interval"),
)
"""With the interval in the same cell, which is wrapped."""


def cells_of(one: Evaluation) -> dict[str, str]:
    """The texts of these columns; empty where there is nothing."""
    f1, perplexity = one.f1, one.perplexity
    shown, exact = _share(f1.estimate) if f1 else "", _perplexity(perplexity.estimate) if perplexity else ""
    return {
        "F1": shown,
        "interval of F1": _ends(f1, _share),
        "F1 with interval": f"{shown}{_in_brackets(f1, _share)}",
        "perplexity": exact,
        "interval of perplexity": _ends(perplexity),
        "perplexity with interval": f"{exact}{_in_brackets(perplexity)}",
    }


def record_of(one: Evaluation) -> Mapping[str, Any]:
    """The fields of a record for a spreadsheet."""
    f1, perplexity = one.f1, one.perplexity
    return {
        "f1": f1.estimate if f1 else None,
        "f1_low": f1.low if f1 else None,
        "f1_high": f1.high if f1 else None,
        "perplexity": perplexity.estimate if perplexity else None,
        "perplexity_low": perplexity.low if perplexity else None,
        "perplexity_high": perplexity.high if perplexity else None,
        "scored": one.scored,
        "expected_tokens": one.expected_tokens,
    }


def difference_lines(pair: Paired) -> Iterator[str]:
    """The differences of two models in F1 and in perplexity, in sentences."""
    names = f"{pair.second} compared with {pair.first}"
    if pair.f1 is not None:
        yield f"{names}: F1 {pair.f1.estimate:+.3f}{_in_brackets(pair.f1, '{:+.3f}'.format)}{_doubt(pair.f1, 0.0)}"
    if (ratio := pair.perplexity_ratio) is not None:
        yield (
            f"{names}: the perplexity of the expected answers is {_ratio(ratio.estimate)} times as high"
            f"{_in_brackets(ratio, _ratio)}{_doubt(ratio, 1.0)}"
        )


def notes_on(found: Sequence[Evaluation]) -> Iterator[str]:
    """Why a perplexity is missing, or does not count all answers."""
    for one in found:
        if one.not_scored:
            yield f"{one.label}: perplexity was not measured: {one.not_scored}"
        if one.unread:
            counted = f"{one.scored} of {len(one.results)} expected answers"
            yield f"{one.label}: incomplete, the perplexity is that of {counted}"
        failed = [result for result in one.results if result.expected and result.expected.failed]
        if failed:
            more = f"; the first {_SHOWN}" if len(failed) > _SHOWN else ""
            yield f"expected answers that {one.label} could not read, left out of its perplexity: {len(failed)}{more}"
        for result in failed[:_SHOWN]:
            yield f"  {result.item.item_id}: {result.expected.error if result.expected else ''}"


def incomparable_lines(found: Sequence[Evaluation], pairs: Sequence[Paired]) -> Iterator[str]:
    """Which perplexities cannot be compared."""
    measured = {one.label for one in found if one.perplexity is not None}
    for pair in pairs:
        if pair.perplexity_ratio is None and {pair.first, pair.second} <= measured:
            yield (
                f"the perplexities of {pair.first} and {pair.second} cannot be compared: they split the expected "
                "answers into different tokens"
            )


def _share(value: float) -> str:
    return f"{value:.3f}"


def _perplexity(value: float) -> str:
    """Four digits at least."""
    return f"{value:.2e}" if value >= _LARGE else f"{value:.3f}" if value < 100 else f"{value:.1f}"


def _ratio(value: float) -> str:
    """Three digits at least, however small it is."""
    return _perplexity(value) if value >= 0.1 else f"{value:.3g}"


def _ends(found: Interval | None, form: Form = _perplexity) -> str:
    if found is None or found.low is None or found.high is None:
        return ""
    low, high = (form(end) for end in (found.low, found.high))
    return f"{low} to {high}"


def _in_brackets(found: Interval | None, form: Form = _perplexity) -> str:
    ends = _ends(found, form)
    return f" ({ends})" if ends else ""


def _doubt(found: Interval, neutral: float) -> str:
    if found.low is None or found.high is None:
        return "; one line is too few to know how sure that is"
    return "; no clear difference" if found.low <= neutral <= found.high else ""
