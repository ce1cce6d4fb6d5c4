"""Ratios of runs: of models or settings in one benchmark, and against a baseline that was kept."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from phicli.bench.runs.conditions import (
    differences,
    labels_of,
    machine_differences,
    model_name,
    settings_differences,
    subject_differences,
    workload_differences,
    workload_text,
)
from phicli.bench.runs.history import LAST, History
from phicli.bench.runs.run_files import read_runs, run_of
from phicli.bench.statistics import ratio_interval
from phicli.bench.types import Run, Sample, Workload
from phicli.errors import CheckFailedError, IntegrityError, NotFoundError, UsageError
from phicli.paths import is_there

QUANTITIES: Final = {"prompt_tps": "prompt", "decode_tps": "generation", "ttft_ms": "first token"}
"""What is compared, and what people call it; of ``*_ms``, less is better."""

_MOST: Final = 10.0
_FORCE: Final = "compare them all the same with --force"


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
        """As ``--json`` has it."""
        data = {name: getattr(self, name) for name in ("what", "ours", "theirs", "ratio", "low", "high", "method")}
        return data | asdict(self.workload)


@dataclass(frozen=True, slots=True)
class BaselineResult:
    """What came of comparing with a baseline.

    ``name`` is what was asked for. ``failed`` has a sentence for each quantity that is slower than ``fail_below``
    allows; ``differences`` says which other conditions ``--force`` accepted; ``notes`` says what was not compared.
    """

    name: str
    fail_below: float | None
    ratios: tuple[Ratio, ...]
    failed: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """As ``--json`` has it."""
        return {
            "name": self.name, "fail_below": self.fail_below, "ratios": [ratio.to_data() for ratio in self.ratios],
            "failed": list(self.failed), "differences": list(self.differences), "notes": list(self.notes),
        }  # fmt: skip

    def require_passed(self) -> None:
        """Nothing, where nothing failed.

        Raises:
            CheckFailedError: with the reasons.
        """
        if self.failed:
            message = f"slower than the baseline {self.name}: {'; '.join(self.failed)}"
            raise CheckFailedError(message, "measure again on an idle machine, with more --repeat, to be sure")


def ratios_of(runs: Sequence[Run]) -> tuple[Ratio, ...]:
    """Each later run against the first one of the same workload, for what both have samples of.

    Repetitions that were taken in turn are compared pair by pair, see :func:`phicli.bench.statistics.ratio_interval`;
    runs that were taken in blocks (``schedule`` among their ``extra``) are not.
    """
    first: dict[Workload, tuple[Run, str]] = {}
    found: list[Ratio] = []
    for run, label in zip(runs, labels_of(runs), strict=True):
        reference, name = first.setdefault(run.workload, (run, label))
        if reference is not run:
            in_turn = "blocks" not in (run.extra.get("schedule"), reference.extra.get("schedule"))
            found += _ratios(run, reference, label, name, in_turn=in_turn)
    return tuple(found)


def check_baseline(name: str | None, fail_below: float | None, history: History) -> None:
    """Find out before anything is measured that a baseline cannot be used.

    Raises:
        UsageError: ``fail_below`` without a baseline, or not above 0 and at most 10; the baseline is no speed run.
        NotFoundError: there is no such file or run, or nothing was kept yet.
        IntegrityError, OSError: it, or the history, cannot be read.
    """
    if fail_below is not None and name is None:
        raise UsageError("--fail-below needs a --baseline", "for example: --baseline last --fail-below 0.95")
    if fail_below is not None and not 0 < fail_below <= _MOST:
        raise UsageError(f"--fail-below {fail_below:g} is not above 0 and at most {_MOST:g}", "for example: 0.95")
    if name is None:
        return
    if name != LAST:
        load_baseline(name, (), history)
    elif not history.entries(kind="run", limit=1):
        raise NotFoundError("no run was kept yet, so there is no last one", "run phi bench once without --baseline")


def load_baseline(name: str, runs: Sequence[Run], history: History, *, force: bool = False) -> tuple[Run, ...]:
    """The runs to compare with.

    ``last`` is, for each of ``runs``, the newest complete one in the history of the same model, quant, engine, settings
    and workload that is none of ``runs``; where there is none and ``force`` is given, the settings may differ. Anything
    else is a file that is there, as :func:`~phicli.bench.runs.run_files.read_runs` reads it, or the beginning of a
    run's id.

    Raises:
        NotFoundError: there is no such file or run.
        UsageError: the name is empty, several runs have such an id, or what is there is no speed run.
        IntegrityError, OSError: it, or the history, cannot be read.
    """
    if not name.strip():
        raise UsageError("the name of the baseline is empty", "name a file, last, or a run (phi runs list)")
    if name == LAST:
        return _last(runs, history, force=force)
    if is_there(name):
        return read_runs(Path(name))
    if "/" in name or "\\" in name or name.endswith((".json", ".jsonl")):
        raise NotFoundError(f"the baseline {name} does not exist", "name a file, last, or a run (phi runs list)")
    return (run_of(history.get(name)),)


def baseline_check(
    runs: Sequence[Run], name: str, *, fail_below: float | None, force: bool, history: History
) -> BaselineResult:
    """Compare each of ``runs`` with its counterpart in the baseline ``name``.

    The counterpart is the newest run of the same file, settings, workload, machine and engine build; with ``force``,
    where there is none, that which differs in the fewest of them. Repetitions of now and of then are no pairs: the
    intervals are Welch's. Something failed when its ratio (as a speed) is below ``fail_below``; whether its interval
    leaves that to chance is said with it.

    Raises:
        UsageError: a counterpart differs and ``force`` is not given, the options make no sense, or nothing can be
            compared.
        NotFoundError, IntegrityError, OSError: as for :func:`load_baseline`.
    """
    check_baseline(name, fail_below, history)
    found = load_baseline(name, runs, history, force=force)
    ratios: list[Ratio] = []
    accepted: list[str] = []
    notes: list[str] = []
    exact = {other.run_id for other in found for run in runs if not differences(run, other)}
    for run, label in zip(runs, labels_of(runs), strict=True):
        other = _counterpart(run, found)
        differing = differences(run, other)
        if differing and not force:
            raise UsageError(f"the baseline {name} was made otherwise: {'; '.join(differing)}", _FORCE)
        if workload_differences(run, other) and other.run_id in exact:
            notes.append(f"{label}, {workload_text(run.workload)}: not in the baseline")
            continue
        accepted += differing
        ratios += _ratios(run, other, label, f"{model_name(other)} of {other.made_at} ({other.run_id})", in_turn=False)
    if not ratios:
        raise UsageError(
            f"the baseline {name} has nothing that was measured now", "measure the same: see phi runs show"
        )
    failed = tuple(_failed(ratios, fail_below)) if fail_below is not None else ()
    return BaselineResult(name, fail_below, tuple(ratios), failed, tuple(dict.fromkeys(accepted)), tuple(notes))


def ratio_text(ratio: Ratio) -> str:
    """The ratio as a speed: ``0.71 (0.68 to 0.74)``, without an interval where there is none."""
    middle, low, high = ratio.speed
    return f"{middle:.2f}" if low is None or high is None else f"{middle:.2f} ({low:.2f} to {high:.2f})"


def _failed(ratios: Sequence[Ratio], fail_below: float) -> Iterator[str]:
    for ratio in ratios:
        middle, _, high = ratio.speed
        if middle >= fail_below:
            continue
        work = workload_text(ratio.workload)
        text = f"{QUANTITIES[ratio.what]} of {ratio.ours}, {work}: {ratio_text(ratio)}, limit {fail_below:g}"
        if high is None:
            text += " (one repetition: how sure that is, is not known)"
        elif high >= fail_below:
            text += " (the interval reaches the limit: it may be chance)"
        yield text


def _ratios(ours: Run, theirs: Run, our_label: str, their_label: str, *, in_turn: bool) -> Iterator[Ratio]:
    for what in QUANTITIES:
        mine, other = values_of(ours, what), values_of(theirs, what)
        found = ratio_interval(mine, other, paired=None if in_turn else False)
        if found is not None:
            ends = found.low, found.high
            yield Ratio(what, our_label, their_label, found.estimate, *ends, found.method, ours.workload)


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


def _counterpart(run: Run, found: Sequence[Run]) -> Run:
    """The run to compare ``run`` with: the least different, among those the newest."""
    newest_first = sorted(found, key=lambda other: (other.made_at, other.run_id), reverse=True)
    return min(newest_first, key=lambda other: _distance(run, other))


def _distance(run: Run, other: Run) -> tuple[int, ...]:
    """What counts most comes first: another workload is another question, another build the same one asked again."""
    tests = (workload_differences, subject_differences, settings_differences, machine_differences)
    return tuple(len(test(run, other)) for test in tests)


def _last(runs: Sequence[Run], history: History, *, force: bool) -> tuple[Run, ...]:
    mine = {run.run_id for run in runs}
    kept: list[Run] = []
    for entry in history.entries(kind="run"):
        with contextlib.suppress(IntegrityError):  # one that cannot be understood is no candidate
            run = run_of(entry)
            if run.complete and run.run_id not in mine:
                kept.append(run)
    return tuple(_last_of(run, kept, force=force) for run in runs)


def _last_of(run: Run, kept: Sequence[Run], *, force: bool) -> Run:
    """The newest in ``kept``, which has the newest first, that did the same work on the same model."""
    like = [one for one in kept if not subject_differences(run, one) and not workload_differences(run, one)]
    found = next((one for one in like if not settings_differences(run, one)), None)
    if found is None and force and like:
        found = like[0]
    if found is not None:
        return found
    what = f"{model_name(run)} with these settings and {workload_text(run.workload)}"
    if like:
        differing = "; ".join(settings_differences(run, like[0]))
        raise NotFoundError(f"no earlier run of {what} was kept; the newest with others: {differing}", _FORCE)
    raise NotFoundError(
        f"no earlier run of {what} was kept", "this one is the first; run it again, or see phi runs list"
    )
