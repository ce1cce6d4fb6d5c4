"""How many bytes and weights a GGUF file of given dimensions has, tensor by tensor.

The recipes are those of llama.cpp's ``llama-quant.cpp`` as of spring 2025, when the catalogue's files were made:
``use_more_bits`` for the first and last eighth of the layers and every third between, and a rule of its own for
``attn_qkv``, which later versions treat as ``attn_v``. The suffix ``_L`` is bartowski's: the smaller recipe with
embedding and output in Q8_0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from phicli.catalog.types import Dimensions
from phicli.gguf_file.ggml_types import TENSOR_TYPES

BASES = {
    "Q2_K": "Q2_K", "Q3_K_S": "Q3_K", "Q3_K_M": "Q3_K", "Q3_K_L": "Q3_K", "Q4_0": "Q4_0", "Q4_K_S": "Q4_K",
    "Q4_K_M": "Q4_K", "Q5_0": "Q5_0", "Q5_K_S": "Q5_K", "Q5_K_M": "Q5_K", "Q6_K": "Q6_K", "Q8_0": "Q8_0",
    "IQ4_XS": "IQ4_XS", "F16": "F16", "BF16": "BF16",
}  # fmt: skip
RAISED = {
    ("Q2_K", "attn_output"): "Q3_K", ("Q2_K", "ffn_down"): "Q3_K", ("Q3_K_M", "attn_qkv"): "Q4_K",
    ("Q3_K_M", "attn_output"): "Q4_K", ("Q3_K_L", "attn_qkv"): "Q4_K", ("Q3_K_L", "attn_v"): "Q5_K",
    ("Q3_K_L", "attn_output"): "Q5_K", ("Q3_K_L", "ffn_down"): "Q5_K", ("Q4_K_M", "attn_qkv"): "Q5_K",
    ("Q5_K_M", "attn_qkv"): "Q6_K",
}  # fmt: skip
LARGE = {"Q2_K_L": "Q2_K", "Q5_K_L": "Q5_K_M", "Q6_K_L": "Q6_K"}
QUANTS = (*BASES, *LARGE)


@dataclass(frozen=True)
class Tensor:
    """A tensor of ``elements`` weights; ``kind`` is its name without number and suffix."""

    kind: str
    elements: int
    layer: int = 0


def weight_count(architecture: str, shape: Dimensions, *, active: bool = False) -> int:
    """All weights of the model, or with ``active`` those that one token passes (embedding included)."""
    total = 0
    for tensor in tensors(architecture, shape):
        part = shape.experts_used / shape.experts if active and tensor.kind.endswith("_exps") else 1
        total += round(tensor.elements * part)
    return total


def file_bytes(architecture: str, shape: Dimensions, quant: str) -> int:
    """Bytes of all tensors; the file has a header of some megabytes before them."""
    return sum(_size(tensor, shape, quant) for tensor in tensors(architecture, shape))


def tensors(architecture: str, shape: Dimensions) -> Iterator[Tensor]:
    """The tensors that llama.cpp's converter writes for ``phi2``, ``phi3`` and ``phimoe``."""
    biased = architecture != "phi3"
    yield Tensor("token_embd", shape.vocabulary * shape.hidden)
    yield Tensor("f32", shape.hidden * (2 if biased else 1))
    if not shape.tied:
        yield Tensor("output", shape.vocabulary * shape.hidden)
        if biased:
            yield Tensor("f32", shape.vocabulary)
    for layer in range(shape.layers):
        for tensor in _layer(architecture, shape, biased=biased):
            yield Tensor(tensor.kind, tensor.elements, layer)


def _layer(architecture: str, shape: Dimensions, *, biased: bool) -> Iterator[Tensor]:
    query, key = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    inner = shape.feed_forward
    assert inner is not None
    widths = {"attn_output": (shape.hidden, query)}
    if architecture == "phimoe":
        widths |= {"attn_q": (query, shape.hidden), "attn_k": (key, shape.hidden), "attn_v": (key, shape.hidden)}
    else:
        widths |= {"attn_qkv": (query + 2 * key, shape.hidden)}
    bias = sum(out for out, _ in widths.values())
    if architecture == "phimoe":
        for kind in ("ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"):
            widths[kind] = (shape.experts * inner, shape.hidden)
        yield Tensor("f32", shape.experts * shape.hidden)  # ffn_gate_inp
    else:
        up = inner * (1 if architecture == "phi2" else 2)
        widths |= {"ffn_up": (up, shape.hidden), "ffn_down": (shape.hidden, inner)}
        bias += up + shape.hidden
    for kind, dimensions in widths.items():
        yield Tensor(kind, math.prod(dimensions))
    norms = 1 if architecture == "phi2" else 2
    yield Tensor("f32", norms * shape.hidden * (2 if biased else 1) + (bias if biased else 0))


def _size(tensor: Tensor, shape: Dimensions, quant: str) -> int:
    name = _type(tensor, shape, quant)
    block, block_bytes = next((block, size) for known, block, size in TENSOR_TYPES.values() if known == name)
    assert tensor.elements % block == 0, tensor
    return tensor.elements // block * block_bytes


def _type(tensor: Tensor, shape: Dimensions, quant: str) -> str:
    if tensor.kind == "f32":
        return "F32"
    base = BASES[LARGE.get(quant, quant)]
    if base in ("F16", "BF16", "Q8_0"):
        return base
    if quant in LARGE and tensor.kind in ("token_embd", "output"):
        return "Q8_0"
    if tensor.kind == "output" or (tensor.kind == "token_embd" and shape.tied):
        return "Q6_K"
    return _raised(LARGE.get(quant, quant), tensor.kind.removesuffix("_exps"), tensor.layer, shape) or base


def _raised(quant: str, kind: str, layer: int, shape: Dimensions) -> str | None:
    """The better type that a recipe gives to some kinds of tensors, in some layers only."""
    match quant, kind:
        case "Q2_K", "attn_v":
            return "Q4_K" if shape.heads // shape.kv_heads >= 4 else "Q3_K"
        case "Q3_K_M", "attn_v":
            return "Q5_K" if layer < 2 else "Q4_K"
        case "Q3_K_M", "ffn_down":
            return "Q5_K" if layer < shape.layers // 16 else "Q4_K"
        case "Q4_K_S", "ffn_down":
            return "Q5_K" if layer < shape.layers // 8 else None
        case "Q4_K_M" | "Q5_K_M", "attn_v" | "ffn_down":
            return "Q6_K" if _more_bits(layer, shape.layers) else None
    return RAISED.get((quant, kind))


def _more_bits(layer: int, layers: int) -> bool:
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2
