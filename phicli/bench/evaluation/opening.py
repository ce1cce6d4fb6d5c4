"""Opens the model of an evaluation for several questions at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from phicli.answering.model_file import model_file
from phicli.answering.pool import Pool
from phicli.bench.evaluation.preparing import EvaluationPlan
from phicli.bench.launch import check_build
from phicli.engine.starting import OnTick, StartEngine, start_engine
from phicli.engine.types import LocalEngine
from phicli.plan.engine_file import file_for_engine


@contextlib.contextmanager
def open_pool(
    prepared: EvaluationPlan,
    program: Path | None = None,
    *,
    on_tick: OnTick | None = None,
    start_engine: StartEngine = start_engine,
) -> Iterator[Pool]:
    """The model, loaded; leaving the context ends its engines.

    Args:
        prepared: the model, and how it is loaded.
        program: of an engine that is one; that on PATH when None.
        on_tick: called about ten times a second while the model loads, with the seconds waited.
        start_engine: starts engines; tests give their own.

    Raises:
        BuildChangedError: the engine has another build than the subject; each answer may raise it too.
        EngineError: it cannot be loaded.
        NotFoundError: there is no binary of the engine.
        UnsupportedModelError: the engine cannot run the file.
    """

    path = file_for_engine(prepared.subject.engine, prepared.header)

    def start(context_tokens: int, slots: int) -> LocalEngine:
        settings = replace(
            prepared.plan.settings, model_path=path, context_tokens=context_tokens, engine=prepared.settings,
            warmup=True, slots=slots,
        )  # fmt: skip
        return start_engine(prepared.subject.engine, settings, program=program, on_tick=on_tick)

    def check(engine: LocalEngine) -> None:
        check_build(engine.build, prepared.subject.build or engine.build)

    file = model_file(prepared.plan, prepared.header)
    with contextlib.closing(Pool(file, start, prepared.context, slots=prepared.slots, check=check)) as pool:
        pool.wait_ready()
        yield pool
