"""Ratios of runs: of models or settings in one benchmark, and against a baseline that was kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from phicli.bench.runs.conditions import labels_of
from phicli.errors import CheckFailedError
from phicli.records.run import Run, Sample, Workload
from phicli.records.statistics import ratio_interval

QUANTITIES: Final = {"prompt_tps": "prompt speed", "decode_tps": "generation speed", "ttft_ms": "speed to first token"}
"""What is compared, and what people call it; of ``*_ms``, less is better."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """One quantity of ``ours`` over that of ``theirs`` under one workload, with the ends of its 95 % interval.

    ``what`` is a key of :data:`QUANTITIES`. ``low`` and ``high`` are None where a side has one repetition. ``method``
    says how they were found; the ratio is that of the geometric means.
    """

    what: str
    ours: str
    theirs: str
    ratio: float
    low: float | None
    high: float | None
    method: str
    workload: Workload

    @property
    def speed(self) -> tuple[float, float | None, float | None]:
        """The ratio and its ends as speeds: above 1 is faster, for times too."""
        if not self.what.endswith("_ms"):
            return self.ratio, self.low, self.high
        return 1 / self.ratio, 1 / self.high if self.high else None, 1 / self.low if self.low else None

    def to_data(self) -> dict[str, Any]:
        """Its form in ``--json``."""
        data = {name: getattr(self, name) for name in ("what", "ours", "theirs", "ratio", "low", "high", "method")}
        return data | asdict(self.workload)


@dataclass(frozen=True, slots=True)
class BaselineResult:
    """What came of comparing with a baseline.

    ``name`` is what was asked for. ``failed`` has a sentence for each quantity that is slower than ``fail_below``
    allows; ``differences`` says which other conditions ``--force`` accepted; ``notes`` says what was not compared;
    ``warnings`` says why what was kept may be no good measure.
    """

    name: str
    fail_below: float | None
    ratios: tuple[Ratio, ...]
    failed: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """Its form in ``--json``."""
        return {
            "name": self.name, "fail_below": self.fail_below, "ratios": [ratio.to_data() for ratio in self.ratios],
            "failed": list(self.failed), "differences": list(self.differences), "notes": list(self.notes),
            "warnings": list(self.warnings),
        }  # fmt: skip

    def require_passed(self) -> None:
        """Nothing, where nothing failed.

        Raises:
            CheckFailedError: with the reasons.
        """
        if self.failed:
            message = f"too slow compared with baseline {self.name}: {'; '.join(self.failed)}"
            raise CheckFailedError(message, "to be sure, measure again on an idle machine with a larger --repeat")


def ratios_of(runs: Sequence[Run]) -> tuple[Ratio, ...]:
    """Each later run against the first one of the same workload, for what both have samples of.

    Repetitions that were taken in turn are compared pair by pair, see :func:`phicli.records.statistics.ratio_interval`;
    runs that were taken in blocks (``schedule`` among their ``extra``) are not.
    """
    first: dict[Workload, tuple[Run, str]] = {}
    found: list[Ratio] = []
    for run, label in zip(runs, labels_of(runs), strict=True):
        reference, name = first.setdefault(run.workload, (run, label))
        if reference is not run:
            in_turn = "blocks" not in (run.extra.get("schedule"), reference.extra.get("schedule"))
            found += ratios_between(run, reference, label, name, in_turn=in_turn)
    return tuple(found)


def ratio_text(ratio: Ratio) -> str:
    """The ratio as a speed: ``0.71 (0.68 to 0.74)``, without an interval where there is none."""
    middle, low, high = ratio.speed
    return f"{middle:.2f}" if low is None or high is None else f"{middle:.2f} ({low:.2f} to {high:.2f})"


def ratios_between(ours: Run, theirs: Run, our_label: str, their_label: str, *, in_turn: bool) -> Iterator[Ratio]:
    """``ours`` over ``theirs`` for what both have samples of; ``in_turn`` when repetitions may be pairs."""
    for what in QUANTITIES:
        mine, other = values_of(ours, what), values_of(theirs, what)
        found = ratio_interval(mine, other, paired=None if in_turn else False)
        if found is not None:
            ends = found.low, found.high
            yield Ratio(what, our_label, their_label, found.estimate, *ends, found.method, ours.workload)


def asked_of(workload: Workload) -> tuple[str, ...]:
    """The keys of :data:`QUANTITIES` that a run of ``workload`` measures."""
    prompt = ("prompt_tps", "ttft_ms") if workload.prompt_tokens else ()
    return (*prompt, *(("decode_tps",) if workload.generated_tokens else ()))


def values_of(run: Run, what: str) -> list[float]:
    """The quantity ``what``, a key of :data:`QUANTITIES`, in each repetition that has it."""
    tokens = {"prompt_tps": run.workload.prompt_tokens, "decode_tps": run.workload.generated_tokens}.get(what)
    times = [time for sample in run.samples if (time := _time(sample, what))]
    if tokens is None:
        return times
    return [1000 * tokens / time for time in times] if tokens else []


def _time(sample: Sample, what: str) -> float | None:
    time = {"prompt_tps": sample.prompt_ms, "decode_tps": sample.decode_ms, "ttft_ms": sample.ttft_ms}[what]
    return time if time and math.isfinite(time) else None
