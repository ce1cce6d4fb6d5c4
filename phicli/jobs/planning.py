"""Decides how a model of this machine is loaded for many requests: its slots, the context of each, and the memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from phicli.engine.abilities import Ability
from phicli.engine.settings import ALL_LAYERS, EngineSettings
from phicli.engine.starting import ENGINES, EngineChoice, can, check_load, require
from phicli.errors import DoesNotFitError
from phicli.fit.loading import Room, with_usual_buffers
from phicli.fit.memory import check_fits, longest_context, padded_context, usable_bytes
from phicli.fit.too_large import OnTooLarge, refuse
from phicli.gguf_file.header import read_header
from phicli.gguf_file.types import GgufHeader
from phicli.plan.chat_options import ChatOptions
from phicli.plan.context import answer_room
from phicli.plan.engine_file import require_runs
from phicli.plan.load import LoadPlan, Use, plan_load
from phicli.plan.locate import LocatedModel
from phicli.plan.tuned import choose, is_tuned
from phicli.records.tuned import Winner
from phicli.units import format_bytes

_FEW_SLOTS, _MANY_SLOTS = 4, 8
_FEWEST_BYTES_PER_TOKEN: Final = 3
"""Of long texts: English ones have about four."""

_MARGIN_TOKENS: Final = 256
"""For the tokens of a prompt format, and the system message that a file's own template may add."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What the requests of a job need.

    Attributes:
        longest_bytes: of all texts of a request together (UTF-8), its system message and declared tools included.
        max_tokens: the most tokens of an answer; None for no limit.
        requests: how many there are; None where it is unknown.
        parallel: how many are wanted at a time; None leaves it to the machine.
    """

    longest_bytes: int
    max_tokens: int | None = None
    requests: int | None = None
    parallel: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model is loaded: the engine, the memory, and the physical cores that may be used."""

    engine: EngineChoice
    room: Room
    cores: int


@dataclass(frozen=True, slots=True)
class JobPlan:
    """A model that is about to be asked; ``slots`` requests at a time.

    ``load`` has the settings of the engine with all slots. Its context begins with that of each slot; what outgrows it
    gets an engine of its own, up to the limit.
    """

    header: GgufHeader
    engine: EngineChoice
    load: LoadPlan

    @property
    def slots(self) -> int:
        """Requests at a time."""
        return self.load.settings.slots

    @property
    def settings(self) -> EngineSettings:
        """How the engine is set."""
        return self.load.settings.engine


def plan_job(
    model: LocatedModel, options: ChatOptions, needs: Needs, place: Place, *,
    best: Winner | None = None, on_too_large: OnTooLarge = refuse,
) -> JobPlan:  # fmt: skip
    """Decide how ``model`` is loaded for many requests.

    A slot gets the context that the longest request needs, counted as a token a byte, as long as ``phi chat`` would
    begin with it; and a larger one for long requests where the memory allows that. There are four slots, eight from
    eight cores on, fewer where there are fewer requests or the memory is small. What tuning found for many requests
    (``best``) holds where nothing else was asked for and it fits; what is only faster gives way to memory. The type of
    the KV cache is not tuned: another one changes answers.

    Args:
        model: the file.
        options: of every answer, and of the engine.
        needs: of the requests.
        place: where it is loaded.
        best: what tuning found.
        on_too_large: is given the error where the memory is too small, and may return.

    Raises:
        UsageError: an option makes no sense with this model or engine.
        UnsupportedModelError: the engine cannot run the file.
        DoesNotFitError: the memory is too small.
        PhiError: the file cannot be read.
    """
    header = read_header(model.path)
    require_runs(place.engine.name, header)
    gpus = place.room.gpus if ENGINES[place.engine.name].uses_known_gpus else ()
    plan = plan_load(
        model, header, options, Use.CONVERSATION, memory=None, cores=place.cores, engine=place.engine, gpus=gpus
    )
    check_load(place.engine.name, plan.settings)
    best = best if is_tuned(options.engine, best) else None
    placing = _Placing(plan, options, needs, replace(place, room=Room(place.room.memory, gpus)), best)
    return JobPlan(header, place.engine, placing.placed(on_too_large))


