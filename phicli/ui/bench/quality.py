"""The quality of quantizations as a small table, and in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from phicli.bench.quality.estimates import Estimate
from phicli.bench.quality.types import Comparison, Quality
from phicli.catalog.display_name import name_of
from phicli.records.run import Subject
from phicli.ui.bench.figures import Signs
from phicli.ui.columns import aligned
from phicli.units import format_bytes

_HEADS: Final = ("SIZE", "PERPLEXITY", "RATIO", "SAME TOKEN", "KL")
_RIGHT: Final = range(1, len(_HEADS) + 1)
_SIGNS: Final = Signs()
_LARGE: Final = 1e5


def quality_lines(qualities: Sequence[Quality], signs: Signs = _SIGNS) -> list[str]:
    """Lines of a table for each model, the files it was compared with first; none without ``qualities``."""
    lines: list[str] = []
    for family in _families(qualities):
        lines += [_title(family[0], signs), *aligned([("MODEL", *_HEADS), *_rows(family, signs)], right=_RIGHT)]
        lines += [_legend(one.comparison) for one in family[1:2] if one.comparison]
    return lines


def quality_sentences(qualities: Sequence[Quality], signs: Signs = _SIGNS) -> Iterator[str]:
    """One sentence for each file, for where a table has no place."""
    for one in qualities:
        perplexity = with_error(one.perplexity, signs)
        words = f"{name_of(one.subject)} ({format_bytes(one.subject.size_bytes)}): perplexity {perplexity}"
        if (found := one.comparison) is None:
            yield f"{words} on {one.tokens} tokens of {one.text}"
        else:
            ratio, kl = with_error(found.perplexity_ratio, signs), with_error(found.kl_divergence, signs)
            against = f"{ratio} times that of {name_of(found.reference)}"
            yield f"{words}, {against}; the same likeliest token in {_share(found)}; KL divergence {kl} nats"


def with_error(found: Estimate, signs: Signs = _SIGNS) -> str:
    """The value and its standard error with two digits; the value alone where there is no error."""
    if found.value >= _LARGE:
        return f"{found.value:.2e}"
    if found.standard_error is None:
        return f"{found.value:.3f}"
    places = _places(found.standard_error)
    return f"{found.value:.{places}f} {signs.plus_minus} {found.standard_error:.{places}f}"


def _places(error: float) -> int:
    """Digits after the point that leave two of ``error``, at most 6."""
    return 3 if error <= 0 else min(max(1 - math.floor(math.log10(error)), 0), 6)


def _families(qualities: Sequence[Quality]) -> list[list[Quality]]:
    """Files that were compared with the same one, behind it."""
    found: dict[Subject, list[Quality]] = {}
    for one in qualities:
        found.setdefault(one.comparison.reference if one.comparison else one.subject, []).append(one)
    return list(found.values())


def _rows(family: Sequence[Quality], signs: Signs) -> Iterator[tuple[str, ...]]:
    for one in family:
        found = one.comparison
        beside = ("", "", "")
        if found is not None:
            ratio, kl = with_error(found.perplexity_ratio, signs), with_error(found.kl_divergence, signs)
            beside = ratio, _share(found), kl
        yield name_of(one.subject), format_bytes(one.subject.size_bytes), with_error(one.perplexity, signs), *beside


def _share(found: Comparison) -> str:
    share = found.top1_agreement
    text = f"{share.estimate:.1%}"
    return text if share.low is None or share.high is None else f"{text} ({share.low:.0%} to {share.high:.0%})"


def _title(first: Quality, signs: Signs) -> str:
    return f"quality on {first.tokens} tokens of {first.text} ({signs.plus_minus} standard error)"


def _legend(found: Comparison) -> str:
    against = name_of(found.reference)
    return f"ratio, same likeliest token (95 %) and KL divergence (nats, top {found.top}): against {against}"
