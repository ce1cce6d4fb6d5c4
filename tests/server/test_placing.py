"""How a model is loaded for the server: slots, contexts and the cache of prompts, as the memory allows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from phicli.engine.starting import EngineChoice
from phicli.errors import DoesNotFitError, UsageError
from phicli.fit.memory import plan_memory, usable_bytes
from phicli.fit.shape import shape_of
from phicli.hardware.available import Memory
from phicli.plan.locate import LocatedModel
from phicli.server.memory import Ledger, Share
from phicli.server.placing import Placed, Prepared, place
from phicli.server.types import LoadOptions
from tests.plan.test_plan_load import phi_4_mini

GIB = 1 << 30
MIB = 1 << 20
KV_OF_A_SLOT = 512 * MIB
"""4096 tokens of Phi-4-mini."""


def prepared(cores: int = 4) -> Prepared:
    model = LocatedModel("phi-4-mini", "phi-4-mini", Path("model.gguf"), None, "Q4_K_M")
    return Prepared(model, phi_4_mini(), EngineChoice(), None, (), cores)


def book(available: int) -> Ledger:
    return Ledger(lambda: Memory(64 * GIB, available, "test"), lambda _: 0)


def placed(available: int = 60 * GIB, *, cores: int = 4, **options: object) -> Placed:
    found = place(prepared(cores), LoadOptions(**options), book(available))  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize(("cores", "slots"), [(1, 4), (4, 4), (8, 8), (64, 8)])
def test_there_are_as_many_slots_as_help(cores: int, slots: int) -> None:
    assert placed(cores=cores).settings.slots == slots


def test_a_slot_has_the_context_that_a_conversation_begins_with() -> None:
    found = placed()
    assert found.settings.context_tokens == found.plan.context.first_tokens == 4096
    assert not found.plan.context.has_long_factors(found.settings.context_tokens)
    assert found.plan.context.has_long_factors(found.plan.context.grown(5000))


@pytest.mark.parametrize("available", [6 * GIB, 7 * GIB, 8 * GIB, 9 * GIB, 12 * GIB, 60 * GIB])
def test_whatever_is_admitted_fits_with_all_its_slots_and_its_cache(available: int) -> None:
    found = placed(available)
    assert found.share.weights_bytes + found.share.other_bytes <= usable_bytes(Memory(64 * GIB, available, "test"))
    kv = plan_memory(shape_of(phi_4_mini()), context_tokens=4096 * found.settings.slots).kv_bytes
    assert kv == found.settings.slots * KV_OF_A_SLOT
    assert found.share.other_bytes >= kv + found.settings.cache_ram_mib * MIB


def test_little_memory_means_fewer_slots_and_never_less_than_a_conversation() -> None:
    slots = [placed(available).settings.slots for available in (8 * GIB, 9 * GIB, 10 * GIB, 60 * GIB)]
    assert slots == sorted(slots)
    assert slots[0] < slots[-1] == 4
    assert placed(7 * GIB).settings.context_tokens == 4096


def test_more_slots_never_take_the_memory_of_a_longer_conversation() -> None:
    for available in (8 * GIB, 9 * GIB, 10 * GIB):
        found = placed(available)
        if found.settings.slots > 1:
            assert found.plan.context.limit_tokens >= 2 * 4096


def test_the_limit_is_what_fits_into_an_engine_beside_all_slots() -> None:
    found = placed(12 * GIB)
    limit = found.plan.context.limit_tokens
    assert 4096 < limit < 131072
    machine = book(12 * GIB)
    machine.admit(found.share, None)
    settings, share = found.larger(limit, machine.beside(machine.measured()))
    assert (settings.context_tokens, settings.slots, settings.cache_ram_mib) == (limit, 1, 0)
    assert share.file == found.share.file
    machine.remove(found.share)
    machine.admit(replace(found.share, other_bytes=found.share.other_bytes - found.settings.cache_ram_mib * MIB), None)
    measured = machine.measured()
    assert machine.admit(share, measured)
    machine.remove(share)
    assert not machine.admit(found.larger(limit + 8 * 4096, machine.beside(measured))[1], measured)


def test_the_slots_that_were_asked_for_are_given_or_refused() -> None:
    assert placed(parallel=1).settings.slots == 1
    assert placed(parallel=16).settings.slots == 16
    with pytest.raises(DoesNotFitError, match="with 16 slots") as caught:
        place(prepared(), LoadOptions(parallel=16), book(8 * GIB))
    assert "--parallel" in caught.value.hint


def test_a_model_that_never_fits_is_refused_and_one_that_fits_later_is_not() -> None:
    with pytest.raises(DoesNotFitError, match="does not fit into memory"):
        place(prepared(), LoadOptions(), book(2 * GIB))
    held = Ledger(lambda: Memory(64 * GIB, 3 * GIB, "test"), lambda _: 8 * GIB)
    held.admit(Share("other", 0, 8 * GIB, pid=1), None)
    assert place(prepared(), LoadOptions(), held) is None
    promised = book(9 * GIB)
    promised.admit(Share("other", 0, 8 * GIB), None)
    assert place(prepared(), LoadOptions(), promised) is None


def test_without_a_check_everything_is_loaded_as_it_is_wished() -> None:
    found = place(prepared(), LoadOptions(), Ledger(None))
    assert found is not None
    assert (found.settings.slots, found.plan.context.limit_tokens) == (4, 131072)


def test_the_cache_of_prompts_is_bounded_by_the_slots_and_by_the_memory() -> None:
    assert placed(parallel=1).settings.cache_ram_mib == KV_OF_A_SLOT // MIB
    assert placed(parallel=8).settings.cache_ram_mib == 1024
    assert 0 < placed(6 * GIB, parallel=1).settings.cache_ram_mib < KV_OF_A_SLOT // MIB


def test_a_load_measures_the_memory_once() -> None:
    looks: list[Memory] = []

    def look() -> Memory:
        looks.append(Memory(64 * GIB, 8 * GIB, "test"))
        return looks[-1]

    assert place(prepared(), LoadOptions(), Ledger(look, lambda _: 0)) is not None
    assert len(looks) == 1


def test_the_settings_that_were_asked_for_are_used() -> None:
    found = placed(settings={"threads": 3, "kv_type": "q8_0"}, context_tokens=2048)
    assert (found.settings.engine.threads, found.settings.engine.kv_type) == (3, "q8_0")
    assert (found.settings.context_tokens, found.plan.context.limit_tokens) == (2048, 2048)


def test_a_context_that_a_model_does_not_have_is_no_error_for_all_models() -> None:
    assert placed(context_tokens=1 << 20).plan.context.limit_tokens == 131072


def test_settings_that_are_nothing_for_a_model_are_an_error() -> None:
    odd = replace(prepared(), header=replace(phi_4_mini(), key_length=80, value_length=80))
    with pytest.raises(UsageError, match="q8_0"):
        place(odd, LoadOptions(settings={"kv_type": "q8_0"}), book(60 * GIB))
