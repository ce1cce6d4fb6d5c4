"""Opens a model of this machine: reads the header of its file, plans the load, and starts the engine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from phicli.answering.attaching import Attaching, Lends, is_gone
from phicli.answering.engines import OneEngine
from phicli.answering.local_model import LocalModel
from phicli.answering.model_file import model_file
from phicli.engine.abilities import Ability
from phicli.engine.engine_process import StartedProcess
from phicli.engine.starting import ENGINES, EngineChoice, OnTick, can, check_load, start_engine
from phicli.engine.types import Engine, LocalEngine
from phicli.gguf_file.header import read_header
from phicli.hardware.cpu import physical_cores
from phicli.hardware.engine_gpus import engine_gpus
from phicli.hardware.memory import available_memory
from phicli.hub.types import Progress, silent
from phicli.plan.chat_options import ChatOptions
from phicli.plan.engine_file import file_for_engine, require_runs, sampling_notices
from phicli.plan.load import LoadPlan, OnTooLarge, Use, plan_load, refuse
from phicli.plan.locate import LocatedModel
from phicli.plan.tuned import Tuned

if TYPE_CHECKING:
    from phicli.answering.kept_states import GoingOn, SessionStates
    from phicli.answering.state_carrier import StateCarrier

_DEFAULT: Final = EngineChoice()


@dataclass(frozen=True, slots=True)
class OpenModel:
    """A model that answers one conversation at a time, and the plan it was opened by.

    ``engine`` is the name of the engine; ``engines`` are those that were started for it so far, the last one runs.
    """

    model: LocalModel
    plan: LoadPlan
    engines: Sequence[LocalEngine]
    engine: str
    states: SessionStates | None = None
    attaching: Attaching | None = None

    @property
    def state_note(self) -> str:
        """What became of the KV state of the session, one line; empty where nothing was to be done."""
        return "" if self.states is None else self.states.note

    def keep_state(self, session_id: str) -> None:
        """Have the KV state saved for the session, so that it can go on at once; the model must be closed then.

        The engine's process does that after this one has ended. Where it cannot, :attr:`state_note` says why.
        """
        if self.states is not None:
            self.states.keep(session_id, self.engines[-1], self.model.used_tokens)

    @property
    def attached(self) -> bool:
        """Whether the engine that runs belongs to the server of this user."""
        return self.attaching is not None and self.attaching.attached

    @property
    def build(self) -> str:
        """The engine and its version; empty until that is known."""
        return self.engines[-1].build


@contextlib.contextmanager
def open_model(
    located: LocatedModel,
    options: ChatOptions,
    use: Use,
    *,
    engine: EngineChoice = _DEFAULT,
    early: StartedProcess | None = None,
    tuned: Tuned | None = None,
    only_question: str | None = None,
    on_tick: OnTick | None = None,
    on_progress: Progress = silent,
    on_too_large: OnTooLarge = refuse,
    going_on: GoingOn | None = None,
    attaching: Attaching | None = None,
) -> Iterator[OpenModel]:
    """The model in a file; leaving the context ends its engine.

    It loads in the background: whatever goes wrong with that is raised by the first answer.

    Args:
        located: the file.
        options: what was asked for on the command line.
        use: one answer, or a conversation.
        engine: the engine that runs it.
        early: a process of that engine that was started before the rest of the program was loaded; it is closed by
            whoever started it, also where no engine takes it over.
        tuned: what tuning found for the file on this machine.
        only_question: the prompt that one answer is wanted to, so that no more than that is allocated at first.
        on_tick: see :data:`phicli.engine.starting.OnTick`.
        on_progress: is told how far a file is that is written for the engine first.
        on_too_large: is given the error where the memory is too small, and may return.
        going_on: a saved conversation that the first answer continues: the first context fits it, and its KV state is
            restored, if there is one that belongs there.
        attaching: asks the server of this user for the engine first; None starts one in any case.

    Raises:
        PhiError: the file cannot be read, run, or fitted into memory.
    """
    with contextlib.ExitStack() as stack:
        header = read_header(located.path)
        require_runs(engine.name, header)
        known = ENGINES[engine.name].uses_known_gpus and options.engine.get("gpu_layers") != 0
        gpus = engine_gpus() if known else ()
        if going_on is not None:
            from phicli.answering.kept_states import await_saving

            await_saving(going_on)
            only_question = None  # it is not all that the prompt has

        def planned(question: str | None, judge: OnTooLarge) -> LoadPlan:
            plan = plan_load(
                located, header, options, use, memory=available_memory(), cores=physical_cores(), engine=engine,
                gpus=gpus, tuned=tuned, only_question=question, on_too_large=judge,
            )  # fmt: skip
            return replace(plan, notices=(*plan.notices, *sampling_notices(engine.name, plan.sampling)))

        lends = None
        if attaching is not None:
            lends = Lends(attaching, planned(only_question, lambda _: None), options.engine, going_on, on_tick)
        lent = lends is not None and lends.begin()
        folder = None if lent else _folder_for(engine, stack)
        plan = lends.plan if lends and lent else planned(None if folder is None else only_question, on_too_large)
        check_load(engine.name, plan.settings)
        path = file_for_engine(engine.name, header, on_progress)
        processes, engines = iter([early]), list[LocalEngine]()

        def start(context_tokens: int) -> Engine:
            engines.append((lends and lends.engine(context_tokens)) or start_own(context_tokens))
            return engines[-1]

        def start_own(context_tokens: int) -> LocalEngine:
            nonlocal folder
            now = plan
            if lent:
                now = planned(None, on_too_large)
                if folder is None:
                    folder = _folder_for(engine, stack)
                    running.carry_by(_carrier(plan, folder))
            settings = replace(now.settings_for(context_tokens), model_path=path, slot_folder=folder)
            process = next(processes, None)
            return start_engine(engine.name, settings, program=engine.program, early=process, on_tick=on_tick)

        states = _states(plan, folder)
        running = OneEngine(start, plan.context.first_tokens, _carrier(plan, folder), states, is_gone)
        model = LocalModel(model_file(plan, header), running, plan.context)
        stack.callback(_end, model, engines)
        running.load(None if going_on is None else _going_on(going_on, model, states))
        yield OpenModel(model, plan, engines, engine.name, states, attaching)


def _folder_for(engine: EngineChoice, stack: contextlib.ExitStack) -> Path | None:
    """A folder for states of the engine until the end of ``stack``; None where it has none."""
    if not can(engine.name, Ability.STATES):
        return None
    from phicli.answering.state_carrier import state_folder

    return stack.enter_context(state_folder())


def _carrier(plan: LoadPlan, folder: Path | None) -> StateCarrier | None:
    if folder is None:
        return None
    from phicli.answering.state_carrier import carrier_of

    return carrier_of(plan, folder)


def _states(plan: LoadPlan, folder: Path | None) -> SessionStates | None:
    if folder is None:
        return None
    from phicli.answering.kept_states import SessionStates

    return SessionStates(plan, folder)


def _going_on(going_on: GoingOn, model: LocalModel, states: SessionStates | None) -> int:
    """Prepare for a conversation that goes on; returns the context that it begins with, in tokens."""
    from phicli.answering.kept_states import first_context

    context_tokens = first_context(model.context, going_on)
    if context_tokens > model.context.first_tokens:
        model.grows_for(going_on.messages)
    if states is not None and going_on.restores:
        states.go_on(going_on.session_id)
    return context_tokens


def _end(model: LocalModel, engines: Sequence[LocalEngine]) -> None:
    """End the engine that runs, and those before it: Ctrl-C may have interrupted the end of one."""
    model.close()
    for engine in engines:
        engine.close()
