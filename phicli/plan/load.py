"""How a model is loaded for a use: context, repacking, warm-up, threads, and whether the memory is there."""

from __future__ import annotations

import enum
import secrets
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from phicli.catalog.resolve import known_by_name
from phicli.catalog.types import SamplingDefaults, Variant
from phicli.engine.types import LoadSettings, Sampling
from phicli.errors import UsageError
from phicli.fit.memory import KV_TYPE_BYTES, check_fits, largest_context_that_fits, takes_kv_type, usable_bytes
from phicli.fit.shape import ModelShape, shape_of
from phicli.gguf_file.types import GgufHeader
from phicli.hardware.available import Memory
from phicli.plan.chat_options import ChatOptions
from phicli.plan.context import DEFAULT_CONTEXT_TOKENS, ContextPlan, plan_context
from phicli.plan.identify import FormatChoice, choose_format
from phicli.plan.locate import LocatedModel
from phicli.plan.tuned import (
    BATCH_TOKENS,
    CONVERSATION,
    ONE_ANSWER,
    EngineChoice,
    Tuned,
    Winner,
    choose,
)

_ALL_LAYERS = -1
_Number = TypeVar("_Number", int, float)


class Use(enum.Enum):
    """What a model is loaded for.

    For one answer the first word counts: the weights are used as they lie in the file, mapped, and nothing is
    evaluated before the prompt. Repacking copies them into the layout the processor likes best, which takes seconds
    and memory and decodes faster: it pays off for long answers, that is in conversations and for reasoning, where it
    is done if the memory is there. In a conversation loading and warming up happen while
    the first question is being typed. ``benchmarks/cold_start.py`` measures both. What ``phi bench --tune`` found on
    this machine for the model comes before all of that.
    """

    ONE_ANSWER = "one answer"
    CONVERSATION = "conversation"

    def winner_of(self, tuned: Tuned | None) -> Winner | None:
        """The settings that tuning found best for this use."""
        return None if tuned is None else tuned.winners[CONVERSATION if self is Use.CONVERSATION else ONE_ANSWER]


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """Everything decided before the engine starts; ``settings`` are those of the first load.

    ``choice`` is how the engine would be set if memory did not matter.
    """

    model: LocatedModel
    format: FormatChoice
    settings: LoadSettings
    context: ContextPlan
    sampling: Sampling
    system: str | None
    shape: ModelShape
    memory: Memory | None
    choice: EngineChoice

    def settings_for(self, context_tokens: int) -> LoadSettings:
        """The settings of a load with another context: weights are repacked only where that still fits."""
        choice = self.choice.fitting(self.shape, context_tokens, self.memory)
        return replace(self.settings, context_tokens=context_tokens, **_of_engine(choice))

    def settings_data(self) -> dict[str, Any]:
        """The settings as ``--json`` shows them: with these the answer can be had again."""
        return {
            "prompt_format": self.format.name,
            "system": self.system,
            "temperature": self.sampling.temperature,
            "top_k": self.sampling.top_k,
            "top_p": self.sampling.top_p,
            "min_p": self.sampling.min_p,
            "seed": self.sampling.seed,
            "max_tokens": self.sampling.max_tokens,
            "context_tokens": self.context.limit_tokens,
            "threads": self.settings.threads,
            "batch_tokens": self.settings.batch_tokens,
            "flash_attention": self.settings.flash_attention,
            "gpu_layers": self.settings.gpu_layers,
            "kv_type": self.settings.kv_type,
            "repack": self.settings.repack,
            "warmup": self.settings.warmup,
            "tuned": self.choice.tuned,
        }


def plan_load(
    model: LocatedModel,
    header: GgufHeader,
    options: ChatOptions,
    use: Use,
    *,
    memory: Memory | None,
    cores: int,
    tuned: Tuned | None = None,
) -> LoadPlan:
    """Decide how ``model`` is loaded.

    Args:
        model: the file.
        header: its header.
        options: what was asked for.
        use: one answer or a conversation.
        memory: what the machine has; None when it does not tell, then nothing is refused.
        cores: physical cores that may be used.
        tuned: what tuning found for the file on this machine; options come before it, and the memory has the last word.

    Raises:
        UsageError: the context is larger than the model was trained for.
        DoesNotFitError: the memory is too small; the message has the sums.
    """
    variant = model.variant or known_by_name(header.name)
    shape = shape_of(header)
    winner = use.winner_of(tuned)
    kv_type = options.kv_type or _tuned_kv_type(header, shape, options, winner, memory)
    if not takes_kv_type(shape, kv_type):
        raise UsageError(f"the engine cannot keep the context of {model.name} as {kv_type}", "leave --kv-type out")
    context = _context(header, shape, options, kv_type, memory)
    long_answers = use is Use.CONVERSATION or (variant is not None and variant.reasoning)
    # A limit that follows from the memory is no promise: then only the beginning has to fit.
    promised = context.first_tokens if options.context_tokens is None else context.limit_tokens
    check_fits(
        _plain(kv_type).needed(shape, promised), memory, model=model.name, context_tokens=promised,
        fitting_context=_fitting(shape, memory, promised, kv_type),
        fitting_kv_type=_smaller_kv_type(shape, memory, promised, kv_type),
    )  # fmt: skip
    wanted = choose(options, winner, kv_type=kv_type, cores=cores, repack=long_answers)
    return LoadPlan(
        model=model,
        format=choose_format(header, variant),
        settings=LoadSettings(
            model_path=model.path,
            context_tokens=context.first_tokens,
            gpu_layers=_ALL_LAYERS if options.gpu_layers is None else options.gpu_layers,
            warmup=use is Use.CONVERSATION,
            **_of_engine(wanted.fitting(shape, context.first_tokens, memory)),
        ),
        context=context,
        sampling=_sampling(options, variant.sampling if variant else None),
        system=_system(options, variant),
        shape=shape,
        memory=memory,
        choice=wanted,
    )


