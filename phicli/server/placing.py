"""Decides how a model is loaded for the server: its slots, its contexts, and whether the memory is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from phicli.engine.abilities import Ability
from phicli.engine.settings import EngineSettings
from phicli.engine.starting import ENGINES, EngineChoice, can
from phicli.engine.types import LoadSettings
from phicli.errors import DoesNotFitError
from phicli.fit.loading import Room, fitting
from phicli.fit.memory import MIB, USUAL, longest_context, usable_bytes
from phicli.fit.memory_sum import MemorySum
from phicli.gguf_file.header import read_header
from phicli.gguf_file.types import GgufHeader
from phicli.hardware.available import Memory
from phicli.hardware.cpu import physical_cores
from phicli.hardware.engine_gpus import engine_gpus
from phicli.hardware.types import Gpu
from phicli.plan.chat_options import ChatOptions
from phicli.plan.engine_file import require_runs
from phicli.plan.load import LoadPlan, Use, plan_load
from phicli.plan.locate import LocatedModel
from phicli.plan.tuned import Tuned
from phicli.plan.tuned_here import tuned_for
from phicli.records.tuned_folder import anything_tuned
from phicli.server.adapters import fitting_adapters
from phicli.server.memory import Ledger, Measured, Share, share_of
from phicli.server.types import LoadOptions, NamedAdapter
from phicli.units import format_bytes

_FEW_SLOTS, _MANY_SLOTS = 4, 8
_MOST_CACHE_MIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file that was looked at before it is loaded."""

    located: LocatedModel
    header: GgufHeader
    engine: EngineChoice
    tuned: Tuned | None
    gpus: tuple[Gpu, ...]
    cores: int
    adapters: tuple[NamedAdapter, ...] = ()

    @property
    def file(self) -> str:
        """The path of the file, the same for all links to it."""
        return os.path.realpath(self.located.path)


@dataclass(frozen=True, slots=True)
class Placed:
    """A load that was admitted: ``share`` is in the ledger.

    Attributes:
        prepared: the file.
        plan: how it is loaded; the limit of its context is what fits beside all slots.
        settings: of the engine with all slots.
        share: what that engine takes.
    """

    prepared: Prepared
    plan: LoadPlan
    settings: LoadSettings
    share: Share

    def larger(self, context_tokens: int, memory: Memory | None) -> tuple[LoadSettings, Share]:
        """The settings and the share of another engine, for one conversation with so many tokens.

        ``memory`` is what the other engines leave; None where nothing is to be refused.
        """
        room = Room(memory, self.prepared.gpus)
        engine = fitting(self.plan.wanted, self.plan.shape, context_tokens, room)
        settings = replace(self.settings, context_tokens=context_tokens, engine=engine, slots=1, cache_ram_mib=0)
        return settings, share_of(self.share.file, room.needed(self.plan.shape, engine, context_tokens))


def prepare(located: LocatedModel, options: LoadOptions) -> Prepared:
    """Read what the file and this machine say about a load of ``located``.

    Raises:
        PhiError: the file cannot be read, or the engine cannot run it.
    """
    header = read_header(located.path)
    adapters = fitting_adapters(options.adapters, header)
    engine, tuned = EngineChoice(), None
    if anything_tuned():
        best = tuned_for(located.path, Use.CONVERSATION.tuned_as, tell=False)
        if not can(best.engine.name, Ability.SLOTS) or (adapters and not can(best.engine.name, Ability.ADAPTERS)):
            best = tuned_for(located.path, Use.CONVERSATION.tuned_as, engine=engine, tell=False)
        engine, tuned = best.engine, best.current
    require_runs(engine.name, header)
    known = ENGINES[engine.name].uses_known_gpus and options.settings.get("gpu_layers") != 0
    return Prepared(located, header, engine, tuned, engine_gpus() if known else (), physical_cores(), adapters)


def place(prepared: Prepared, options: LoadOptions, ledger: Ledger) -> Placed | None:
    """Admit a load, with as many slots as help and fit; None where it only fits when other engines end.

    Raises:
        UsageError: the settings that were asked for are nothing for this model.
        DoesNotFitError: it does not fit even without all other engines; the message has the sums.
    """
    measured = ledger.measured()
    plan = planned(prepared, options, measured.alone if measured else None)
    room = Room(ledger.beside(measured), prepared.gpus)
    for slots in _slots(prepared, options):
        needed = _needed(plan, slots)
        share = share_of(prepared.file, needed)
        if slots > 1 and not _fits(share, plan.room.memory):
            if options.parallel is not None:
                raise _too_many(prepared, slots, share, plan.room.memory)
            continue
        limit = _limit(plan, share)
        if slots > 1 and options.parallel is None and limit < _wished_limit(plan):
            continue  # a long conversation is worth more than one more at a time
        if (not needed.gpu_bytes or needed.gpu_bytes <= room.gpu_bytes) and ledger.holds(share, measured):
            return _placed(prepared, plan, ledger, measured, slots, limit)
    return None


