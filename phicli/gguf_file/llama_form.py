"""Maps a Phi-3 file to the tensors of the architecture ``llama``, which programs older than Phi-3 can run.

A ``phi3`` file without LongRoPE computes what a ``llama`` file computes, with its rows in another order: one matrix
holds the rows of query, key and value, another those of gate and up, and a head is rotated in halves (row ``i`` with
row ``i + length / 2``) where ``llama`` rotates neighbors. So bytes of whole rows are moved, and no weight is
quantized again. The order is that of llama.cpp's ``conversion/llama.py`` (``permute``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from phicli.gguf_file.facts import Facts
from phicli.gguf_file.types import GgufHeader, TensorInfo

_ROTATION: Final = ("rope.scaling.type", "rope.scaling.factor", "rope.scaling.attn_factor")
_KNOWN_TYPES: Final = frozenset(
    {"F32", "F16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"}
)
"""Tensor types of ggml in September 2023 (``enum ggml_type``)."""
_OUTER: Final = ("token_embd.weight", "output_norm.weight", "output.weight")
_PLAIN: Final = ("attn_norm", "attn_output", "ffn_norm", "ffn_down")
_FUSED: Final = ("attn_qkv", "ffn_up")


@dataclass(frozen=True, slots=True)
class Piece:
    """A tensor to write: ``rows`` of ``source`` from ``first_row`` on.

    Where ``head_length`` is given, the rows of each head change from halves to neighbors.
    """

    name: str
    source: TensorInfo
    first_row: int
    rows: int
    head_length: int | None = None

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.source.size_bytes // _rows_of(self.source)

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole tensor."""
        return self.rows * self.row_bytes

    @property
    def shape(self) -> tuple[int, ...]:
        """The fastest dimension first, as in :class:`~phicli.gguf_file.types.TensorInfo`."""
        return self.source.shape[:1] if len(self.source.shape) == 1 else (self.source.shape[0], self.rows)


def why_not_llama(header: GgufHeader) -> str | None:
    """Why the file cannot be written in the tensors of ``llama``, as the rest of a sentence; None where it can."""
    vocabulary, metadata = header.vocabulary, header.metadata
    if header.architecture != "phi3":
        return f"its architecture is {header.architecture}"
    if header.split_count > 1:
        return f"it is split into {header.split_count} files"
    if any(tensor.name.startswith("rope_factors") for tensor in header.tensors) or any(
        f"phi3.{key}" in metadata for key in _ROTATION
    ):
        return "it uses LongRoPE"
    if vocabulary is None or vocabulary.model != "llama":
        return "its vocabulary is not a SentencePiece vocabulary"
    newer = sorted({tensor.type_name for tensor in header.tensors} - _KNOWN_TYPES)
    if newer:
        return f"its tensors have the type {', '.join(newer)}, which is newer than the engine"
    return None if _has_usual_layout(header) else "its tensors are not arranged as in Phi-3-mini and Phi-3-medium"


def llama_pieces(header: GgufHeader) -> Iterator[Piece]:
    """The tensors to write for a file of which :func:`why_not_llama` says None, in the order of the model."""
    tensors = {tensor.name: tensor for tensor in header.tensors}
    for name in _OUTER:
        yield _whole(tensors[name])
    for layer in range(header.block_count or 0):
        for name in _PLAIN:
            yield _whole(tensors[f"blk.{layer}.{name}.weight"])
        yield from _attention(header, tensors[f"blk.{layer}.attn_qkv.weight"], layer)
        fused = tensors[f"blk.{layer}.ffn_up.weight"]
        half = _rows_of(fused) // 2
        yield Piece(f"blk.{layer}.ffn_gate.weight", fused, 0, half)
        yield Piece(f"blk.{layer}.ffn_up.weight", fused, half, half)


def _attention(header: GgufHeader, fused: TensorInfo, layer: int) -> Iterator[Piece]:
    length = header.key_length or 0
    query, key = header.head_counts[0] * length, header.kv_head_counts[0] * length
    yield Piece(f"blk.{layer}.attn_q.weight", fused, 0, query, length)
    yield Piece(f"blk.{layer}.attn_k.weight", fused, query, key, length)
    yield Piece(f"blk.{layer}.attn_v.weight", fused, query + key, key)


def _whole(tensor: TensorInfo) -> Piece:
    return Piece(tensor.name, tensor, 0, _rows_of(tensor))


def _rows_of(tensor: TensorInfo) -> int:
    return 1 if len(tensor.shape) < 2 else tensor.shape[1]


def _has_usual_layout(header: GgufHeader) -> bool:
    """Whether names and shapes are exactly those that :func:`llama_pieces` takes apart."""
    layers, width, length = header.block_count or 0, header.embedding_length, header.key_length or 0
    heads, kv_heads, forward = header.head_counts, header.kv_head_counts, header.feed_forward_lengths
    if not (layers and width and len(heads) == len(kv_heads) == len(forward) == 1 and length % 2 == 0):
        return False
    if len(header.tensors) != len(_OUTER) + layers * (len(_PLAIN) + len(_FUSED)):
        return False
    inner = [f"blk.{layer}.{name}.weight" for layer in range(layers) for name in (*_PLAIN, *_FUSED)]
    if {tensor.name for tensor in header.tensors} != {*_OUTER, *inner}:
        return False
    shapes = {
        "attn_norm": (width,),
        "ffn_norm": (width,),
        "attn_output": (width, width),
        "ffn_down": (forward[0], width),
        "attn_qkv": (width, (heads[0] + 2 * kv_heads[0]) * length),
        "ffn_up": (width, 2 * forward[0]),
    }
    rotated = Facts(header.metadata).whole("phi3.rope.dimension_count")
    return (
        rotated in (None, length)
        and header.value_length == length
        and heads[0] * length == width
        and kv_heads[0] > 0
        and heads[0] % kv_heads[0] == 0
        and all(
            tensor.shape == shapes[tensor.name.split(".")[2]]
            for tensor in header.tensors
            if tensor.name.startswith("blk.")
        )
    )
