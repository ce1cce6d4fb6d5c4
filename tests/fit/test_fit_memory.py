from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from phicli.engine.settings import EngineSettings
from phicli.errors import DoesNotFitError
from phicli.fit.memory import (
    KV_TYPE_BYTES,
    MIB,
    check_fits,
    largest_context_that_fits,
    plan_memory,
    usable_bytes,
)
from phicli.fit.shape import ModelShape, shape_of
from phicli.gguf_file.types import GgufHeader, TensorInfo, Vocabulary
from phicli.hardware.types import Memory

GIB = 1 << 30
MINI = ModelShape(
    weights_bytes=2_484_000_000,
    repackable_bytes=1_302_000_000,
    layers=32,
    embedding=3072,
    feed_forward=8192,
    heads=24,
    kv_heads_total=256,
    key_length=128,
    value_length=128,
    vocabulary=200_064,
    trained_context_tokens=131_072,
)
PHI_3 = replace(MINI, heads=32, kv_heads_total=1024, key_length=96, value_length=96, vocabulary=32_064)
PHI_4 = replace(MINI, layers=40, embedding=5120, feed_forward=17_920, heads=40, kv_heads_total=400, vocabulary=100_352)


def machine(total_gib: float, available_gib: float) -> Memory:
    return Memory(int(total_gib * GIB), int(available_gib * GIB), "a test")


@pytest.mark.parametrize(
    ("shape", "kib_per_token"), [(MINI, 128), (PHI_3, 384), (PHI_4, 200)], ids=["phi-4-mini", "phi-3-mini", "phi-4"]
)
def test_the_cache_per_token_is_as_published(shape: ModelShape, kib_per_token: int) -> None:
    assert plan_memory(shape, context_tokens=4096).kv_bytes == 4096 * kib_per_token * 1024


def test_the_cache_by_type_as_the_engine_reports_it() -> None:
    sizes = [
        plan_memory(MINI, EngineSettings(1, kv_type=name), context_tokens=1024).kv_bytes / MIB for name in KV_TYPE_BYTES
    ]
    assert sizes == [128, 68, 36]


def test_the_context_is_rounded_up_to_256() -> None:
    assert plan_memory(MINI, context_tokens=257).kv_bytes == plan_memory(MINI, context_tokens=512).kv_bytes
    assert plan_memory(MINI, context_tokens=1).kv_bytes == plan_memory(MINI, context_tokens=256).kv_bytes


@pytest.mark.parametrize(("shape", "mib"), [(MINI, 82), (PHI_3, 82), (PHI_4, 159)])
def test_the_compute_buffer_as_measured(shape: ModelShape, mib: int) -> None:
    needed = plan_memory(shape, EngineSettings(1, 512), context_tokens=4096)
    assert needed.compute_bytes / MIB == pytest.approx(mib, abs=0.6)


def test_without_flash_attention_scores_take_space() -> None:
    needed = plan_memory(MINI, EngineSettings(1, 512, flash_attention="off"), context_tokens=4096)
    assert needed.compute_bytes == 4 * 512 * (4096 * 25 + 5 * 3072 + 2 * 8 * 128)


def test_repacking_counts_the_copy() -> None:
    plain = plan_memory(MINI, context_tokens=4096)
    packed = plan_memory(MINI, EngineSettings(1, repack=True), context_tokens=4096)
    assert packed.total_bytes - plain.total_bytes == packed.repack_bytes == MINI.repackable_bytes
    parts = (plain.weights_bytes, plain.kv_bytes, plain.compute_bytes, plain.repack_bytes, plain.overhead_bytes)
    assert sum(parts) == plain.total_bytes


def test_what_is_kept_free() -> None:
    assert usable_bytes(machine(8, 6)) == 6 * GIB - 512 * MIB
    assert usable_bytes(machine(64, 60)) == 60 * GIB - int(64 * GIB * 0.05)
    assert usable_bytes(machine(0.5, 0.5)) == 256 * MIB
    assert usable_bytes(machine(8, 0)) == 0


def test_the_largest_context_is_the_last_that_fits() -> None:
    for available in (2, 2.9, 3.3, 4, 8, 12, 30):
        memory = machine(32, available)
        found = largest_context_that_fits(MINI, memory, at_most=131_072)
        assert found % 256 == 0
        if found:
            assert plan_memory(MINI, context_tokens=found).total_bytes <= usable_bytes(memory)
        if found < 131_072:
            assert plan_memory(MINI, context_tokens=found + 1).total_bytes > usable_bytes(memory)
    assert largest_context_that_fits(MINI, machine(32, 2), at_most=4096) == 0
    assert largest_context_that_fits(MINI, machine(32, 30), at_most=1000) == 1000
    assert largest_context_that_fits(MINI, machine(32, 30), at_most=0) == 0


