"""Opens the model of an evaluation for several questions at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from phicli.answering.model_file import model_file
from phicli.answering.pool import Pool
from phicli.bench.launch import NATIVE, find_llama_server, load_settings
from phicli.commands.benching.options import BenchOptions
from phicli.commands.benching.preparing import EvaluationPlan
from phicli.engine.llama_server import LlamaServerEngine
from phicli.engine.types import Engine, LoadSettings
from phicli.paths import log_dir


@contextlib.contextmanager
def open_pool(
    prepared: EvaluationPlan, options: BenchOptions, *, on_tick: Callable[[float], None] | None = None
) -> Iterator[Pool]:
    """The model, loaded; leaving the context ends its engines.

    Args:
        prepared: the model, and how it is loaded.
        options: for the binary of another engine.
        on_tick: called about ten times a second while the model loads, with the seconds waited.

    Raises:
        EngineError: it cannot be loaded.
        NotFoundError: there is no binary of the engine.
    """

    def start(context_tokens: int, slots: int) -> Engine:
        settings = load_settings(prepared.subject, prepared.settings, context_tokens, slots=slots, warmup=True)
        return _start_engine(prepared.subject.engine, settings, options, on_tick)

    file = model_file(prepared.plan, prepared.header)
    with contextlib.closing(Pool(file, start, prepared.context, slots=prepared.slots)) as pool:
        pool.wait_ready()
        yield pool


def _start_engine(
    engine: str, settings: LoadSettings, options: BenchOptions, on_tick: Callable[[float], None] | None
) -> Engine:
    if engine == NATIVE:
        from phicli.engine.native_server import NativeServerEngine

        return NativeServerEngine(settings, find_llama_server(options.llama_server), log_dir=log_dir(), on_tick=on_tick)
    return LlamaServerEngine(settings, log_dir=log_dir(), on_tick=on_tick)
