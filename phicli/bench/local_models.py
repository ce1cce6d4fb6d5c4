"""Measures models on this machine, compares them, and saves what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from phicli.bench.measuring.bench_plan import planned_runs
from phicli.bench.measuring.collect import collect
from phicli.bench.measuring.surroundings import look_around
from phicli.bench.options import BenchOptions
from phicli.bench.planning import check_baseline, plan_for, write_files
from phicli.bench.quality.families import each_quality
from phicli.bench.quality.types import Quality
from phicli.bench.runs.baseline import Baseline, open_baseline
from phicli.bench.runs.compare import BaselineResult, Ratio, ratios_of
from phicli.bench.subjects import subjects
from phicli.errors import PhiError, UserInterruptError
from phicli.hardware.threads import notice_threads
from phicli.jobs.watch import Watch
from phicli.records.history import History, entry_of
from phicli.records.run import Run

_SHOWN = "the measurements made so far are shown"


@dataclass(slots=True)
class BenchFindings:
    """What was found. ``failure`` ended it early, or is the check that failed; None when all went well.

    ``planned`` are all runs that were to be made, without samples.
    """

    runs: tuple[Run, ...] = ()
    ratios: tuple[Ratio, ...] = ()
    planned: tuple[Run, ...] = ()
    qualities: list[Quality] = field(default_factory=list)
    baseline: BaselineResult | None = None
    failure: PhiError | None = None
    warnings: tuple[str, ...] = ()


def benchmark(models: Sequence[str], options: BenchOptions, watch: Watch) -> BenchFindings:
    """Measure ``models`` as ``options`` say: everything, or what there was until a failure.

    Raises:
        PhiError: nothing could be measured.
    """
    notice_threads(options.settings.get("threads", ()), watch.say)
    baseline = open_baseline(options.baseline, options.fail_below, History(), force=options.force)
    chosen = subjects(models, adapters=options.adapters, tell=watch.say)
    watch.show("looking at the machine")
    around = look_around()
    plan = plan_for(chosen, options, around, watch.say)
    if baseline is not None:
        check_baseline(baseline, plan, around)
    write_files(plan, watch.show)
    outcome = collect(plan, around, on_step=lambda step: watch.show(step.text, step.left_s))
    found = BenchFindings(outcome.runs, ratios_of(outcome.runs), planned_runs(plan, around), failure=outcome.failure)
    _keep(found)
    if found.failure is None:
        _compare(found, options, baseline, watch)
    return found


def _keep(found: BenchFindings) -> None:
    """Keep the runs; Ctrl-C, for instance while another process has the history, loses none that is to be shown."""
    try:
        found.warnings = keep(found.runs)
    except KeyboardInterrupt:
        found.failure = UserInterruptError("interrupted", "the measurements are shown, but some may not be saved")


def keep(runs: Sequence[Run]) -> tuple[str, ...]:
    """Save finished runs in the history; returns why some were not."""
    history = History()
    failed = [history.try_add(entry_of(run)) for run in runs if run.complete]
    return tuple(dict.fromkeys(warning for warning in failed if warning))


def _compare(found: BenchFindings, options: BenchOptions, baseline: Baseline | None, watch: Watch) -> None:
    """Add the qualities and the comparison with a baseline to ``found``; what fails is its ``failure``."""
    try:
        watch.show("comparing")
        if baseline is not None:
            found.baseline = baseline.compare(found.runs)
        found.qualities.extend(each_quality(found.runs, options, watch.say))
        if found.baseline is not None:
            found.baseline.require_passed()
    except KeyboardInterrupt:
        found.failure = UserInterruptError("interrupted", _SHOWN)
    except PhiError as error:
        found.failure = error
