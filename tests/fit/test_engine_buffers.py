"""The memory model against the engine: buffers of skeleton files as llama.cpp's own log tells them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest

from benchmarks.accuracy_buffers import predict, skeleton
from benchmarks.engine_buffers import MIB, Load, buffers
from phicli.catalog.load import catalog
from phicli.doctor.machine_check import ask_with_kernels
from phicli.fit.memory import takes_kv_type
from phicli.fit.repacking import AVX2_TYPES, repacked_by
from phicli.fit.shape import ModelShape, shape_of
from phicli.gguf_file.adapter import read_adapter
from phicli.gguf_file.header import read_header
from phicli.gguf_file.recipe import recipe_sum
from tests.support.kernels import native_module

BOOK = {variant.id: variant for variant in catalog().variants}
LAYERS = 2
VOCABULARY = 8192
"""Far fewer than the true ones: no buffer but the weights depends on them, and they take time to load."""


def small(folder: Path, variant_id: str, quant: str) -> Path:
    variant = BOOK[variant_id]
    assert variant.dimensions is not None
    few = replace(variant, dimensions=replace(variant.dimensions, vocabulary=VOCABULARY))
    return skeleton(folder, few, quant, LAYERS)


@pytest.mark.process
@pytest.mark.parametrize(
    ("variant_id", "quant", "context", "kv_type", "flash", "batch", "repack"),
    [
        ("phi-4-mini", "Q4_K_M", 4096, "f16", True, 128, True),
        ("phi-4-mini", "Q8_0", 8192, "q8_0", True, 128, False),
        ("phi-4-mini", "Q3_K_M", 2048, "f16", False, 512, True),
        ("phi-3-mini-4k", "Q4_K_M", 1000, "f16", False, 128, False),
        ("phi-4", "Q4_K_M", 1024, "f16", False, 128, False),
        ("phi-4", "Q6_K", 4096, "q8_0", True, 512, False),
        ("phi-3.5-moe", "Q3_K_M", 4096, "f16", True, 128, False),
        ("phi-3.5-moe", "Q2_K", 1024, "f16", False, 128, True),
        ("phi-2", "Q4_0", 2048, "f16", True, 128, True),
        ("phi-2", "Q8_0", 2048, "f16", False, 128, True),
        ("phi-4-mini", "Q5_K_M", 512, "f16", True, 128, True),
        ("phi-4-mini", "IQ4_NL", 512, "f16", True, 128, True),
        ("phi-4-mini", "Q2_K", 512, "f16", True, 128, True),
        ("phi-1.5", "Q4_K_M", 2048, "q8_0", True, 128, False),
    ],
)
def test_predicted_buffers_are_those_of_the_engine(
    tmp_path: Path, variant_id: str, quant: str, context: int, kv_type: str, flash: bool, batch: int, repack: bool
) -> None:
    path, module = small(tmp_path, variant_id, quant), native_module()
    repacked = repacked_by(ask_with_kernels(module).kernels) if module else AVX2_TYPES
    load = Load(str(path), context, kv_type, flash, batch, repack, str(module or ""))
    said, expected = buffers(load), predict(shape_of(read_header(path), repacked=repacked), load)
    assert expected.kv_bytes == pytest.approx(said.kv_bytes, abs=0.02 * MIB)
    assert expected.repack_bytes == pytest.approx(said.repack_bytes, abs=0.02 * MIB)
    assert expected.compute_bytes == pytest.approx(said.compute_bytes, rel=0.01, abs=0.1 * MIB)
    if not repack:  # then less of the file stays mapped
        assert expected.weights_bytes == pytest.approx(said.weights_bytes, abs=0.02 * MIB)


def write_adapter(path: Path, variant_id: str, module: str) -> Path:
    """An adapter of rank 16 for one matrix of each layer of :func:`small`."""
    sizes = BOOK[variant_id].dimensions
    assert sizes is not None
    assert sizes.feed_forward is not None
    heads = (sizes.heads + 2 * sizes.kv_heads) * sizes.head_size
    inputs, outputs = (sizes.hidden, 2 * sizes.feed_forward if module == "ffn_up" else heads)
    writer = gguf.GGUFWriter(path, "phi3")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    for layer in range(LAYERS):
        writer.add_tensor(f"blk.{layer}.{module}.weight.lora_a", np.zeros((16, inputs), np.float32))
        writer.add_tensor(f"blk.{layer}.{module}.weight.lora_b", np.zeros((outputs, 16), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.process
@pytest.mark.parametrize(("variant_id", "context", "flash"), [("phi-4-mini", 1024, True), ("phi-4", 4096, False)])
def test_predicted_buffers_with_an_adapter(tmp_path: Path, variant_id: str, context: int, flash: bool) -> None:
    path, adapter = small(tmp_path, variant_id, "Q8_0"), write_adapter(tmp_path / "a.gguf", variant_id, "ffn_up")
    header = read_adapter(adapter)
    shape = replace(shape_of(read_header(path)), adapter_bytes=header.size_bytes)
    load = Load(str(path), context, flash_attention=flash, adapter=str(adapter))
    said, expected = buffers(load), predict(shape, load)
    assert expected.compute_bytes == pytest.approx(said.compute_bytes, rel=0.01, abs=0.1 * MIB)
    assert expected.adapter_bytes == pytest.approx(said.adapter_bytes, abs=0.02 * MIB)


@pytest.mark.process
def test_a_cache_type_that_the_engine_refuses_is_known(tmp_path: Path) -> None:
    path = small(tmp_path, "phi-2", "Q4_K_M")
    shape = shape_of(read_header(path))
    assert not takes_kv_type(shape, "q8_0")
    assert takes_kv_type(shape, "f16")
    with pytest.raises(RuntimeError, match="failed to create_context"):
        buffers(Load(str(path), 512, "q8_0"))


@pytest.mark.parametrize("variant_id", ["phi-4-mini", "phi-4", "phi-3.5-moe", "phi-2"])
def test_a_skeleton_has_the_weights_of_the_recipe_and_takes_no_disk(tmp_path: Path, variant_id: str) -> None:
    path = small(tmp_path, variant_id, "Q4_K_M")
    variant, shape = BOOK[variant_id], shape_of(read_header(path))
    assert variant.architecture is not None
    assert variant.dimensions is not None
    few = replace(variant.dimensions, vocabulary=VOCABULARY, layers=LAYERS)
    recipe = recipe_sum(variant.architecture, few, "Q4_K_M")
    assert shape.weights_bytes == pytest.approx(recipe.weights_bytes, abs=1024)  # the factors of LongRoPE
    assert shape.repackable_bytes == recipe.bytes_in(AVX2_TYPES)
    assert path.stat().st_size > recipe.weights_bytes
    if hasattr(path.stat(), "st_blocks"):
        assert path.stat().st_blocks * 512 < 8 * MIB


def test_adapters_are_anonymous_memory_and_go_where_their_layers_are() -> None:
    from phicli.fit.memory import plan_memory

    shape = ModelShape(2400, 0, 4, 8, 16, 2, 4, 4, 4, 10, 4096, "phi3", 200, 200)
    beside = replace(shape, adapter_bytes=1000)
    none, some = plan_memory(shape, context_tokens=256), plan_memory(beside, context_tokens=256)
    added = 1000 + some.compute_bytes - none.compute_bytes
    assert some.must_have_bytes - none.must_have_bytes == some.total_bytes - none.total_bytes == added
    half = plan_memory(beside, context_tokens=256, gpu_layers=3)
    assert (half.gpu_adapter_bytes, half.beside_gpu.adapter_bytes) == (500, 500)
    assert half.resident_bytes + half.gpu_bytes == half.total_bytes
    assert half.beside_gpu.total_bytes == half.resident_bytes


def test_layers_on_the_gpu_leave_main_memory() -> None:
    from phicli.fit.memory import plan_memory

    shape = ModelShape(2400, 0, 4, 8, 16, 2, 4, 4, 4, 10, 4096, "phi3", 200, 200)
    none = plan_memory(shape, context_tokens=256)
    half = plan_memory(shape, context_tokens=256, gpu_layers=3)  # the output and two of four layers
    whole = plan_memory(shape, context_tokens=256, gpu_layers=99)
    assert none.gpu_bytes == 0
    assert (half.gpu_weights_bytes, half.gpu_kv_bytes) == (1200, none.kv_bytes // 2)
    assert (whole.gpu_weights_bytes, whole.gpu_kv_bytes) == (2200, none.kv_bytes)
    assert none.reclaimable_bytes - whole.reclaimable_bytes == 2200  # the embedding stays
    assert whole.must_have_bytes + whole.reclaimable_bytes - 200 == whole.overhead_bytes + none.compute_bytes
    for planned in (none, half, whole):
        assert planned.resident_bytes + planned.gpu_bytes == planned.total_bytes
