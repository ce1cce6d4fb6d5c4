"""``phi bench --tune``: finds the settings that are best on this machine, and keeps them for ``phi chat``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from phicli.bench.calibration.store import save_measurement
from phicli.bench.launch import start
from phicli.bench.machine_mark import machine_mark
from phicli.bench.measuring.surroundings import Surroundings, busy_warning, look_around, spoilt
from phicli.bench.runs.history import Entry, History, new_run_id, now
from phicli.bench.tuning.engines import engine_pool
from phicli.bench.tuning.prepare import Prepared, measurements_of, tuned_of
from phicli.bench.tuning.search import Search
from phicli.bench.tuning.space import BATCH_TOKENS, FLASH_ATTENTION, KV_TYPE, REPACK, THREADS
from phicli.bench.tuning.store import forget_all_tuned, forget_tuned, save_tuned
from phicli.bench.tuning.types import SLOTS, Outcome
from phicli.bench.types import Subject
from phicli.catalog.load import catalog
from phicli.commands.benching.options import BenchOptions
from phicli.commands.benching.subjects import subjects
from phicli.commands.tuned_here import kept_for
from phicli.errors import UsageError, UserInterruptError
from phicli.gguf_file.header import read_header
from phicli.plan.context import plan_context
from phicli.plan.load import trained_context
from phicli.ui.bench.progress import MeasuringLine
from phicli.ui.bench.tuning import print_reset, print_tuning, print_tunings, tuning_data
from phicli.ui.terminal import Terminal

_BUDGET_S: Final = 180.0
_QUICK_BUDGET_S: Final = 60.0


def run_tuning(terminal: Terminal, models: Sequence[str], options: BenchOptions) -> None:
    """Tune each of ``models``, or forget what was found for them (``--reset``; without models all of it).

    Raises:
        UsageError: no model is named, or an option makes no sense here.
        UserInterruptError: Ctrl-C; what was found so far is shown and nothing of that model is kept.
        PhiError: a model cannot be found, does not fit, or the engine failed.
    """
    _check(models, options)
    if options.reset:
        _reset(terminal, models, options)
        return
    chosen = subjects(models)
    around = look_around()
    tunings: list[dict[str, Any]] = []
    for subject in chosen:
        tuning, complete = _tune(terminal, subject, around, options)
        tunings.append(tuning)
        if not complete:
            data = {"hardware": around.to_data(), "tunings": tunings}
            raise UserInterruptError("interrupted: nothing was kept of what was found so far", data=data)
    if options.output == "json":
        print_tunings(terminal, around.to_data(), tunings)


def _check(models: Sequence[str], options: BenchOptions) -> None:
    if options.engines != ("xllamacpp",):
        raise UsageError("--tune finds settings for the engine that phi chat uses", "leave --engine out")
    if options.output not in ("text", "json"):
        raise UsageError(f"--tune prints text or --json, not --{options.output}", "leave it out")
    if options.gpu_layers:
        raise UsageError("--tune leaves the layers where the engine puts them", "leave --gpu-layers out")
    if not models and not options.reset:
        raise UsageError("which model is to be tuned?", "name it: phi bench --tune tiny-phi")


def _reset(terminal: Terminal, models: Sequence[str], options: BenchOptions) -> None:
    if models:
        found = [one.model for one in subjects(models) if forget_tuned(one.path, one.sha256)]
        count = len(found)
    else:
        found, count = [], forget_all_tuned()
    print_reset(terminal, found, count, as_json=options.output == "json")


def _tune(
    terminal: Terminal, subject: Subject, around: Surroundings, options: BenchOptions
) -> tuple[dict[str, Any], bool]:
    """Tune one model, keep and show what was found; its data, and whether the search came to its end."""
    prepared = _prepared(subject, around)
    outcome, subject, others = _searched(terminal, prepared, options)
    earlier = kept_for(subject.path).current is not None
    outcome, busy = judged(outcome, around, others, earlier=earlier)
    stays = busy is not None and busy.endswith(_STAYS)
    warnings = [busy] if busy else []
    warnings += _keep(prepared, outcome, subject, winners=not stays) if outcome.complete else ()
    kept = outcome.complete and not stays and not any(one.startswith(_LOST) for one in warnings)
    for warning in warnings:
        terminal.alarm("warning:", warning)
    if options.output == "text":
        print_tuning(terminal, subject, outcome, kept=kept)
    return tuning_data(subject, outcome, kept=kept, warnings=warnings), outcome.complete


def judged(
    outcome: Outcome, around: Surroundings, used_by_others: float | None, *, earlier: bool = False
) -> tuple[Outcome, str | None]:
    """What of ``outcome`` can be trusted on a machine that others used as well, and words for that.

    Winners that were found between the work of others become the defaults again, or, where there are some of an
    ``earlier`` search, those stay.
    """
    why = spoilt(around, used_by_others)
    if why is None or not outcome.changes:
        return outcome, busy_warning(around, used_by_others)
    words = f"{why}, so what won may have won by chance; close them and tune again; until then "
    return outcome.with_defaults(), words + (_STAYS if earlier else "the defaults are used")


def _prepared(subject: Subject, around: Surroundings) -> Prepared:
    from phicli.fit.shape import shape_of

    header = read_header(subject.path)
    shape = shape_of(header)
    trained = trained_context(shape)
    context = plan_context(
        trained_tokens=trained,
        original_tokens=header.original_context_length,
        asked_tokens=None,
        fitting_tokens=trained,
    )
    variant = next((one for one in catalog().variants if one.id == subject.variant_id), None)
    return Prepared(subject, shape, around, context.first_tokens, reasoning=variant is not None and variant.reasoning)


def _searched(terminal: Terminal, prepared: Prepared, options: BenchOptions) -> tuple[Outcome, Subject, float | None]:
    """What the search found, the subject with the build of the engine that ran, processors that others used."""
    subject = prepared.subject
    space = prepared.space(_given(options))
    begin = partial(start, subject, context_tokens=prepared.measured_tokens, slots=SLOTS)
    with (
        MeasuringLine(terminal, enabled=not options.quiet) as line,
        engine_pool(begin, prepared.fit_together) as pool,
    ):
        search = Search(
            space,
            pool,
            budget_s=_QUICK_BUDGET_S if options.quick else _BUDGET_S,
            reasoning=prepared.reasoning,
            on_step=lambda text, left_s: line.show(f"tuning {subject.model}: {text}", left_s),
        )
        try:
            outcome = search.run()
        except KeyboardInterrupt:
            outcome = search.outcome(complete=False)
    return outcome, replace(subject, build=pool.build), pool.used_by_others


def _given(options: BenchOptions) -> Mapping[str, Sequence[Any]]:
    """The values that were asked for, by setting."""
    return {
        REPACK: options.repack,
        THREADS: options.threads,
        BATCH_TOKENS: options.batch_tokens,
        FLASH_ATTENTION: options.flash_attention,
        KV_TYPE: options.kv_types,
    }


_STAYS: Final = "what was tuned before is used"
_LOST: Final = "phi chat will not know of it"


def _keep(prepared: Prepared, outcome: Outcome, subject: Subject, *, winners: bool = True) -> tuple[str, ...]:
    """Keep the winners, the speeds for the recommendation, and all of it in the history; why something was not kept."""
    warnings = []
    try:
        if winners:
            save_tuned(tuned_of(prepared, outcome, subject.build), subject.path, subject.sha256, machine_mark())
    except OSError as error:
        warnings.append(f"{_LOST}: {error.strerror or error}: {error.filename}")
    try:
        for measurement in measurements_of(prepared, outcome, subject.build):
            save_measurement(measurement)
    except OSError as error:
        warnings.append(f"phi recommend will not know of it: {error.strerror or error}: {error.filename}")
    data = {**tuning_data(subject, outcome, kept=winners and not warnings), "hardware": prepared.around.to_data()}
    cpu = prepared.around.cpu.name
    entry = Entry(new_run_id(), now(), "tune", subject.model, subject.quant, subject.engine, subject.build, cpu, data)
    failed = History().try_add(entry)
    return (*warnings, failed) if failed else tuple(warnings)
