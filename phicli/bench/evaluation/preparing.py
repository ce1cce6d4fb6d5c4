"""Decides how a model is loaded and asked for an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from phicli.bench.evaluation.types import Item
from phicli.bench.measuring.room import PlannedLoad, check_room, fits, needed
from phicli.bench.measuring.surroundings import Surroundings
from phicli.catalog.load import catalog
from phicli.engine.abilities import Ability
from phicli.engine.settings import EngineSettings
from phicli.engine.starting import DEFAULT_ENGINE, EngineChoice, can, check_load
from phicli.engine.types import Sampling
from phicli.fit.loading import with_usual_buffers
from phicli.fit.memory import largest_context_that_fits, padded_context
from phicli.fit.too_large import OnTooLarge, refuse
from phicli.gguf_file.header import read_header
from phicli.gguf_file.types import GgufHeader
from phicli.plan.chat_options import ChatOptions
from phicli.plan.context import ContextPlan
from phicli.plan.engine_file import require_runs
from phicli.plan.identify import PLAIN, TEMPLATE
from phicli.plan.load import LoadPlan, Use, plan_load
from phicli.plan.locate import LocatedModel
from phicli.plan.tuned import choose, is_tuned
from phicli.records.run import Subject
from phicli.records.tuned import Winner

MAX_TOKENS: Final = 256
REASONING_MAX_TOKENS: Final = 2048
_FEW_SLOTS, _MANY_SLOTS = 4, 8
_MARGIN_TOKENS: Final = 256
"""For the tokens of a prompt format, and the system message that a file's own template may add."""

_SYSTEM: Final[str | None] = None


@dataclass(frozen=True, slots=True)
class EvalOptions:
    """What is asked, and how: a file of questions or the name of a built-in set.

    ``max_tokens`` of a reply and ``context_tokens`` are left to the model where None. ``settings`` are those of the
    engine that were asked for, by field. ``limit`` asks only the first questions; ``restart`` asks all again.
    Without ``memory_check`` a model that seems too large for the memory is loaded anyway.
    """

    question_set: str | None
    max_tokens: int | None = None
    context_tokens: int | None = None
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    engines: tuple[str, ...] = (DEFAULT_ENGINE,)
    llama_server: Path | None = None
    limit: int | None = None
    restart: bool = False
    seed: int = 1
    memory_check: bool = True


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """A model that is about to be asked, with everything decided; ``slots`` questions at a time.

    ``context`` is what each slot gets, and how far a conversation may grow beyond it. ``systems`` has the system
    message that is really sent for each that the questions have: reasoning models put their own in front.
    """

    subject: Subject
    header: GgufHeader
    plan: LoadPlan
    settings: EngineSettings
    context: ContextPlan
    slots: int
    max_tokens: int
    systems: dict[str | None, str | None]

    @property
    def sampling(self) -> Sampling:
        """Greedy; the seed makes no difference to that, and is recorded."""
        return Sampling(temperature=0.0, seed=self.plan.sampling.seed, max_tokens=self.max_tokens)

    def asking_data(self) -> dict[str, Any]:
        """What the replies depend on besides the questions, the file and the engine."""
        return {
            "prompt_format": self.plan.format.name,
            "system": self.systems[_SYSTEM],
            "temperature": self.sampling.temperature,
            "seed": self.sampling.seed,
            "max_tokens": self.max_tokens,
            "kv_type": self.settings.kv_type,
            "flash_attention": self.settings.flash_attention,
        }

    def settings_data(self) -> dict[str, Any]:
        """All settings, as ``--json`` shows them."""
        where = {"context_tokens": self.context.first_tokens, "slots": self.slots}
        return {**self.asking_data(), **self.settings.to_data(), **where}


