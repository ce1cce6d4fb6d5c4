"""Comparisons of runs in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from phicli.bench.runs.compare import BaselineResult, Ratio, ratio_text
from phicli.bench.runs.conditions import workload_text
from phicli.records.run import Workload

_VERBS: Final = {
    "decode_tps": "generates",
    "prompt_tps": "processes the prompt",
    "ttft_ms": "starts to answer",
}
_FILE: Final = ".gguf"
_LEVEL: Final = "in parentheses: 95 % confidence intervals"


def ratio_lines(ratios: Sequence[Ratio]) -> Iterator[str]:
    """A sentence for each pair that was compared: ``a generates 0.61 times as fast as b (0.59 to 0.63)``.

    Times are told as speeds too. The work is said where there are several.
    """
    pairs: dict[tuple[str, str, Workload], dict[str, Ratio]] = {}
    for ratio in ratios:
        pairs.setdefault((ratio.ours, ratio.theirs, ratio.workload), {})[ratio.what] = ratio
    several = len({workload for _, _, workload in pairs}) > 1
    for (ours, theirs, workload), found in pairs.items():
        yield f"{_named(ours, workload_text(workload) if several else '')} {_clauses(found, _named(theirs))}"
    if any(ratio.low is not None for ratio in ratios):
        yield _LEVEL


def baseline_lines(baseline: BaselineResult) -> Iterator[str]:
    """What came of the comparison with a baseline, in sentences."""
    yield f"compared with baseline {baseline.name}:"
    yield from ratio_lines(baseline.ratios)
    if baseline.differences:
        yield f"recorded under different conditions: {'; '.join(baseline.differences)}"
    yield from baseline.notes
    yield from baseline.warnings
    if baseline.fail_below is not None:
        limit = f"below --fail-below {baseline.fail_below:g}"
        found = "; ".join(baseline.failed)
        yield f"{limit}: {found}" if found else f"nothing is {limit}"


def _named(label: str, work: str = "") -> str:
    """``phi-4-mini:q8_0, 2 threads`` with what stands behind the name in brackets."""
    at = max(label.lower().rfind(_FILE), 0)  # in the name of a file there may be commas
    rest, _, setting = label[at:].partition(", ")
    name = label[:at] + rest
    more = "; ".join(part for part in (setting, work) if part)
    return f"{name} ({more})" if more else name


def _clauses(found: Mapping[str, Ratio], theirs: str) -> str:
    """What one side does how fast, decoding first; the other side is named once.

    The first token is left out beside the prompt, whose reading it follows.
    """
    clauses: list[str] = []
    for what, verb in _VERBS.items():
        if what in found and not (what == "ttft_ms" and "prompt_tps" in found):
            middle, _, interval = ratio_text(found[what]).partition(" ")
            against = "" if clauses else f" as {theirs}"
            clauses.append(f"{verb} {middle} times as fast{against} {interval}".rstrip() + _doubt(found[what]))
    return ", ".join(clauses)


def _doubt(ratio: Ratio) -> str:
    """A word where the interval has room for both being equally fast."""
    _, low, high = ratio.speed
    unclear = low is not None and high is not None and low <= 1 <= high
    return " - no clear difference" if unclear else ""
