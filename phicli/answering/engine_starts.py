"""Plans the load of one model that is opened, and starts its engines: lent ones, or those of this program."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from phicli.answering.attaching import Lends, is_gone
from phicli.answering.engines import OneEngine
from phicli.engine.abilities import Ability
from phicli.engine.engine_process import StartedProcess
from phicli.engine.starting import ENGINES, EngineChoice, OnTick, can, check_load, start_engine
from phicli.engine.state_types import ChangesAdapters
from phicli.engine.types import Adapter, Engine, LocalEngine
from phicli.errors import EngineError
from phicli.gguf_file.types import GgufHeader
from phicli.hardware.cpu import physical_cores
from phicli.hardware.engine_gpus import engine_gpus
from phicli.hardware.memory import available_memory
from phicli.hardware.types import Gpu
from phicli.hub.types import Progress
from phicli.plan.chat_options import ChatOptions
from phicli.plan.engine_file import file_for_engine, sampling_notices
from phicli.plan.load import LoadPlan, OnTooLarge, Use, plan_load
from phicli.plan.locate import LocatedModel
from phicli.plan.tuned import Tuned

if TYPE_CHECKING:
    from phicli.answering.kept_states import SessionStates
    from phicli.answering.state_carrier import StateCarrier


@dataclass(frozen=True, slots=True)
class Planning:
    """Plans how a model is loaded, by the memory that is free at that time.

    The fields are the arguments of :func:`phicli.answering.opening.open_model`, the header and the GPUs.
    """

    located: LocatedModel
    header: GgufHeader
    options: ChatOptions
    use: Use
    engine: EngineChoice
    tuned: Tuned | None
    gpus: tuple[Gpu, ...]

    def plan(self, only_question: str | None, on_too_large: OnTooLarge) -> LoadPlan:
        """The plan now; ``only_question`` is the prompt that the first context is for, if there is no other.

        Raises:
            PhiError: the file cannot be run or fitted into memory.
        """
        plan = plan_load(
            self.located, self.header, self.options, self.use, memory=available_memory(), cores=physical_cores(),
            engine=self.engine, gpus=self.gpus, tuned=self.tuned, only_question=only_question,
            on_too_large=on_too_large,
        )  # fmt: skip
        return replace(plan, notices=(*plan.notices, *sampling_notices(self.engine.name, plan.sampling)))


class EngineStarts:
    """Starts the engines of one model, each when it is needed.

    Attributes:
        plan: how the first engine loads the model.
        engines: those that were started so far; the last one runs.
        states: the saved KV states of its session; None where the engine has none.
        running: the engine that runs.
    """

    def __init__(
        self, planning: Planning, lends: Lends | None, stack: contextlib.ExitStack, *, only_question: str | None,
        early: StartedProcess | None, on_tick: OnTick | None, on_progress: Progress, on_too_large: OnTooLarge,
    ) -> None:  # fmt: skip
        self._planning, self._stack, self._early = planning, stack, early
        self._on_tick, self._on_too_large = on_tick, on_too_large
        self._lends = lends if lends is not None and lends.begin() else None
        self._folder = None if self._lends else _folder_for(planning.engine, stack)
        question = None if self._folder is None else only_question
        self.plan = self._lends.plan if self._lends else planning.plan(question, on_too_large)
        check_load(planning.engine.name, self.plan.settings)
        self._path = file_for_engine(planning.engine.name, planning.header, on_progress)
        self.engines: list[LocalEngine] = []
        self.states = _states(self.plan, self._folder)
        first_tokens = self.plan.context.first_tokens
        self.running = OneEngine(self._start, first_tokens, self._carrier(), self.states, is_gone)

    def has_loaded(self, adapters: tuple[Adapter, ...]) -> bool:
        """Whether the engine that was started last has loaded all ``adapters``, or begun to."""
        last = self.engines[-1]
        return isinstance(last, ChangesAdapters) and last.has_loaded(adapters)

    def use_adapters(self, adapters: tuple[Adapter, ...]) -> LoadPlan | None:
        """Use ``adapters`` from now on, if the engine that runs has loaded them all; returns the plan with them then.

        Waits until the engine has loaded the model. Later engines load ``adapters`` and no others.

        Raises:
            EngineError: the model cannot be loaded.
        """
        if not self.has_loaded(adapters):  # no need to wait
            return None
        engine = self.running.running(None)
        try:
            if not (isinstance(engine, ChangesAdapters) and engine.use_adapters(adapters)):
                return None
        except EngineError as error:  # it has died: the next answer starts another one
            self.running.failed(engine, error)
        self.plan = replace(self.plan, settings=replace(self.plan.settings, adapters=adapters))
        if self.states is not None:
            self.states.use_adapters(adapters)
        return self.plan

    def _start(self, context_tokens: int) -> Engine:
        lent = None if self._lends is None else self._lends.engine(context_tokens)
        self.engines.append(lent or self._start_own(context_tokens))
        return self.engines[-1]

    def _start_own(self, context_tokens: int) -> LocalEngine:
        plan, engine = self.plan, self._planning.engine
        if self._lends is not None:
            plan = self._planning.plan(None, self._on_too_large)
            if self._folder is None:
                self._folder = _folder_for(engine, self._stack)
                self.running.carry_by(self._carrier())
        settings = replace(plan.settings_for(context_tokens), model_path=self._path, slot_folder=self._folder)
        early, self._early = self._early, None
        return start_engine(engine.name, settings, program=engine.program, early=early, on_tick=self._on_tick)

    def _carrier(self) -> StateCarrier | None:
        if self._folder is None:
            return None
        from phicli.answering.state_carrier import carrier_of

        return carrier_of(self.plan, self._folder)


def gpus_for(engine: EngineChoice, options: ChatOptions) -> tuple[Gpu, ...]:
    """The GPUs that an engine may use with ``options``, as far as they are known."""
    known = ENGINES[engine.name].uses_known_gpus and options.engine.get("gpu_layers") != 0
    return engine_gpus() if known else ()


def _folder_for(engine: EngineChoice, stack: contextlib.ExitStack) -> Path | None:
    """A folder for states of the engine until the end of ``stack``; None where it has none."""
    if not can(engine.name, Ability.STATES):
        return None
    from phicli.answering.state_carrier import state_folder

    return stack.enter_context(state_folder())


def _states(plan: LoadPlan, folder: Path | None) -> SessionStates | None:
    if folder is None:
        return None
    from phicli.answering.kept_states import SessionStates

    return SessionStates(plan, folder)