@dataclass(frozen=True, slots=True)
class _Placing:
    """One load: what is known before it is decided."""

    plan: LoadPlan
    options: ChatOptions
    needs: Needs
    place: Place
    best: Winner | None

    def placed(self, on_too_large: OnTooLarge) -> LoadPlan:
        settings = self._settings(self.best)
        base = self._context(settings)
        best = self.best
        if best is not None and not self._holds(settings, base):  # as phi chat: what is only faster gives way
            best = replace(best, settings=with_usual_buffers(best.settings))
            settings = self._settings(best)
        self._check(settings, base, on_too_large)
        slots = self._slots(settings, base)
        settings = replace(settings, repack=self._repack(settings, base * slots, best))
        if settings.repack:
            self._check(settings, base * slots, on_too_large)
        settings = self._with_layers(settings, base * slots)
        limit = max(base, self._limit(settings, base * slots))
        load = replace(self.plan.settings, context_tokens=base, engine=settings, slots=slots, warmup=True)
        context = replace(self.plan.context, first_tokens=base, limit_tokens=limit)
        return replace(self.plan, settings=load, context=context, room=self.place.room, tuned=best is not None)

    def _context(self, settings: EngineSettings) -> int:
        """Tokens for each slot: enough for every request and its answer, and no more than ``phi chat`` begins with.

        Where that is too little for the longest request by estimate, it is more if two such slots fit: what outgrows
        its slot waits for an engine that answers one at a time. Not beyond the original context of a LongRoPE model,
        where short requests would be answered in another way.
        """
        answer, usual = answer_room(self.needs.max_tokens) + _MARGIN_TOKENS, self.plan.context.first_tokens
        longest_bytes = self.needs.longest_bytes + len((self.plan.system or "").encode())
        base = min(usual, padded_context(longest_bytes + answer))
        estimated = padded_context(longest_bytes // _FEWEST_BYTES_PER_TOKEN + answer)
        larger = min(self.plan.context.limit_tokens, estimated)
        if larger > usual and self.plan.context.original_tokens is None and self._holds(settings, 2 * larger):
            return larger
        return base

    def _settings(self, best: Winner | None) -> EngineSettings:
        """How the engine is set, but for repacking, which depends on the memory that the slots leave."""
        kv_type = self.plan.settings.engine.kv_type
        return replace(choose(self.options.engine, best, cores=self.place.cores, kv_type=kv_type), repack=False)

    def _slots(self, settings: EngineSettings, context_tokens: int) -> int:
        """Requests at a time: as many as were asked for, else as help and fit into memory; at least one."""
        wanted, engine = self.needs.parallel, self.place.engine.name
        if not can(engine, Ability.SLOTS):
            if wanted not in (None, 1):
                require(engine, Ability.SLOTS)
            return 1
        usual = _MANY_SLOTS if self.place.cores >= _MANY_SLOTS else _FEW_SLOTS
        slots = usual if wanted is None else wanted
        slots = slots if self.needs.requests is None else min(slots, max(self.needs.requests, 1))
        while slots > 1 and not self._holds(settings, context_tokens * slots):
            if wanted is not None:
                raise self._too_many(settings, slots, context_tokens)
            slots -= 1
        return slots

    def _repack(self, settings: EngineSettings, context_tokens: int, best: Winner | None) -> bool:
        if "repack" in self.options.engine:
            return bool(self.options.engine["repack"])
        repacked = replace(settings, repack=True)
        return best is not None and best.settings.repack and self._holds(repacked, context_tokens)

    def _with_layers(self, settings: EngineSettings, context_tokens: int) -> EngineSettings:
        """With as many layers on the GPU as fit; they stay the engine's choice where it can have all of them."""
        layers = self.place.room.layers(self.plan.shape, settings, context_tokens)
        if not self.place.room.gpus or settings.gpu_layers != ALL_LAYERS or layers > self.plan.shape.layers:
            return settings
        return replace(settings, gpu_layers=layers)

    def _limit(self, settings: EngineSettings, context_tokens: int) -> int:
        """Tokens that a conversation may grow to: in an engine of its own, beside that of all slots."""
        room, most = self.place.room, self.plan.context.limit_tokens
        if room.memory is None:
            return most
        sums = room.main(room.needed(self.plan.shape, settings, context_tokens))
        taken = sums.total_bytes - (0 if settings.repack else sums.weights_bytes)
        left = replace(room.memory, available_bytes=max(room.memory.available_bytes - taken, 0))
        beside = Room(left, room.gpus)
        return longest_context(lambda tokens: beside.holds(self.plan.shape, settings, tokens), at_most=most)

    def _holds(self, settings: EngineSettings, context_tokens: int) -> bool:
        return self.place.room.holds(self.plan.shape, settings, context_tokens)

    def _check(self, settings: EngineSettings, context_tokens: int, on_too_large: OnTooLarge) -> None:
        room = self.place.room
        needed = room.main(room.needed(self.plan.shape, settings, context_tokens))
        model = self.plan.model.name
        check_fits(needed, room.memory, model=model, context_tokens=context_tokens, on_too_large=on_too_large)

    def _too_many(self, settings: EngineSettings, slots: int, context_tokens: int) -> DoesNotFitError:
        room = self.place.room
        needed = room.main(room.needed(self.plan.shape, settings, context_tokens * slots)).total_bytes
        usable = usable_bytes(room.memory) if room.memory else 0
        message = (
            f"{self.plan.model.name} does not fit into memory with {slots} slots of {context_tokens} tokens: it needs "
            f"{format_bytes(needed)}, but only {format_bytes(usable)} can be used"
        )
        return DoesNotFitError(message, "use a smaller --parallel or --context")