def prepare(
    subject: Subject, items: Sequence[Item], options: EvalOptions, around: Surroundings, *,
    best: Winner | None = None, on_too_large: OnTooLarge = refuse,
) -> EvaluationPlan:  # fmt: skip
    """Decide how ``subject`` is loaded and asked.

    A slot gets the context that the longest question needs, counted as a token a byte, as long as ``phi chat`` would
    begin with it. There are four slots, eight from eight cores on, fewer where there are fewer questions or the memory
    is small. What tuning found for many requests (``best``) holds where nothing else was typed and it fits; what
    is only faster gives way to memory.

    Raises:
        UsageError: an option makes no sense with this model.
        UnsupportedModelError: the engine cannot run the file.
        DoesNotFitError: the memory is too small.
        PhiError: the file cannot be read.
    """
    header = read_header(subject.path)
    require_runs(subject.engine, header)
    cores = around.cpu.physical_cores
    plan = _plan(subject, header, options, cores, _SYSTEM)
    check_load(subject.engine, plan.settings)
    wanted = {_SYSTEM, *(item.system for item in items)}
    systems = {system: _plan(subject, header, options, cores, system).system for system in wanted}
    reasoning = plan.format.reasoning and plan.format.name not in (TEMPLATE, PLAIN)
    most = options.max_tokens or (REASONING_MAX_TOKENS if reasoning else MAX_TOKENS)
    base = _context(plan, items, systems, most)
    best = best if is_tuned(options.settings, best) else None
    load = PlannedLoad(subject, _settings(plan, options, best, cores), plan.shape, base)
    if best is not None and not _fits(load, around):  # as phi chat: what is only faster gives way
        best = replace(best, settings=with_usual_buffers(best.settings))
        load = replace(load, settings=_settings(plan, options, best, cores))
    check_room(load, around.memory, around.gpus, on_too_large)
    slots = _slots(load, len(items), around)
    load = replace(load, context_tokens=base * slots)
    load = replace(load, settings=replace(load.settings, repack=_repack(load, options, around, best)))
    if load.settings.repack:
        check_room(load, around.memory, around.gpus, on_too_large)
    limit = max(base, _limit(load, plan, around))
    context = replace(plan.context, first_tokens=base, limit_tokens=limit)
    return EvaluationPlan(subject, header, plan, load.settings, context, slots, most, systems)


def located(subject: Subject) -> LocatedModel:
    """``subject`` as the rest of ``phi`` knows files."""
    variant = catalog().variant(subject.variant_id)
    return LocatedModel(subject.model, subject.model, subject.path, variant, subject.quant)


def _plan(subject: Subject, header: GgufHeader, options: EvalOptions, cores: int, system: str | None) -> LoadPlan:
    """What ``phi chat`` would do, the memory left out: that is asked once the slots are known."""
    chat = ChatOptions(
        system=system,
        temperature=0.0,
        seed=options.seed,
        context_tokens=options.context_tokens,
        engine=options.settings,
    )
    engine = EngineChoice(subject.engine, options.llama_server)
    return plan_load(located(subject), header, chat, Use.CONVERSATION, memory=None, cores=cores, engine=engine)


def _settings(plan: LoadPlan, options: EvalOptions, best: Winner | None, cores: int) -> EngineSettings:
    """How the engine is set, but for repacking, which depends on the memory that the slots leave.

    The type of the cache is not tuned: another one changes replies.
    """
    kv_type = plan.settings.engine.kv_type
    return replace(choose(options.settings, best, cores=cores, kv_type=kv_type), repack=False)


def _context(plan: LoadPlan, items: Sequence[Item], systems: dict[str | None, str | None], most: int) -> int:
    """Tokens for each slot: enough for every question and its reply, and no more than ``phi chat`` begins with."""

    def bytes_of(item: Item) -> int:
        return len(item.prompt.encode()) + len((systems[item.system] or "").encode())

    needed_tokens = max(bytes_of(item) + max(most, item.max_tokens or 0) for item in items) + _MARGIN_TOKENS
    return min(plan.context.first_tokens, padded_context(needed_tokens))


def _slots(load: PlannedLoad, questions: int, around: Surroundings) -> int:
    """Questions at a time: as many as help and fit into memory, at least one."""
    if not can(load.subject.engine, Ability.SLOTS):
        return 1
    slots = min(_MANY_SLOTS if around.cpu.physical_cores >= _MANY_SLOTS else _FEW_SLOTS, max(questions, 1))
    while slots > 1 and not _fits(replace(load, context_tokens=load.context_tokens * slots), around):
        slots -= 1
    return slots


def _repack(load: PlannedLoad, options: EvalOptions, around: Surroundings, best: Winner | None) -> bool:
    if "repack" in options.settings:
        return bool(options.settings["repack"])
    repacked = replace(load, settings=replace(load.settings, repack=True))
    return best is not None and best.settings.repack and _fits(repacked, around)


def _fits(load: PlannedLoad, around: Surroundings) -> bool:
    return fits(load, around.memory, around.gpus)


def _limit(load: PlannedLoad, plan: LoadPlan, around: Surroundings) -> int:
    """Tokens that a conversation may grow to: in an engine of its own, beside that of all slots (``load``)."""
    if around.memory is None:
        return plan.context.limit_tokens
    sums, settings = needed(load, around.gpus), load.settings
    taken = sums.resident_bytes - (0 if settings.repack else sums.weights_bytes - sums.gpu_weights_bytes)
    return largest_context_that_fits(
        plan.shape,
        replace(around.memory, available_bytes=max(around.memory.available_bytes - taken, 0)),
        settings,
        at_most=plan.context.limit_tokens,
    )
