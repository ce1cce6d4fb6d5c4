"""Runs that were saved as a baseline: finding them, refusing unfair comparisons, and the comparison."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.bench.runs.compare import (
    QUANTITIES,
    BaselineResult,
    Ratio,
    asked_of,
    ratio_text,
    ratios_between,
    values_of,
)
from phicli.bench.runs.conditions import (
    busy_words,
    differences,
    interruption,
    labels_of,
    machine_differences,
    settings_differences,
    subject_differences,
    workload_differences,
    workload_text,
)
from phicli.bench.runs.run_files import read_runs, run_of
from phicli.catalog.display_name import name_of
from phicli.errors import IntegrityError, NotFoundError, UsageError
from phicli.paths import is_there
from phicli.records.history import LAST, History
from phicli.records.run import Run

_MOST: Final = 10.0
_FORCE: Final = "compare anyway with --force"
_FIRST: Final = "measure once without --baseline"
_NAMES: Final = "use a file, a run id (phi runs list), or last"


@dataclass(frozen=True, slots=True)
class Baseline:
    """Runs to compare with.

    ``name`` is what was asked for. ``kept`` are the runs that it means; for ``last`` all complete ones of the history,
    the newest first. Slower than ``fail_below`` times as fast is a failure. ``force`` accepts runs that were made under
    other conditions.
    """

    name: str
    kept: tuple[Run, ...]
    fail_below: float | None = None
    force: bool = False

    def check(self, planned: Sequence[Run]) -> None:
        """Return if runs as ``planned`` can be compared with it; they have no samples, and maybe no engine build.

        Raises:
            NotFoundError: there is no earlier run like one of ``planned``.
            UsageError: its conditions differ, or it has nothing that is planned.
        """
        pairs, _ = self._pairs(planned)
        if not any(values_of(pair.theirs, what) for pair in pairs for what in asked_of(pair.ours.workload)):
            raise self._nothing("none of the requested measurements")

    def compare(self, runs: Sequence[Run]) -> BaselineResult:
        """Compare each of ``runs`` with its counterpart.

        The counterpart is the newest run of the same file, settings, workload, machine and engine build; with
        ``force``, where there is none, that which differs in the fewest of them. Of ``last`` it is the newest of the
        same model, engine, settings and workload; with ``force`` the settings may differ. Repetitions of now and of
        then are no pairs: the intervals are Welch's. Something failed when its ratio (as a speed) is below
        ``fail_below``; whether its interval leaves that to chance is said with it.

        Raises:
            NotFoundError, UsageError: as for :meth:`check`.
        """
        pairs, notes = self._pairs(runs)
        ratios: list[Ratio] = []
        for pair in pairs:
            theirs = f"{name_of(pair.theirs.subject)} of {pair.theirs.made_at} ({pair.theirs.run_id})"
            ratios += ratios_between(pair.ours, pair.theirs, pair.label, theirs, in_turn=False)
        if not ratios:
            raise self._nothing("none of the measurements made now")
        failed = tuple(_failed(ratios, self.fail_below)) if self.fail_below is not None else ()
        accepted = dict.fromkeys(text for pair in pairs for text in pair.differing)
        warnings = dict.fromkeys(text for pair in pairs for text in _warnings(pair.theirs))
        return BaselineResult(
            self.name, self.fail_below, tuple(ratios), failed, tuple(accepted), tuple(notes), tuple(warnings)
        )

    def _pairs(self, runs: Sequence[Run]) -> tuple[list[_Pair], list[str]]:
        """Each of ``runs`` with its counterpart, and words for those that have none of the same work."""
        mine = {run.run_id for run in runs}
        kept = [other for other in self.kept if other.run_id not in mine]
        found = [_last_of(run, kept, force=self.force) for run in runs] if self.name == LAST else kept
        if not found:
            raise self._nothing("no run other than the ones measured now")
        exact = {other.run_id for other in found for run in runs if not differences(run, other)}
        pairs: list[_Pair] = []
        notes: list[str] = []
        for run, label in zip(runs, labels_of(runs), strict=True):
            other = _counterpart(run, found)
            differing = (*differences(run, other), *interruption(other))
            if differing and not self.force:
                raise UsageError(
                    f"baseline {self.name} was recorded under different conditions: {'; '.join(differing)}", _FORCE
                )
            if workload_differences(run, other) and other.run_id in exact:
                notes.append(f"{label}, {workload_text(run.workload)}: not in the baseline")
            else:
                pairs.append(_Pair(run, other, label, differing))
        return pairs, notes

    def _nothing(self, what: str) -> UsageError:
        return UsageError(f"baseline {self.name} contains {what}", "measure with the same options: see phi runs show")


@dataclass(frozen=True, slots=True)
class _Pair:
    """A run and its counterpart; ``differing`` in words."""

    ours: Run
    theirs: Run
    label: str
    differing: tuple[str, ...]


def open_baseline(
    name: str | None, fail_below: float | None, history: History, *, force: bool = False
) -> Baseline | None:
    """The baseline ``name``, read once; None without a name.

    ``last`` is the history. Anything else is a file that is there, as :func:`~phicli.bench.runs.run_files.read_runs`
    reads it, or the beginning of a run's id.

    Raises:
        UsageError: ``fail_below`` without a baseline, or not above 0 and at most 10; the name is empty, several runs
            have such an id, or what is there is no speed run.
        NotFoundError: there is no such file or run, or nothing was kept yet.
        IntegrityError, OSError: it, or the history, cannot be read.
    """
    for option, given in (("--fail-below", fail_below is not None), ("--force", force)):
        if given and name is None:
            raise UsageError(f"{option} requires --baseline", f"add --baseline FILE, or leave out {option}")
    if fail_below is not None and not 0 < fail_below <= _MOST:
        raise UsageError(f"--fail-below {fail_below:g} is not between 0 and {_MOST:g}", "for example: 0.95")
    if name is None:
        return None
    return Baseline(name, _kept(name, history), fail_below, force)


def _kept(name: str, history: History) -> tuple[Run, ...]:
    if not name.strip():
        raise UsageError("the name of the baseline is empty", _NAMES)
    if name == LAST:
        return _complete(history)
    if is_there(name):
        return read_runs(Path(name))
    if "/" in name or "\\" in name or name.endswith((".json", ".jsonl")):
        raise NotFoundError(f"baseline {name} not found", _NAMES)
    return (run_of(history.get(name)),)


def _complete(history: History) -> tuple[Run, ...]:
    """The complete speed runs in ``history``, the newest first; one that cannot be understood is not a candidate."""
    entries = history.entries(kind="run")
    if not entries:
        raise NotFoundError("--baseline last: no run has been saved yet", _FIRST)
    found: list[Run] = []
    for entry in entries:
        with contextlib.suppress(IntegrityError):
            found.append(run_of(entry))
    return tuple(run for run in found if run.complete)


def _warnings(theirs: Run) -> Iterator[str]:
    """Why ``theirs`` may be no good measure of how fast the machine was."""
    busy = busy_words(theirs)
    if busy is not None:
        yield f"baseline {theirs.run_id}: {busy}"


def _failed(ratios: Sequence[Ratio], fail_below: float) -> Iterator[str]:
    for ratio in ratios:
        middle, _, high = ratio.speed
        if middle >= fail_below:
            continue
        work = workload_text(ratio.workload)
        text = (
            f"{QUANTITIES[ratio.what]} of {ratio.ours}, {work}: {ratio_text(ratio)} times the baseline, "
            f"below --fail-below {fail_below:g}"
        )
        if high is None:
            text += " (one repetition: no confidence interval)"
        elif high >= fail_below:
            text += " (the interval includes the limit: this may be due to chance)"
        yield text


def _counterpart(run: Run, found: Sequence[Run]) -> Run:
    """The run to compare ``run`` with: the least different, among those the newest."""
    newest_first = sorted(found, key=lambda other: (other.made_at, other.run_id), reverse=True)
    return min(newest_first, key=lambda other: _distance(run, other))


def _distance(run: Run, other: Run) -> tuple[int, ...]:
    """What counts most comes first: another workload is another question, another build the same one asked again."""
    tests = (workload_differences, subject_differences, settings_differences, machine_differences)
    return (*(len(test(run, other)) for test in tests), len(interruption(other)))


def _last_of(run: Run, kept: Sequence[Run], *, force: bool) -> Run:
    """The newest in ``kept``, which has the newest first, that did the same work on the same model."""
    like = [one for one in kept if not subject_differences(run, one) and not workload_differences(run, one)]
    found = next((one for one in like if not settings_differences(run, one)), None)
    if found is None and force and like:
        found = like[0]
    if found is not None:
        return found
    what = f"{name_of(run.subject)} with these settings and {workload_text(run.workload)}"
    nothing = f"--baseline last: no earlier run of {what} was saved"
    if like:
        differing = "; ".join(settings_differences(run, like[0]))
        raise NotFoundError(f"{nothing}; the newest with other settings has {differing}", _FORCE)
    raise NotFoundError(nothing, f"{_FIRST}; see what is saved: phi runs list")
