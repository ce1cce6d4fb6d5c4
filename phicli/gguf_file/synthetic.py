"""Writes GGUF files with random weights and the true dimensions of a Phi model.

Such a file costs what the model costs: the same bytes are mapped, read and multiplied, so load time, memory and tokens
a second are those of the real one, while its answers are noise. Benchmarks use it where a download of gigabytes is
too much to ask. It needs the ``gguf`` and ``numpy`` packages, which are in the ``dev`` extra.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from phicli.errors import UsageError, disk_full, install_hint, is_disk_full
from phicli.gguf_file.ggml_types import TENSOR_TYPES
from phicli.gguf_file.recipe import tensor_type
from phicli.gguf_file.synthetic_metadata import add_longrope, add_vocabulary
from phicli.gguf_file.synthetic_vocabulary import CHAT_TEMPLATE, synthetic_vocabulary

if TYPE_CHECKING:
    import numpy as np
    from gguf import GGUFWriter

_CHUNK_BYTES: Final = 8 << 20
_FRESH_BYTES: Final = 96 << 20
_DEVIATION: Final = 0.02
_FILE_TYPES: Final = {"F16": 1, "Q8_0": 7, "Q4_K_M": 15, "Q5_K_M": 17, "Q6_K": 18}
_SCALES: Final = {  # where the float16 scales are in a block, and what makes weights of about the wanted deviation
    "Q4_K": ((0, 1 / 190), (2, 7.5 / 190)),
    "Q5_K": ((0, 1 / 390), (2, 15.5 / 390)),
    "Q6_K": ((208, 1 / 1370),),
    "Q8_0": ((0, 1 / 74),),
}


@dataclass(frozen=True, slots=True)
class SyntheticShape:
    """Dimensions of a model of llama.cpp's architecture ``phi3``; ``rope_dimensions`` are rotated of ``head_length``.

    ``original_context_tokens`` of None leaves LongRoPE out.
    """

    name: str
    layers: int
    embedding: int
    feed_forward: int
    heads: int
    kv_heads: int
    head_length: int
    rope_dimensions: int
    vocabulary: int
    tied: bool
    context_tokens: int
    original_context_tokens: int | None = None
    rope_base: float = 10_000.0


PHI_4_MINI: Final = SyntheticShape(
    "Phi 4 Mini shape, random weights", 32, 3072, 8192, 24, 8, 128, 96, 200_064, True, 131_072, 4096
)
PHI_3_MINI: Final = SyntheticShape(
    "Phi 3 Mini shape, random weights", 32, 3072, 8192, 32, 32, 96, 96, 32_064, False, 4096
)


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A tensor to write: ``shape`` as numpy has it (the fastest dimension last)."""

    name: str
    shape: tuple[int, ...]
    type_name: str


def write_synthetic(
    path: Path, shape: SyntheticShape = PHI_4_MINI, *, quant: str = "Q4_K_M", layers: int | None = None, seed: int = 0
) -> int:
    """Write a random-weight file of ``shape`` to ``path`` and return its size in bytes.

    Args:
        path: the file, replaced when it exists; it appears only when it is complete.
        shape: the dimensions.
        quant: ``Q4_K_M``, ``Q5_K_M``, ``Q6_K``, ``Q8_0`` or ``F16``.
        layers: fewer layers than the true number, for quick runs.
        seed: the same seed gives the same bytes.

    Raises:
        UsageError: the ``gguf`` package is missing, or the quantization is not one of these.
        DoesNotFitError: the disk is full.
    """
    _require_packages()
    if quant not in _FILE_TYPES:
        raise UsageError(f"cannot write {quant!r}", f"choose one of {', '.join(_FILE_TYPES)}")
    shape = replace(shape, layers=layers or shape.layers)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _write(partial, shape, quant, seed)
        partial.replace(path)
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise disk_full(after=f": {path} was not written") from None
    finally:
        partial.unlink(missing_ok=True)
    return path.stat().st_size


def _require_packages() -> None:
    try:
        import gguf  # noqa: F401
        import numpy as np  # noqa: F401
    except ImportError as error:
        message = f"writing a random-weight model needs the package {error.name}"
        raise UsageError(message, f"install phi again, {install_hint()}") from None


