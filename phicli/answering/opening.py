"""Opens a model of this machine: reads the header of its file, and has the load planned and the engine started."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from phicli.answering.attaching import Attaching, Lends
from phicli.answering.engine_starts import EngineStarts, Planning, gpus_for
from phicli.answering.local_model import LocalModel
from phicli.answering.model_file import model_file
from phicli.engine.abilities import Ability
from phicli.engine.engine_process import StartedProcess
from phicli.engine.starting import EngineChoice, OnTick, require
from phicli.engine.types import Adapter, LocalEngine, Sampling
from phicli.gguf_file.header import read_header
from phicli.hub.types import Progress, silent
from phicli.plan.chat_options import ChatOptions
from phicli.plan.engine_file import require_runs, sampling_notices
from phicli.plan.load import LoadPlan, OnTooLarge, Use, refuse
from phicli.plan.locate import LocatedModel
from phicli.plan.tuned import Tuned

if TYPE_CHECKING:
    from phicli.answering.kept_states import GoingOn, SessionStates

_DEFAULT: Final = EngineChoice()


@dataclass(frozen=True, slots=True)
class OpenModel:
    """A model that answers one conversation at a time, and the plan it was opened by.

    ``engine`` is the name of the engine; ``engines`` are those that were started for it so far, the last one runs.
    ``starts`` starts them.
    """

    model: LocalModel
    plan: LoadPlan
    engines: Sequence[LocalEngine]
    engine: str
    states: SessionStates | None = None
    attaching: Attaching | None = None
    starts: EngineStarts | None = None

    def has_loaded(self, adapters: tuple[Adapter, ...]) -> bool:
        """Whether the engine has loaded all ``adapters``, as their files are now, or begun to."""
        return self.starts is not None and self.starts.has_loaded(adapters)

    def with_adapters(self, adapters: tuple[Adapter, ...]) -> OpenModel | None:
        """This model with other adapters from now on; None where its engine has not loaded them all.

        What was evaluated with others is dropped, and this object is of no more use. Raises as :meth:`wait_ready`.
        """
        plan = None if self.starts is None else self.starts.use_adapters(adapters)
        return None if plan is None else replace(self, plan=plan)

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

    @property
    def counts_exactly(self) -> bool:
        """Whether tokens are counted: the engine has the vocabulary of the file."""
        return True

    @property
    def context_tokens(self) -> int:
        """The most tokens that a conversation with its answers may have."""
        return self.model.context_tokens

    @property
    def process_id(self) -> int | None:
        """The process of the engine that runs; None where it has none of its own."""
        return self.engines[-1].pid

    @property
    def loading(self) -> bool:
        """Whether the file is not loaded yet."""
        return self.engines[-1].loading

    def wait_ready(self) -> None:
        """Return when the file is loaded.

        Raises:
            EngineError: it cannot be loaded.
        """
        self.model.engines.running(None)

    def require(self, ability: Ability) -> None:
        """Return if the engine has ``ability``.

        Raises:
            UsageError: it has not; the hint names the engines that have.
        """
        require(self.engine, ability)

    def ignored(self, sampling: Sampling) -> Sequence[str]:
        """What the engine ignores of ``sampling``, a sentence each."""
        return sampling_notices(self.engine, sampling)


@contextlib.contextmanager
def open_model(
    located: LocatedModel, options: ChatOptions, use: Use, *, engine: EngineChoice = _DEFAULT,
    early: StartedProcess | None = None, tuned: Tuned | None = None, only_question: str | None = None,
    on_tick: OnTick | None = None, on_progress: Progress = silent, on_too_large: OnTooLarge = refuse,
    going_on: GoingOn | None = None, attaching: Attaching | None = None,
) -> Iterator[OpenModel]:  # fmt: skip
    """The model in a file; leaving the context ends its engine.

    It loads in the background: whatever goes wrong with that is raised by the first answer.

    Args:
        located, options, use: the file, the options of the command line, and one answer or a conversation.
        engine: the engine that runs it.
        early: a process of that engine that was started already; its starter closes it, whoever uses it.
        tuned: what tuning found for the file on this machine.
        only_question: the prompt of one answer, so that no more than that is allocated at first.
        on_tick: see :data:`phicli.engine.starting.OnTick`.
        on_progress: is given the progress of a file that is written for the engine first.
        on_too_large: is given the error where the memory is too small, and may return.
        going_on: a saved conversation that the first answer continues: its context and, if possible, its KV state.
        attaching: asks the server of this user for the engine first; None starts one in any case.

    Raises:
        PhiError: the file cannot be read, run, or fitted into memory.
    """
    with contextlib.ExitStack() as stack:
        header = read_header(located.path)
        require_runs(engine.name, header)
        planning = Planning(located, header, options, use, engine, tuned, gpus_for(engine, options))
        if going_on is not None:
            _await_saving(going_on)
            only_question = None  # it is not all that the prompt has
        starts = EngineStarts(
            planning, _lends(attaching, planning, only_question, going_on, on_tick), stack, only_question=only_question,
            early=early, on_tick=on_tick, on_progress=on_progress, on_too_large=on_too_large,
        )  # fmt: skip
        yield _opened(starts, planning, stack, going_on, attaching)


def _await_saving(going_on: GoingOn) -> None:
    from phicli.answering.kept_states import await_saving

    await_saving(going_on)


def _lends(
    attaching: Attaching | None, planning: Planning, question: str | None, going_on: GoingOn | None,
    on_tick: OnTick | None,
) -> Lends | None:  # fmt: skip
    if attaching is None:
        return None
    plan = planning.plan(question, lambda _: None)
    return Lends(attaching, plan, planning.options.engine, going_on, on_tick)


def _opened(
    starts: EngineStarts, planning: Planning, stack: contextlib.ExitStack, going_on: GoingOn | None,
    attaching: Attaching | None,
) -> OpenModel:  # fmt: skip
    """The model, which loads from now on; the end of ``stack`` ends its engines."""
    model = LocalModel(model_file(starts.plan, planning.header), starts.running, starts.plan.context)
    stack.callback(_end, model, starts.engines)
    starts.running.load(None if going_on is None else _going_on(going_on, model, starts.states))
    return OpenModel(model, starts.plan, starts.engines, planning.engine.name, starts.states, attaching, starts)


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
