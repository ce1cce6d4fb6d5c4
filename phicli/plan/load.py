"""How a model is loaded for a use: context, warm-up, threads, and whether the memory is there."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from phicli.catalog.resolve import known_by_name
from phicli.engine.settings import EngineSettings
from phicli.engine.starting import EngineChoice
from phicli.engine.types import LoadSettings, Sampling
from phicli.fit.loading import ContextWish, FittedLoad, Room, fit_load, fitting
from phicli.fit.memory import plan_memory
from phicli.fit.shape import ModelShape, loaded_by, shape_of
from phicli.fit.too_large import OnTooLarge, refuse
from phicli.gguf_file.types import GgufHeader
from phicli.hardware.available import Memory
from phicli.plan.adapters import adapter_bytes, adapters_data
from phicli.plan.chat_options import ChatOptions
from phicli.plan.context import ContextPlan, answer_room, wish_context
from phicli.plan.identify import TEMPLATE, FormatChoice, choose_format
from phicli.plan.label import name_for_engine
from phicli.plan.locate import LocatedModel
from phicli.plan.machine import repacked_here
from phicli.plan.prompt_size import estimate_prompt
from phicli.plan.sampling import sampling_for, sampling_of_file
from phicli.plan.system_message import system_message
from phicli.plan.tuned import choose, is_tuned
from phicli.records.tuned import CONVERSATION, ONE_ANSWER, Tuned, Winner

if TYPE_CHECKING:
    from phicli.hardware.types import Gpu

__all__ = ["LoadPlan", "OnTooLarge", "Use", "plan_load", "refuse"]
_DEFAULT: Final = EngineChoice()


class Use(enum.Enum):
    """What a model is loaded for.

    For one answer the first word counts: nothing is evaluated before the prompt. In a conversation loading and warming
    up happen while the first question is being typed. In both the weights are used as they are in the file, mapped.
    Repacking them takes seconds and memory and is not surely faster (``docs/speed.md``): it is done where it was asked
    for, or where ``phi autotune`` found it faster for the model on this machine.
    """

    ONE_ANSWER = "one answer"
    CONVERSATION = "conversation"

    @property
    def tuned_as(self) -> str:
        """What tuning calls this use."""
        return CONVERSATION if self is Use.CONVERSATION else ONE_ANSWER

    def winner_of(self, tuned: Tuned | None) -> Winner | None:
        """The settings that tuning found best for this use."""
        return None if tuned is None else tuned.winners[self.tuned_as]


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """Everything decided before the engine starts; ``settings`` are those of the first load.

    ``wanted`` is how the engine would be set if memory did not matter; ``tuned`` when tuning found that.
    ``notices`` are sentences that a person should read.
    """

    model: LocatedModel
    format: FormatChoice
    settings: LoadSettings
    context: ContextPlan
    sampling: Sampling
    stop_texts: tuple[str, ...]
    think_budget: int | None
    system: str | None
    shape: ModelShape
    room: Room
    wanted: EngineSettings
    tuned: bool
    notices: tuple[str, ...] = ()

    def settings_for(self, context_tokens: int) -> LoadSettings:
        """The settings of a load with this context: repacked, and layers on the GPU, only as far as that still fits."""
        if context_tokens == self.settings.context_tokens:
            return self.settings
        engine = fitting(self.wanted, self.shape, context_tokens, self.room)
        return replace(self.settings, context_tokens=context_tokens, engine=engine)

    def state_bytes(self, context_tokens: int) -> int:
        """The most that the state of an engine with this context takes: keys and values, and a few numbers a token."""
        return plan_memory(self.shape, self.wanted, context_tokens=context_tokens).kv_bytes + 64 * context_tokens

    def settings_data(self) -> dict[str, Any]:
        """The settings as ``--json`` shows them: with these the answer can be had again."""
        return {
            "prompt_format": self.format.name,
            "system": self.system,
            **self.sampling.to_data(),
            "stop": list(self.stop_texts),
            "think_budget": self.think_budget,
            "context_tokens": self.context.limit_tokens,
            **self.settings.engine.to_data(),
            "warmup": self.settings.warmup,
            "tuned": self.tuned,
            **adapters_data(self.settings.adapters),
        }


def plan_load(
    model: LocatedModel,
    header: GgufHeader,
    options: ChatOptions,
    use: Use,
    *,
    memory: Memory | None,
    cores: int,
    engine: EngineChoice = _DEFAULT,
    gpus: tuple[Gpu, ...] = (),
    tuned: Tuned | None = None,
    only_question: str | None = None,
    on_too_large: OnTooLarge = refuse,
) -> LoadPlan:
    """Decide how ``model`` is loaded.

    Args:
        model: the file.
        header: its header.
        options: what was asked for.
        use: one answer or a conversation.
        memory: what the machine has; None if it is unknown, then nothing is refused.
        cores: physical cores that may be used.
        engine: the engine that runs it.
        gpus: those that the engine can use.
        tuned: what tuning found for the file on this machine; options come before it, and the memory has the last word.
        only_question: the prompt that one answer is wanted to, where a larger context later costs little: the first
            context fits it. None: begin with the context of a conversation.
        on_too_large: is given the error where the memory is too small, and may return.

    Raises:
        UsageError: the context is larger than the model was trained for.
        WrongBaseError: an adapter was made for another model.
        DoesNotFitError: the memory is too small; the message has the sums.
        NotFoundError: there is no program of the engine.
    """
    variant = model.variant or known_by_name(header.name)
    beside = adapter_bytes(options.adapters, header, model.name)
    shape = replace(loaded_by(shape_of(header, repacked=repacked_here(engine)), gpus), adapter_bytes=beside)
    asked, winner = options.engine, use.winner_of(tuned)
    choices = [choose(asked, winner, cores=cores, kv_type=name) for name in _kv_types(asked, winner)]
    chosen = choose_format(header, variant)
    system = system_message(options.system, variant)
    needed = None if only_question is None else _needed_tokens(only_question, system, options)
    wish = wish_context(header, options.context_tokens, one_answer_tokens=needed)
    room = Room(memory, gpus)
    fitted = fit_load(shape, room, choices, wish, model=model.name, on_too_large=on_too_large)
    return LoadPlan(
        model=model,
        format=chosen,
        settings=_first_settings(model, header, chosen, fitted, use, options),
        context=_context_plan(header, fitted, wish),
        sampling=sampling_for(sampling_of_file(header, variant, chosen).sampling, options),
        stop_texts=options.stop,
        think_budget=options.think_budget,
        system=system,
        shape=shape,
        room=room,
        wanted=fitted.wanted,
        tuned=is_tuned(asked, winner),
        notices=_gpu_notices(fitted, shape, room),
    )


def _first_settings(
    model: LocatedModel, header: GgufHeader, chosen: FormatChoice, fitted: FittedLoad, use: Use, options: ChatOptions
) -> LoadSettings:
    return LoadSettings(
        model_path=model.path,
        context_tokens=fitted.first_tokens,
        engine=fitted.settings,
        warmup=use is Use.CONVERSATION,
        own_template=chosen.name == TEMPLATE,
        model_name=name_for_engine(header),
        adapters=options.adapters,
    )


def _context_plan(header: GgufHeader, fitted: FittedLoad, wish: ContextWish) -> ContextPlan:
    return ContextPlan(
        fitted.first_tokens,
        fitted.limit_tokens,
        trained_tokens=header.context_length,
        asked=wish.promised,
        original_tokens=header.original_context_length,
        usual_tokens=wish.usual_tokens,
    )


def _needed_tokens(question: str, system: str | None, options: ChatOptions) -> int:
    """What one question and its answer need, in tokens: estimated, so that loading need not wait to be told."""
    return estimate_prompt((system, question)) + answer_room(options.max_tokens)


def _gpu_notices(fitted: FittedLoad, shape: ModelShape, room: Room) -> tuple[str, ...]:
    """What a person should know of a GPU that does not get all layers though nobody asked for fewer."""
    layers = fitted.settings.gpu_layers
    if not room.gpus or layers == fitted.wanted.gpu_layers:
        return ()
    if layers == 0:
        return ("the model does not fit into the memory of the GPU: the processor runs it",)
    return (f"{layers} of {shape.layers + 1} layers fit into the memory of the GPU: the processor runs the others",)


def _kv_types(asked: Mapping[str, Any], winner: Winner | None) -> tuple[str, ...]:
    """The type that was asked for; else f16 and, where memory is too small for it, the type that tuning had to take."""
    if "kv_type" in asked:
        return (asked["kv_type"],)
    return ("f16",) if winner is None else tuple(dict.fromkeys(("f16", winner.settings.kv_type)))
