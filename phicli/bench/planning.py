"""What ``phi bench`` is going to measure, checked before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from phicli.bench.measuring.bench_plan import BenchPlan, planned_runs
from phicli.bench.measuring.grid import context_for, settings_grid, workloads
from phicli.bench.measuring.room import PlannedLoad, check_room, fit_together, fits
from phicli.bench.measuring.surroundings import Surroundings
from phicli.bench.options import BenchOptions
from phicli.bench.runs.baseline import Baseline
from phicli.engine.abilities import Ability
from phicli.engine.starting import ENGINES, EngineChoice, build_of, check_settings, find_program, require
from phicli.errors import DoesNotFitError
from phicli.fit.memory import CONTEXT_STEP, smaller_kv_types
from phicli.fit.shape import shape_of
from phicli.fit.too_large import OnTooLarge, on_too_large, refuse
from phicli.gguf_file.header import read_header
from phicli.plan.adapters import adapter_bytes
from phicli.plan.engine_file import file_for_engine, require_runs
from phicli.plan.machine import repacked_here
from phicli.records.run import Subject, Workload
from phicli.records.workload_texts import TEXTS
from phicli.units import how_far

_IN_BLOCKS = "the models do not all fit into memory together: each is loaded twice, for half of its repetitions"
_NO_GPU = "the engine found no GPU: all layers run on the processor, and --gpu-layers has no effect"


def plan_for(
    chosen: Sequence[Subject], options: BenchOptions, around: Surroundings, tell: Callable[[str], None]
) -> BenchPlan:
    """Every file with every engine and every setting.

    Args:
        chosen: the files.
        options: what is measured.
        around: the machine.
        tell: is told in words when engines cannot stay loaded side by side, layers cannot go where they should, or
            something is loaded that seems too large.

    Raises:
        UsageError: the context is too short, or a setting makes no sense for a model or an engine.
        WrongBaseError: an adapter was made for another model.
        UnsupportedModelError: an engine cannot run one of the files.
        DoesNotFitError: one of them does not fit into memory.
        NotFoundError: there is no llama-server, or an engine is not installed.
    """
    texts = _texts(options)
    work = workloads(options.prompt_tokens, options.generated_tokens, options.depth_tokens, texts)
    grid = settings_grid(options.settings, cores=around.cpu.physical_cores)
    on_known_gpus = all(ENGINES[name].uses_known_gpus for name in options.engines)
    if any(options.settings.get("gpu_layers", ())) and on_known_gpus and not any(gpu.usable for gpu in around.gpus):
        tell(_NO_GPU)
    for name in options.engines:
        for setting in grid:
            check_settings(name, setting)
    programs = [find_program(name, options.llama_server) for name in options.engines]
    program = next((one for one in programs if one is not None), None)
    loads: list[PlannedLoad] = []
    for subject in chosen:
        header = read_header(subject.path)
        beside = adapter_bytes(subject.used_adapters, header, subject.model)
        context = context_for(work, asked=options.context_tokens, trained=header.context_length or 0)
        for name in options.engines:
            if subject.adapters:
                require(name, Ability.ADAPTERS)
            require_runs(name, header)
            shape = replace(shape_of(header, repacked=repacked_here(EngineChoice(name, program))), adapter_bytes=beside)
            loads += [PlannedLoad(replace(subject, engine=name), setting, shape, context) for setting in grid]
    too_large = on_too_large(tell, check=options.memory_check)
    for load in loads:
        require_room(load, work, around, too_large)
    together = fit_together(loads, around.memory, around.gpus)
    if not together:
        tell(_IN_BLOCKS)
    return BenchPlan(tuple(loads), work, options.repeat, together, program)


def write_files(plan: BenchPlan, show: Callable[[str], None]) -> None:
    """Write the files for the engine that do not exist yet; ``show`` is called with the progress.

    Raises:
        DoesNotFitError: the disk is too small.
        PhiError: a file cannot be read, or not be written.
    """
    shown = ""

    def progress(what: str, done: int, total: int) -> None:
        nonlocal shown
        text = how_far(what, done, total)
        if text != shown:
            show(text)
            shown = text

    for subject in {load.subject for load in plan.loads}:
        file_for_engine(subject.engine, read_header(subject.path), progress)


def _texts(options: BenchOptions) -> tuple[str | None, ...]:
    """The texts to generate: speculation shows nothing after random tokens."""
    return tuple(TEXTS) if options.settings.get("speculation") else (None,)


def check_baseline(baseline: Baseline, plan: BenchPlan, around: Surroundings) -> None:
    """Return if what ``plan`` measures can be compared with ``baseline``, as far as is known before.

    Raises:
        UsageError: the conditions of the baseline differ, or its subject does.
        NotFoundError: there is no last run of the same, or no such llama-server.
        EngineError: the program does not report a version as llama-server does.
    """
    runs = planned_runs(plan, around)
    builds = {engine: build_of(engine, plan.llama_server) for engine in {run.subject.engine for run in runs}}
    baseline.check([replace(run, subject=replace(run.subject, build=builds[run.subject.engine])) for run in runs])


def require_room(
    load: PlannedLoad, work: Sequence[Workload], around: Surroundings, on_too_large: OnTooLarge = refuse
) -> None:
    """Return if ``load`` fits into memory, or ``on_too_large`` returns.

    Raises:
        UsageError: the engine cannot keep the context of this model in the type that was asked for.
        DoesNotFitError: it does not fit; the hint names options with which it does, if any help.
    """
    try:
        check_room(load, around.memory, around.gpus)
    except DoesNotFitError as error:
        found = _what_fits(load, work, around)
        refused = DoesNotFitError(error.message, found or error.hint, data=error.data)
    else:
        return
    on_too_large(refused)


def _what_fits(load: PlannedLoad, work: Sequence[Workload], around: Surroundings) -> str | None:
    """What to type so that ``load`` fits; None when nothing short of another model helps."""
    settings = load.settings
    least = context_for(work, asked=None, trained=load.shape.trained_context_tokens)
    options = {f"--context {least}": replace(load, context_tokens=least)} if least < load.context_tokens else {}
    if settings.repack:
        options["--repack off"] = replace(load, settings=replace(settings, repack=False))
    for name in smaller_kv_types(load.shape, settings.kv_type):
        other = replace(settings, kv_type=name)
        if other.is_possible:
            options[f"--kv-type {name}"] = replace(load, settings=other)
    fitting = next((text for text, other in options.items() if fits(other, around.memory, around.gpus)), None)
    if fitting is not None:
        return f"it fits with {fitting}"
    shortest = replace(load, context_tokens=CONTEXT_STEP)
    if least > CONTEXT_STEP and fits(shortest, around.memory, around.gpus):
        return "the model itself fits: use a smaller --prompt-tokens, --tokens or --depth"
    return None