def test_what_fits_passes_and_an_unknown_machine_passes() -> None:
    needed = plan_memory(MINI, context_tokens=4096)
    check_fits(needed, machine(8, 6), model="phi-4-mini", context_tokens=4096)
    check_fits(needed, None, model="phi-4-mini", context_tokens=4096)


def test_the_border_is_exact() -> None:
    needed = plan_memory(MINI, context_tokens=4096)
    enough = Memory(8 * GIB, needed.total_bytes + 512 * MIB, "a test")
    check_fits(needed, enough, model="m", context_tokens=4096)
    with pytest.raises(DoesNotFitError):
        check_fits(needed, replace(enough, available_bytes=enough.available_bytes - 1), model="m", context_tokens=4096)


def test_what_does_not_fit_says_the_sums_and_a_smaller_context() -> None:
    memory = machine(8, 6)
    needed = plan_memory(MINI, context_tokens=131_072)
    fitting = largest_context_that_fits(MINI, memory, at_most=131_072)
    with pytest.raises(DoesNotFitError) as caught:
        check_fits(needed, memory, model="my model.gguf", context_tokens=131_072, fitting_context=fitting)
    error = caught.value
    assert error.exit_code == 5
    assert "weights 2.31 GiB" in error.message
    assert "131,072 tokens of KV cache 16.00 GiB" in error.message
    assert "a test" in error.message
    assert error.hint_for("chat").endswith(f"phi chat 'my model.gguf' --context {fitting}")
    assert error.data is not None
    assert error.data["total_bytes"] == needed.total_bytes
    assert error.data["usable_bytes"] == usable_bytes(memory)
    assert error.data["fitting_context_tokens"] == fitting


@pytest.mark.parametrize(
    ("available_gib", "model", "proposed"),
    [(1, "phi-4", "tiny-phi"), (4, "phi-4", "phi-4-mini"), (4, "phi-4-mini:q8_0", "tiny-phi"), (14, "moe", "phi-4")],
)
def test_a_smaller_model_is_proposed(available_gib: float, model: str, proposed: str) -> None:
    huge = plan_memory(replace(MINI, weights_bytes=40 * GIB), EngineSettings(1, repack=True), context_tokens=4096)
    with pytest.raises(DoesNotFitError) as caught:
        check_fits(huge, machine(16, available_gib), model=model, context_tokens=4096)
    assert caught.value.hint_for("chat").endswith(f"phi chat {proposed}")
    assert "repacked" in caught.value.message


@pytest.mark.parametrize(("available_gib", "model"), [(0.1, "phi-4"), (0.1, "tiny-phi"), (1, "tiny-phi")])
def test_a_smaller_model_is_not_proposed_where_none_fits(available_gib: float, model: str) -> None:
    huge = plan_memory(replace(MINI, weights_bytes=40 * GIB), EngineSettings(1), context_tokens=4096)
    with pytest.raises(DoesNotFitError) as caught:
        check_fits(huge, machine(16, available_gib), model=model, context_tokens=4096)
    assert caught.value.hint_for("bench").endswith(f"phi bench {model} --no-memory-check")


def header(**changed: object) -> GgufHeader:
    tensors = tuple(
        TensorInfo(name, (256, 4), 12, kind, 0, 576)
        for name, kind in [("token_embd.weight", "Q4_K"), ("blk.0.ffn_up.weight", "Q4_K"), ("x.weight", "Q6_K")]
    )
    base = GgufHeader(
        path=Path("a.gguf"), version=3, architecture="phi3", name=None, file_type=15, quant="Q4_K_M",
        context_length=4096, original_context_length=None, block_count=2, embedding_length=64,
        feed_forward_lengths=(128,), head_counts=(4,), kv_head_counts=(2,), key_length=16, value_length=16,
        expert_count=0, split_count=1, chat_template=None,
        vocabulary=Vocabulary("gpt2", None, 300, {}, 0, 0, None, None, 1),
        tensors=tensors, metadata={}, data_offset=0, weights_bytes=1728, file_size_bytes=2000,
    )  # fmt: skip
    return replace(base, **changed)  # type: ignore[arg-type]


def test_the_shape_of_a_header() -> None:
    assert shape_of(header()) == ModelShape(1728, 576, 2, 64, 128, 4, 4, 16, 16, 300, 4096, "phi3", 576)
    assert shape_of(header(kv_head_counts=(2, 0))).kv_heads_total == 2
    bare = header(
        kv_head_counts=(), head_counts=(), block_count=None, embedding_length=None, key_length=None,
        value_length=None, feed_forward_lengths=(), vocabulary=None, context_length=None,
    )  # fmt: skip
    assert plan_memory(shape_of(bare), context_tokens=100).kv_bytes == 0