def _write(path: Path, shape: SyntheticShape, quant: str, seed: int) -> None:
    import gguf
    import numpy as np

    tensors = list(_tensors(shape, quant))
    writer = gguf.GGUFWriter(path, "phi3")
    try:
        _add_metadata(writer, shape, quant, seed)
        for tensor in tensors:
            kind = gguf.GGMLQuantizationType[tensor.type_name]
            # the shape is that of the weights, so the element type given here must not be uint8
            writer.add_tensor_info(tensor.name, tensor.shape, np.dtype(np.float32), _size_bytes(tensor), kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        file = (writer.fout or [])[0]  # open since write_header_to_file
        writer.write_padding(file, file.tell())
        weights = _Weights(shape, seed)
        for tensor in tensors:
            for chunk in weights.of(tensor):
                file.write(chunk)
            writer.write_padding(file, file.tell())
    finally:
        writer.close()


def _tensors(shape: SyntheticShape, quant: str) -> Iterator[_Tensor]:
    kv_width = shape.kv_heads * shape.head_length
    matrices = {
        "attn_qkv": (shape.heads * shape.head_length + 2 * kv_width, shape.embedding),
        "attn_output": (shape.embedding, shape.heads * shape.head_length),
        "ffn_up": (2 * shape.feed_forward, shape.embedding),
        "ffn_down": (shape.embedding, shape.feed_forward),
    }

    def matrix(name: str, dimensions: tuple[int, int], layer: int = 0) -> _Tensor:
        kind = tensor_type(quant, name, layer=layer, layers=shape.layers, tied=shape.tied)
        prefix = "" if name in ("token_embd", "output") else f"blk.{layer}."
        return _Tensor(f"{prefix}{name}.weight", dimensions, kind)

    yield matrix("token_embd", (shape.vocabulary, shape.embedding))
    yield _Tensor("output_norm.weight", (shape.embedding,), "F32")
    if not shape.tied:
        yield matrix("output", (shape.vocabulary, shape.embedding))
    if shape.original_context_tokens:
        yield _Tensor("rope_factors_long.weight", (shape.rope_dimensions // 2,), "F32")
        yield _Tensor("rope_factors_short.weight", (shape.rope_dimensions // 2,), "F32")
    for layer in range(shape.layers):
        yield _Tensor(f"blk.{layer}.attn_norm.weight", (shape.embedding,), "F32")
        yield _Tensor(f"blk.{layer}.ffn_norm.weight", (shape.embedding,), "F32")
        for name, dimensions in matrices.items():
            yield matrix(name, dimensions, layer)


def _size_bytes(tensor: _Tensor) -> int:
    block, block_bytes = _block(tensor.type_name)
    return math.prod(tensor.shape) // block * block_bytes


def _block(type_name: str) -> tuple[int, int]:
    return next((block, size) for name, block, size in TENSOR_TYPES.values() if name == type_name)


class _Weights:
    """Data of tensors: chunks of random blocks, each used more than once, since making them takes longer than writing.

    No two tensors begin at the same chunk, and together the chunks are larger than a processor's cache.
    """

    def __init__(self, shape: SyntheticShape, seed: int) -> None:
        import numpy as np

        self._shape = shape
        self._source = np.random.Generator(np.random.SFC64(seed))
        self._chunks: dict[str, list[memoryview]] = {}

    def of(self, tensor: _Tensor) -> Iterator[bytes | memoryview]:
        """The bytes of ``tensor``, piece by piece."""
        import numpy as np

        if tensor.name.startswith("rope_factors_long"):
            growth = self._shape.context_tokens / (self._shape.original_context_tokens or 1)
            yield np.geomspace(1.0, growth, tensor.shape[0]).astype("<f4").tobytes()
        elif tensor.type_name == "F32":
            yield np.ones(tensor.shape, dtype="<f4").tobytes()
        else:
            left = _size_bytes(tensor)
            while left > 0:
                chunk = self._chunk(tensor.type_name, left)
                yield chunk[:left]
                left -= len(chunk)

    def _chunk(self, type_name: str, wanted_bytes: int) -> memoryview:
        """Whole blocks, of a size that need not be the wanted one."""
        _, block_bytes = _block(type_name)
        known = self._chunks.setdefault(type_name, [])
        if len(known) * _CHUNK_BYTES >= _FRESH_BYTES:
            return known[int(self._source.integers(len(known)))]
        count = min(_CHUNK_BYTES, wanted_bytes) // block_bytes
        fresh = _random_blocks(type_name, count, block_bytes, self._source).cast("B")
        if len(fresh) + block_bytes > _CHUNK_BYTES:
            known.append(fresh)
        return fresh


def _random_blocks(type_name: str, count: int, block_bytes: int, source: np.random.Generator) -> memoryview:
    """``count`` blocks of random bytes whose float16 scales are small and finite."""
    import numpy as np

    if type_name == "F16":
        return (source.standard_normal(count, dtype=np.float32) * _DEVIATION).astype("<f2").data
    words = -(-count * block_bytes // 8)
    blocks = source.integers(0, 1 << 64, words, dtype=np.uint64).view(np.uint8)[: count * block_bytes]
    blocks = blocks.reshape(count, block_bytes)
    for offset, factor in _SCALES[type_name]:
        scale = np.array(_DEVIATION * factor, dtype="<f2")
        blocks[:, offset : offset + 2] = scale.reshape(1).view(np.uint8)
    return blocks.data


def _add_metadata(writer: GGUFWriter, shape: SyntheticShape, quant: str, seed: int) -> None:
    writer.add_name(shape.name)
    writer.add_description("Random weights for measurements: its answers are noise.")
    writer.add_file_type(_FILE_TYPES[quant])
    writer.add_quantization_version(2)
    writer.add_context_length(shape.context_tokens)
    writer.add_embedding_length(shape.embedding)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.rope_dimensions)
    writer.add_rope_freq_base(shape.rope_base)
    original = shape.original_context_tokens
    if original:
        add_longrope(writer, shape.context_tokens, original)
    add_vocabulary(writer, synthetic_vocabulary(shape.vocabulary, seed))
    writer.add_chat_template(CHAT_TEMPLATE)
