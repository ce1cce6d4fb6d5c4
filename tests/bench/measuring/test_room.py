from __future__ import annotations

from dataclasses import replace

import pytest

from phicli.bench.measuring.room import check_room, fit_together, layers_on_gpu, needed
from phicli.errors import DoesNotFitError, UsageError
from phicli.hardware.types import Gpu
from tests.fakes.bench_engines import GIB, load, memory

CARD = Gpu("a card", "CUDA", 8 * GIB, 8 * GIB, True, "a test")


def test_a_model_that_does_not_fit() -> None:
    check_room(load(gib=2), memory(8))
    with pytest.raises(DoesNotFitError, match="phi-4-mini does not fit into memory") as caught:
        check_room(load(gib=16), memory(8))
    assert "phi bench" in caught.value.hint_for("bench")
    assert "phi chat" not in caught.value.hint_for("bench")
    check_room(load(gib=16), None)


def test_repacking_and_depth_need_room() -> None:
    tight = load(gib=4)
    check_room(tight, memory(6))
    with pytest.raises(DoesNotFitError):
        check_room(replace(tight, settings=replace(tight.settings, repack=True)), memory(6))
    with pytest.raises(DoesNotFitError):
        check_room(replace(tight, context_tokens=32768), memory(6))


def test_a_type_of_cache_that_the_engine_cannot_have() -> None:
    one = load()
    odd = replace(one, shape=replace(one.shape, key_length=80), settings=replace(one.settings, kv_type="q8_0"))
    with pytest.raises(UsageError, match="q8_0"):
        check_room(odd, memory(64))


def test_two_models_fit_together_or_not() -> None:
    pair = (load("a", gib=3), load("b", gib=3))
    assert fit_together(pair, memory(12))
    assert not fit_together(pair, memory(6))
    assert not fit_together(pair, None)
    assert fit_together(pair[:1], None)


def test_settings_of_one_file_share_its_weights() -> None:
    pair = (load(threads=1, gib=3), load(threads=2, gib=3))
    assert fit_together(pair, memory(6))
    repacked = tuple(replace(one, settings=replace(one.settings, repack=True)) for one in pair)
    assert not fit_together(repacked, memory(6))


def test_a_file_that_is_written_for_an_engine_is_not_shared() -> None:
    ours = load(gib=3)
    native, old = (
        replace(ours, subject=replace(ours.subject, engine=engine)) for engine in ("llama-server", "ctransformers")
    )
    assert fit_together((ours, native), memory(6))
    assert not fit_together((ours, old), memory(6))
    assert fit_together((old, replace(old, settings=replace(old.settings, threads=1))), memory(6))


def test_many_engines_are_not_loaded_at_once() -> None:
    assert fit_together([load(threads=count, gib=0.1) for count in range(1, 9)], memory(64))
    assert not fit_together([load(threads=count, gib=0.1) for count in range(1, 10)], memory(64))


def test_a_card_of_its_own_memory() -> None:
    one = load(gib=5)
    assert layers_on_gpu(one.settings, one.shape, ()) == 0
    assert layers_on_gpu(one.settings, one.shape, (CARD,)) == 33
    assert layers_on_gpu(replace(one.settings, gpu_layers=4), one.shape, (CARD,)) == 4
    assert layers_on_gpu(one.settings, one.shape, (replace(CARD, unified=True),)) == 0
    assert needed(one, (CARD,)).gpu_bytes > 4 * GIB
    assert needed(one, (replace(CARD, usable=False),)).gpu_bytes == 0
    pair = (one, load("b", gib=5))
    assert not fit_together(pair, memory(64), (CARD,))
    assert fit_together(pair, memory(64), (replace(CARD, free_bytes=24 * GIB),))
