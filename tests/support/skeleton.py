"""Writes GGUF files of a model's true dimensions without its weights: a header, and nothing where tensors would be.

The tensor data is a hole in the file, so that even a file of 40 GB takes no more disk than its vocabulary. The engine
loads it and reports its buffers as it would for the real one; all weights read as zero, so it says nothing about speed,
and nothing about resident memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import gguf
import numpy as np

from phicli.catalog.types import Dimensions
from phicli.gguf_file.ggml_types import FILE_TYPES
from phicli.gguf_file.recipe import RecipeTensor, tensor_bytes, tensors, type_of
from phicli.gguf_file.synthetic_metadata import add_longrope, add_vocabulary
from phicli.gguf_file.synthetic_vocabulary import synthetic_vocabulary

_ALIGNMENT: Final = 32


def write_skeleton(
    path: Path,
    architecture: str,
    dimensions: Dimensions,
    *,
    quant: str,
    context_tokens: int,
    original_context_tokens: int | None = None,
) -> int:
    """Write a skeleton to ``path`` and return the bytes of its tensors.

    Args:
        path: the file, replaced when it exists.
        architecture: ``phi2``, ``phi3`` or ``phimoe``.
        dimensions: of the model.
        quant: one of ``phicli.gguf_file.recipe.RECIPES``.
        context_tokens: the trained context.
        original_context_tokens: where LongRoPE changes its factors, None without LongRoPE.

    Raises:
        UsageError: there is no recipe for the quantization.
    """
    original = original_context_tokens
    writer = gguf.GGUFWriter(path, architecture)
    total = offset = 0
    try:
        _add_metadata(writer, architecture, dimensions, quant, context_tokens, original)
        for tensor in _all_tensors(architecture, dimensions, longrope=original is not None):
            kind = type_of(tensor, dimensions, quant)
            size = tensor_bytes(tensor, kind)
            # the shape is that of the weights, so the element type given here must not be uint8
            element = np.dtype(np.float32)
            writer.add_tensor_info(tensor.name, tensor.shape, element, size, gguf.GGMLQuantizationType[kind])
            total += size
            offset += -(-size // _ALIGNMENT) * _ALIGNMENT
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        file = (writer.fout or [])[0]  # open since write_header_to_file
        writer.write_padding(file, file.tell())
        file.truncate(file.tell() + offset)
    finally:
        writer.close()
    return total


def _all_tensors(architecture: str, dimensions: Dimensions, *, longrope: bool) -> Iterator[RecipeTensor]:
    yield from tensors(architecture, dimensions)
    if longrope:
        for name in ("rope_factors_long.weight", "rope_factors_short.weight"):
            yield RecipeTensor(name, "f32", (_rotated(architecture, dimensions) // 2,))


def _rotated(architecture: str, dimensions: Dimensions) -> int:
    """Rotated dimensions of a head: 32 in Phi-1 and Phi-2, three quarters in Phi-4-mini, else all.

    Buffers do not depend on it.
    """
    if architecture == "phi2":
        return 32
    return dimensions.head_size * 3 // 4 if dimensions.tied else dimensions.head_size


def _add_metadata(
    writer: gguf.GGUFWriter,
    architecture: str,
    dimensions: Dimensions,
    quant: str,
    context_tokens: int,
    original: int | None,
) -> None:
    file_types = {name: number for number, name in FILE_TYPES.items()}
    writer.add_name("skeleton without weights")
    writer.add_quantization_version(2)
    if quant in file_types:
        writer.add_file_type(file_types[quant])
    writer.add_context_length(context_tokens)
    writer.add_embedding_length(dimensions.hidden)
    writer.add_block_count(dimensions.layers)
    writer.add_feed_forward_length(dimensions.feed_forward or 0)
    writer.add_head_count(dimensions.heads)
    writer.add_head_count_kv(dimensions.kv_heads)
    writer.add_key_length(dimensions.head_size)
    writer.add_value_length(dimensions.head_size)
    writer.add_rope_dimension_count(_rotated(architecture, dimensions))
    writer.add_layer_norm_eps(1e-5)
    writer.add_layer_norm_rms_eps(1e-5)
    if dimensions.experts:
        writer.add_expert_count(dimensions.experts)
        writer.add_expert_used_count(dimensions.experts_used)
    if original:
        add_longrope(writer, context_tokens, original)
    add_vocabulary(writer, synthetic_vocabulary(dimensions.vocabulary))
