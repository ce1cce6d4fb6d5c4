"""What ``phi bench`` is going to measure, checked before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from phicli.bench.launch import NATIVE, find_llama_server
from phicli.bench.measuring.collect import BenchPlan
from phicli.bench.measuring.grid import context_for, settings_grid, workloads
from phicli.bench.measuring.room import Load, check_room, fit_together
from phicli.bench.measuring.surroundings import Surroundings
from phicli.bench.types import Subject
from phicli.commands.benching.options import BenchOptions
from phicli.fit.shape import shape_of
from phicli.gguf_file.header import read_header

_IN_BLOCKS = "not all can stay loaded side by side: each is loaded twice, in turn, for half of its repetitions"
_NO_GPU = "the engine finds no graphics processor here: all layers stay on the processor, whatever --gpu-layers says"


def plan_for(
    chosen: Sequence[Subject], options: BenchOptions, around: Surroundings, tell: Callable[[str], None]
) -> BenchPlan:
    """Every file with every engine and every setting.

    Args:
        chosen: the files.
        options: what was typed.
        around: the machine.
        tell: is told in words when engines cannot stay loaded side by side, or layers cannot go where they shall.

    Raises:
        UsageError: the context is too short, or a setting makes no sense for a model.
        DoesNotFitError: one of them does not fit into memory.
        NotFoundError: there is no llama-server.
    """
    work = workloads(options.prompt_tokens, options.generated_tokens, options.depth_tokens)
    grid = settings_grid(
        threads=options.threads or (around.cpu.physical_cores,),
        batch_tokens=options.batch_tokens,
        kv_types=options.kv_types,
        flash_attention=options.flash_attention,
        repack=options.repack,
        gpu_layers=options.gpu_layers,
    )
    if any(options.gpu_layers) and not any(gpu.usable for gpu in around.gpus) and NATIVE not in options.engines:
        tell(_NO_GPU)
    binary = find_llama_server(options.llama_server) if NATIVE in options.engines else None
    loads: list[Load] = []
    for subject in chosen:
        shape = shape_of(read_header(subject.path))
        context = context_for(work, asked=options.context_tokens, trained=shape.trained_context_tokens)
        engines = [replace(subject, engine=engine) for engine in options.engines]
        loads += [Load(one, setting, shape, context) for one in engines for setting in grid]
    for load in loads:
        check_room(load, around.memory, around.gpus)
    together = fit_together(loads, around.memory, around.gpus)
    if not together:
        tell(_IN_BLOCKS)
    return BenchPlan(tuple(loads), work, options.repeat, together, binary)


def check_before(options: BenchOptions) -> None:
    """What would be a pity to notice only when everything was measured.

    Raises:
        UsageError: the plot cannot be written, or the options about a baseline make no sense.
        NotFoundError: there is no such baseline.
        IntegrityError, OSError: it cannot be read.
    """
    if options.plot is not None:
        from phicli.ui.bench.plot import check_plot

        check_plot(options.plot)
    if options.baseline is not None or options.fail_below is not None:
        from phicli.bench.runs.compare import check_baseline
        from phicli.bench.runs.history import History

        check_baseline(options.baseline, options.fail_below, History())
