"""The abilities that an engine may lack, and the only check for them."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from phicli.engine.settings import NO_SPECULATION, EngineSettings
from phicli.engine.types import SAMPLERS
from phicli.errors import UsageError

if TYPE_CHECKING:
    from phicli.engine.types import LoadSettings, Sampling


class Ability(enum.Enum):
    """Something that not every engine can do; the value completes the sentence "the engine cannot …"."""

    TEMPLATES = "use the chat template of a file, which this model needs"
    SLOTS = "answer several requests at a time"
    GPU = "run layers on a GPU"
    REPACK = "repack weights"
    KV_TYPES = "quantize the KV cache"
    FLASH_ATTENTION = "use flash attention"
    MIN_P = "sample with min-p"
    MIROSTAT = "sample with Mirostat"
    XTC = "sample with XTC"
    SAMPLER_ORDER = "change the order of the samplers"
    SCORES = "report the probabilities of tokens"
    SPECULATION = "draft tokens"
    STATES = "save what it has evaluated"
    CONSTRAINTS = "hold an answer to a schema or a grammar"
    ADAPTERS = "use adapters (LoRA)"
    LARK = "hold an answer to a regular expression or a grammar in Lark"


NOTHING: Final[frozenset[Ability]] = frozenset()


def abilities_of_settings(settings: EngineSettings) -> Iterator[Ability]:
    """The abilities that ``settings`` require of an engine."""
    if settings.gpu_layers > 0:
        yield Ability.GPU
    if settings.repack:
        yield Ability.REPACK
    if settings.kv_type != "f16":
        yield Ability.KV_TYPES
    if settings.flash_attention == "on":
        yield Ability.FLASH_ATTENTION
    if settings.speculation != NO_SPECULATION:
        yield Ability.SPECULATION


def abilities_of_load(settings: LoadSettings) -> Iterator[Ability]:
    """The abilities that a load with ``settings`` requires of an engine."""
    if settings.own_template:
        yield Ability.TEMPLATES
    if settings.slots > 1:
        yield Ability.SLOTS
    if settings.adapters:
        yield Ability.ADAPTERS
    yield from abilities_of_settings(settings.engine)


def abilities_of_sampling(sampling: Sampling) -> Iterator[Ability]:
    """The abilities that ``sampling`` requires of an engine. Nothing is sampled at temperature 0."""
    if sampling.constraint is not None:
        yield Ability.LARK if sampling.constraint.in_lark else Ability.CONSTRAINTS
    if sampling.temperature <= 0:
        return
    if sampling.min_p > 0:
        yield Ability.MIN_P
    if sampling.mirostat:
        yield Ability.MIROSTAT
    if sampling.xtc_probability > 0:
        yield Ability.XTC
    if sampling.samplers != SAMPLERS:
        yield Ability.SAMPLER_ORDER


def refuse_lacking(name: str, needed: Iterator[Ability], lacking: Mapping[str, frozenset[Ability]]) -> None:
    """Return if the engine called ``name`` can do all that is ``needed``.

    Args:
        name: a key of ``lacking``.
        needed: what it must be able to do.
        lacking: what each engine cannot do, by its name.

    Raises:
        UsageError: the engine lacks an ability; the hint names the engines that have it.
    """
    for ability in needed:
        if ability in lacking[name]:
            others = [f"--engine {other}" for other, lacks in lacking.items() if ability not in lacks]
            raise UsageError(f"{name} cannot {ability.value}", f"use an engine that can: {' or '.join(others)}")