def planned(prepared: Prepared, options: LoadOptions, memory: Memory | None) -> LoadPlan:
    """How the file is loaded where nothing else is; None for ``memory``: as if there were enough of it.

    Raises:
        UsageError: the settings that were asked for are nothing for this model.
        DoesNotFitError: the memory is too small; the message has the sums.
    """
    trained = prepared.header.context_length
    asked = options.context_tokens
    chat = ChatOptions(
        context_tokens=min(asked, trained) if asked and trained else asked, engine=dict(options.settings),
        adapters=tuple(replace(one.adapter, scale=0.0) for one in prepared.adapters),
    )  # fmt: skip
    return plan_load(
        prepared.located, prepared.header, chat, Use.CONVERSATION, memory=memory, cores=prepared.cores,
        engine=prepared.engine, gpus=prepared.gpus, tuned=prepared.tuned,
    )  # fmt: skip


def _slots(prepared: Prepared, options: LoadOptions) -> Iterator[int]:
    """How many slots are tried, the most first."""
    if options.parallel is not None:
        yield options.parallel
    else:
        yield from range(_MANY_SLOTS if prepared.cores >= _MANY_SLOTS else _FEW_SLOTS, 0, -1)


def _limit(plan: LoadPlan, share: Share) -> int:
    """Tokens that a conversation may grow to, in another engine beside that of all slots, which takes ``share``."""
    first, memory = plan.context.first_tokens, plan.room.memory
    if memory is None:
        return plan.context.limit_tokens
    left = replace(memory, available_bytes=max(memory.available_bytes - share.other_bytes, 0))
    room, plain = Room(left, plan.room.gpus), _plain(plan.wanted)
    longest = longest_context(lambda tokens: room.holds(plan.shape, plain, tokens), at_most=plan.context.limit_tokens)
    return max(first, longest)


def _wished_limit(plan: LoadPlan) -> int:
    """The limit that is not given up for more slots."""
    limit = plan.context.limit_tokens
    return limit if plan.context.asked else min(limit, 2 * plan.context.first_tokens)


def _needed(plan: LoadPlan, slots: int) -> MemorySum:
    return plan.room.needed(plan.shape, _plain(plan.wanted), plan.context.first_tokens * slots)


def _fits(share: Share, memory: Memory | None) -> bool:
    return memory is None or share.weights_bytes + share.other_bytes <= usable_bytes(memory)


def _too_many(prepared: Prepared, slots: int, share: Share, memory: Memory | None) -> DoesNotFitError:
    assert memory is not None  # noqa: S101 (otherwise everything fits)
    needed, usable = share.weights_bytes + share.other_bytes, usable_bytes(memory)
    message = (
        f"{prepared.located.name} does not fit into memory with {slots} slots: it needs {format_bytes(needed)}, "
        f"but only {format_bytes(usable)} can be used"
    )
    return DoesNotFitError(message, "start phi serve with a smaller --parallel or --context")


def _placed(
    prepared: Prepared, plan: LoadPlan, ledger: Ledger, measured: Measured | None, slots: int, limit: int
) -> Placed | None:
    needed, beside = _needed(plan, slots), ledger.beside(measured)
    weights_bytes = 0 if ledger.maps(prepared.file) else share_of(prepared.file, needed).weights_bytes
    cache_bytes = MIB * _cache_mib(needed.kv_bytes, share_of(prepared.file, needed).other_bytes + weights_bytes, beside)
    if prepared.adapters:  # prompts are found by their tokens alone: findings/ram_cache_crosses_adapters.sh
        cache_bytes = 0
    left = beside and replace(beside, available_bytes=max(beside.available_bytes - cache_bytes, 0))
    tokens = plan.context.first_tokens * slots
    engine = fitting(plan.wanted, plan.shape, tokens, Room(left, prepared.gpus))
    share = share_of(prepared.file, plan.room.needed(plan.shape, engine, tokens), cache_bytes=cache_bytes)
    if not ledger.admit(share, measured):
        return None
    context = replace(plan.context, limit_tokens=min(limit, plan.context.limit_tokens))
    settings = replace(
        plan.settings, engine=engine, slots=slots, cache_ram_mib=cache_bytes // MIB, warmup=False
    )  # somebody waits for the first answer
    return Placed(prepared, replace(plan, context=context, settings=settings), settings, share)


def _cache_mib(kv_bytes: int, needed_bytes: int, beside: Memory | None) -> int:
    """MiB for evaluated prompts: as much as the slots have, at most half of what ``needed_bytes`` leave."""
    wished = min(max(kv_bytes // MIB, 1), _MOST_CACHE_MIB)
    if beside is None:
        return wished
    return min(wished, max((usable_bytes(beside) - needed_bytes) // 2 // MIB, 0))


def _plain(settings: EngineSettings) -> EngineSettings:
    """The settings that take the least memory with the KV cache and the GPU layers of ``settings``."""
    return replace(USUAL, kv_type=settings.kv_type, gpu_layers=settings.gpu_layers)
