"""``phi bench --tune``: finds the settings that are best on this machine, and keeps them for ``phi chat``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from phicli.bench.launch import start
from phicli.bench.measuring.surroundings import Surroundings, look_around
from phicli.bench.tuning.engines import engine_pool
from phicli.bench.tuning.prepare import Prepared, measurements_of, tuned_of
from phicli.bench.tuning.search import Search
from phicli.bench.tuning.space import BATCH_TOKENS, FLASH_ATTENTION, KV_TYPE, REPACK, THREADS
from phicli.bench.tuning.trust import Judgement, judged
from phicli.bench.tuning.types import SLOTS, Outcome
from phicli.catalog.load import catalog
from phicli.commands.benching.options import BenchOptions
from phicli.commands.benching.subjects import subjects
from phicli.commands.tuned_here import kept_for
from phicli.errors import PhiError, UsageError, UserInterruptError
from phicli.gguf_file.header import read_header
from phicli.plan.context import plan_context
from phicli.plan.load import trained_context
from phicli.records.calibration_files import save_measurement
from phicli.records.history import Entry, History, new_run_id, now
from phicli.records.machine_mark import machine_mark
from phicli.records.run import Subject
from phicli.records.tuned_files import forget_all_tuned, forget_tuned, save_tuned
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
    around = look_around()
    tunings: list[dict[str, Any]] = []
    data = {"hardware": around.to_data(), "tunings": tunings}
    try:
        for subject in subjects(models):
            tuning = _tune(terminal, subject, around, options)
            tunings.append(tuning)
            if not tuning["complete"]:
                raise UserInterruptError(f"interrupted: nothing is kept of what was found for {subject.model}")
    except KeyboardInterrupt:
        raise UserInterruptError("interrupted", data=data if tunings else None) from None
    except PhiError as error:
        error.data = data if tunings else error.data
        raise
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


def _tune(terminal: Terminal, subject: Subject, around: Surroundings, options: BenchOptions) -> dict[str, Any]:
    """Tune one model, keep and show what was found; its data."""
    prepared = _prepared(subject, around)
    outcome, subject, others = _searched(terminal, prepared, options)
    found = judged(outcome, around, others, earlier=kept_for(subject.path).current is not None)
    kept, warnings = _keep(prepared, found, subject) if outcome.complete else (False, [])
    warnings = [*([found.warning] if found.warning else []), *warnings]
    for warning in warnings:
        terminal.alarm("warning:", warning)
    if options.output == "text":
        print_tuning(terminal, subject, found.outcome, kept=kept)
    return tuning_data(subject, found.outcome, kept=kept, warnings=warnings)


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
            on_step=lambda text, left_s: line.show(f"tuning {subject.model}: {text}", left_s, at_most=True),
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


def _keep(prepared: Prepared, found: Judgement, subject: Subject) -> tuple[bool, list[str]]:
    """Keep what is trusted for ``phi chat`` and ``phi recommend``, and all of it in the history.

    Returns whether ``phi chat`` will use the winners, and words for each thing that could not be written.
    """
    failed = ["", ""]
    if found.trusted:
        failed[0] = _failure(lambda: _save_winners(prepared, found.outcome, subject), "phi chat will not know of it")
        failed[1] = _failure(
            lambda: _save_speeds(prepared, found.outcome, subject), "phi recommend will not know of it"
        )
    kept = found.trusted and not failed[0]
    warnings = [one for one in (found.warning, *failed) if one]
    data = {**tuning_data(subject, found.outcome, kept=kept, warnings=warnings), "hardware": prepared.around.to_data()}
    cpu = prepared.around.cpu.name
    entry = Entry(new_run_id(), now(), "tune", subject.model, subject.quant, subject.engine, subject.build, cpu, data)
    return kept, [one for one in (*failed, History().try_add(entry)) if one]


def _failure(save: Callable[[], object], lost: str) -> str:
    """Why ``save`` could not, after what is ``lost`` by that; empty where it could."""
    try:
        save()
    except OSError as error:
        return f"{lost}: {error.strerror or error}: {error.filename}"
    return ""


def _save_winners(prepared: Prepared, outcome: Outcome, subject: Subject) -> None:
    save_tuned(tuned_of(prepared, outcome, subject.build), subject.path, subject.sha256, machine_mark())


def _save_speeds(prepared: Prepared, outcome: Outcome, subject: Subject) -> None:
    for measurement in measurements_of(prepared, outcome, subject.build):
        save_measurement(measurement)
