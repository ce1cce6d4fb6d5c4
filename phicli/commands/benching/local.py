"""``phi bench MODEL…``: measures models on this machine, compares them, and keeps what was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from phicli.bench.measuring.collect import BenchPlan, collect, planned_runs
from phicli.bench.measuring.surroundings import Surroundings, look_around
from phicli.bench.quality.types import Quality
from phicli.bench.runs.baseline import Baseline
from phicli.bench.runs.compare import BaselineResult, Ratio, ratios_of
from phicli.commands.benching.options import BenchOptions
from phicli.commands.benching.planning import check_baseline, check_before, plan_for
from phicli.commands.benching.subjects import subjects
from phicli.errors import PhiError, UserInterruptError
from phicli.records.history import History, entry_of
from phicli.records.run import Run
from phicli.ui.bench.progress import MeasuringLine
from phicli.ui.terminal import Terminal

_SHOWN = "what was measured until then is shown"


@dataclass(slots=True)
class Findings:
    """What there is to show. ``failure`` ended it early, or is the check that failed; None when all went well.

    ``command`` measures the same again.
    """

    runs: tuple[Run, ...] = ()
    ratios: tuple[Ratio, ...] = ()
    qualities: list[Quality] = field(default_factory=list)
    baseline: BaselineResult | None = None
    failure: PhiError | None = None
    warnings: tuple[str, ...] = ()
    command: str = ""


def run_local(terminal: Terminal, models: Sequence[str], options: BenchOptions) -> None:
    """Measure ``models`` as ``options`` say and show what was found, all of it or what there was until a failure.

    Raises:
        PhiError: nothing could be measured, something failed or was interrupted after what is shown, or the check that
            was asked for failed.
    """
    baseline = check_before(options)
    with MeasuringLine(terminal, enabled=not options.quiet) as line:
        tell: Callable[[str], None] = (lambda _: None) if options.quiet else line.say
        chosen = subjects(models, tell=tell)
        line.show("looking at the machine")
        around = look_around()
        plan = plan_for(chosen, options, around, tell)
        if baseline is not None:
            check_baseline(baseline, plan, around)
        outcome = collect(plan, around, on_step=lambda step: line.show(step.text, step.left_s))
        found = Findings(outcome.runs, ratios_of(outcome.runs), failure=outcome.failure)
        found.command = _command(plan, around, options)
        _keep(found, plan, around)
        if found.failure is None:
            _compare(found, options, baseline, line, tell)
    _show(terminal, found, options)


def _command(plan: BenchPlan, around: Surroundings, options: BenchOptions) -> str:
    """What to type to measure the same again, all of it, even where it ended early."""
    from phicli.ui.bench.repeat_command import command_of

    return command_of(
        planned_runs(plan, around), llama_server=options.llama_server, quick=options.quick, quality=options.quality
    )


def _keep(found: Findings, plan: BenchPlan, around: Surroundings) -> None:
    """Keep the runs; Ctrl-C, for instance while another process has the history, loses none that is to be shown."""
    try:
        found.warnings = keep(found.runs, plan, around)
    except KeyboardInterrupt:
        found.failure = UserInterruptError("interrupted", "what was measured is shown, but maybe not all of it is kept")


def keep(runs: Sequence[Run], plan: BenchPlan, around: Surroundings) -> tuple[str, ...]:
    """Keep finished runs in the history, and for the recommendation what it can use; returns why some were not."""
    from phicli.bench.calibration.feedback import measurements_of
    from phicli.records.calibration_files import save_measurement

    history = History()
    failed = [history.try_add(entry_of(run)) for run in runs if run.complete]
    for measurement in measurements_of(runs, plan.loads, around):
        try:
            save_measurement(measurement)
        except OSError as error:
            failed.append(f"phi recommend will not know of it: {error.strerror or error}: {error.filename}")
    return tuple(dict.fromkeys(warning for warning in failed if warning))


def _compare(
    found: Findings,
    options: BenchOptions,
    baseline: Baseline | None,
    line: MeasuringLine,
    tell: Callable[[str], None],
) -> None:
    """Add the qualities and the comparison with a baseline to ``found``; what fails is its ``failure``."""
    from phicli.commands.benching.quality import each_quality

    try:
        line.show("comparing")
        if baseline is not None:
            found.baseline = baseline.compare(found.runs)
        found.qualities.extend(each_quality(found.runs, options, tell))
        if found.baseline is not None:
            found.baseline.require_passed()
    except KeyboardInterrupt:
        found.failure = UserInterruptError("interrupted", _SHOWN)
    except PhiError as error:
        found.failure = error


def _show(terminal: Terminal, found: Findings, options: BenchOptions) -> None:
    """Print what there is, then fail if something failed; as JSON both are one object.

    Raises:
        PhiError: that of ``found``.
    """
    from phicli.ui.bench.report import draw_or_warn, print_runs, report_data

    for warning in found.warnings:
        terminal.alarm("warning:", warning)
    failure, runs, plot = found.failure, found.runs, options.plot
    if runs and failure is not None and plot is not None:
        draw_or_warn(terminal, runs, plot)
        plot = None
    if runs and not (failure is not None and options.output == "json"):
        print_runs(
            terminal, runs, output=options.output, ratios=found.ratios, baseline=found.baseline,
            qualities=found.qualities, plot=plot, command=found.command,
        )  # fmt: skip
    elif runs and failure is not None:
        failure.data = report_data(runs, found.ratios, found.baseline, found.qualities)
    if failure is not None:
        raise failure