def _of_engine(choice: EngineChoice) -> dict[str, Any]:
    """The fields of :class:`LoadSettings` that ``choice`` has."""
    names = ("threads", "batch_tokens", "kv_type", "flash_attention", "repack")
    return {name: getattr(choice, name) for name in names}


def trained_context(shape: ModelShape) -> int:
    """The longest context that the model was made for; a usual one where its file does not say."""
    return shape.trained_context_tokens or DEFAULT_CONTEXT_TOKENS


def _context(
    header: GgufHeader, shape: ModelShape, options: ChatOptions, kv_type: str, memory: Memory | None
) -> ContextPlan:
    trained = trained_context(shape)
    asked = options.context_tokens
    if asked is not None and asked > trained:
        raise UsageError(
            f"--context {asked} is more than the {trained} tokens that this model was trained for",
            f"use --context {trained} or less",
        )
    return plan_context(
        trained_tokens=trained,
        original_tokens=header.original_context_length,
        asked_tokens=asked,
        fitting_tokens=_fitting(shape, memory, trained, kv_type) or DEFAULT_CONTEXT_TOKENS,
    )


def _plain(kv_type: str) -> EngineChoice:
    """The settings that take the least memory with a cache of ``kv_type``; threads take none."""
    return EngineChoice(threads=1, kv_type=kv_type)


def _tuned_kv_type(
    header: GgufHeader, shape: ModelShape, options: ChatOptions, winner: Winner | None, memory: Memory | None
) -> str:
    """f16, but where the memory is too small for the usual context in it, the type that tuning had to take."""
    if winner is None or memory is None or not takes_kv_type(shape, winner.kv_type):
        return "f16"
    first = _context(header, shape, options, "f16", None).first_tokens
    fits = _plain("f16").needed(shape, first).total_bytes <= usable_bytes(memory)
    return "f16" if fits else winner.kv_type


def _smaller_kv_type(shape: ModelShape, memory: Memory | None, context_tokens: int, kv_type: str) -> str | None:
    """The most exact type of cache, below ``kv_type``, with which the context fits; None when none helps."""
    if memory is None:
        return None
    smaller = [name for name, size in KV_TYPE_BYTES.items() if size < KV_TYPE_BYTES[kv_type]]
    smaller = [name for name in smaller if takes_kv_type(shape, name)]
    usable = usable_bytes(memory)
    return next((name for name in smaller if _plain(name).needed(shape, context_tokens).total_bytes <= usable), None)


def _fitting(shape: ModelShape, memory: Memory | None, at_most: int, kv_type: str) -> int:
    if memory is None:
        return at_most
    return largest_context_that_fits(
        shape, memory, at_most=at_most, kv_type_bytes=KV_TYPE_BYTES[kv_type], batch_tokens=BATCH_TOKENS
    )


def _sampling(options: ChatOptions, defaults: SamplingDefaults | None) -> Sampling:
    base, given = Sampling(), defaults or SamplingDefaults()

    return Sampling(
        temperature=_first(options.temperature, given.temperature),
        top_k=_first(options.top_k, given.top_k, base.top_k),
        top_p=_first(options.top_p, given.top_p, base.top_p),
        min_p=_first(options.min_p, given.min_p, base.min_p),
        seed=secrets.randbelow(2**31) if options.seed is None else options.seed,
        max_tokens=options.max_tokens,
    )


def _first(*choices: _Number | None) -> _Number:
    return next(choice for choice in choices if choice is not None)


def _system(options: ChatOptions, variant: Variant | None) -> str | None:
    """The system message: a reasoning model needs its own, and what is asked for comes behind it.

    So does the official template of Phi-4-mini-reasoning. An empty ``--system`` means none at all.
    """
    own = variant.system_prompt if variant else None
    if options.system is None:
        return own
    if own and options.system and variant and variant.reasoning:
        return f"{own} {options.system}"
    return options.system or None
