"""Opens a model of this machine for many requests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from phicli.answering.model_file import model_file
from phicli.answering.pool import Pool
from phicli.answering.shared_beginning import SharedBeginning
from phicli.answering.side_by_side import Check
from phicli.answering.state_carrier import state_folder
from phicli.engine.starting import OnTick, StartEngine, start_engine
from phicli.engine.types import LocalEngine
from phicli.jobs.planning import JobPlan
from phicli.plan.engine_file import file_for_engine


@contextlib.contextmanager
def open_pool(
    planned: JobPlan,
    *,
    check: Check | None = None,
    on_tick: OnTick | None = None,
    start_engine: StartEngine = start_engine,
) -> Iterator[Pool]:
    """The model, loaded; leaving the context ends its engines.

    Args:
        planned: the model, and how it is loaded.
        check: called with an engine that has its model loaded, before each answer; what it raises, the answer raises.
        on_tick: called about ten times a second while the model loads, with the seconds waited.
        start_engine: starts engines; tests give their own.

    Raises:
        EngineError: it cannot be loaded.
        NotFoundError: there is no program of the engine.
        UnsupportedModelError: the engine cannot run the file.
    """
    engine, load = planned.engine, planned.load
    path = file_for_engine(engine.name, planned.header)

    def start(context_tokens: int, slots: int) -> LocalEngine:
        settings = replace(load.settings, model_path=path, context_tokens=context_tokens, slots=slots)
        settings = replace(settings, slot_folder=folder if slots > 1 else None)
        return start_engine(engine.name, settings, program=engine.program, on_tick=on_tick)

    file = model_file(load, planned.header)
    with state_folder() if planned.slots > 1 else contextlib.nullcontext() as folder:
        beginning = SharedBeginning(folder, load.state_bytes) if folder else None
        pool = Pool(file, start, load.context, slots=planned.slots, check=check, beginning=beginning)
        with contextlib.closing(pool):
            pool.wait_ready()
            yield pool
