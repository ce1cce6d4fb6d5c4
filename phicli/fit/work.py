"""How much work one token is: the bytes that are read and the parameters that are multiplied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from phicli.fit.memory import KV_TYPE_BYTES
from phicli.fit.types import Candidate

BYTES_PER_WEIGHT: Final[Mapping[str, float]] = MappingProxyType(
    {
        "IQ1": 0.20,
        "IQ2": 0.29,
        "IQ3": 0.43,
        "IQ4": 0.54,
        "Q2": 84 / 256,
        "Q3": 110 / 256,
        "Q4": 144 / 256,
        "Q5": 176 / 256,
        "Q6": 210 / 256,
        "Q8": 34 / 32,
        "F16": 2.0,
        "BF16": 2.0,
        "F32": 4.0,
    }
)
"""Beginning of a quantization's name → bytes per weight of its base type (``ggml-common.h``; rounded for IQ)."""

_USUAL_BYTES_PER_WEIGHT: Final = 0.6
_WHOLE: Final = ("Q8", "F16", "BF16", "F32")
"""Quantizations whose output matrix has their own type; the others give it six bits (``llama-quant.cpp``)."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one token costs, summed over the layers; of a mixture only the experts that a token passes.

    ``head`` is the output matrix. ``kv_bytes_per_token``, or so many elements, are read for every token that is in the
    context;
    ``attention_flops_per_token`` is computed for each.
    """

    layers: int
    layer_bytes: float
    head_bytes: float
    layer_parameters: float
    head_parameters: float
    kv_bytes_per_token: float
    kv_elements_per_token: float
    attention_flops_per_token: float


def base_bytes_per_weight(quant: str) -> float:
    """Bytes per weight of the type that most matrices of a ``quant`` file have."""
    name = quant.upper().removeprefix("UD-")
    found = [size for start, size in BYTES_PER_WEIGHT.items() if name.startswith(start)]
    return found[0] if found else _USUAL_BYTES_PER_WEIGHT


def head_bytes_per_weight(quant: str) -> float:
    """Bytes per weight of the output matrix: six bits, or more in files that have more everywhere."""
    return base_bytes_per_weight(quant) if quant.upper().startswith(_WHOLE) else BYTES_PER_WEIGHT["Q6"]


def work_of(candidate: Candidate, kv_type: str = "f16") -> Work:
    """The work of one token of ``candidate`` with a cache of ``kv_type``.

    The token embedding is not counted unless it is the output matrix as well: one row of it is read. It is looked up
    and never multiplied, so prefill counts the layers alone: the output matrix is used once a prompt.
    """
    shape = candidate.shape
    embedding, head = _matrices(candidate)
    lengths = shape.key_length + shape.value_length
    return Work(
        layers=shape.layers,
        layer_bytes=max(shape.weights_bytes - head - embedding, 0.0) * _active_share(candidate, embedding + head),
        head_bytes=min(head, float(shape.weights_bytes)),
        layer_parameters=_layer_parameters(candidate),
        head_parameters=float(shape.vocabulary * shape.embedding),
        kv_bytes_per_token=shape.kv_heads_total * lengths * KV_TYPE_BYTES.get(kv_type, 2.0),
        kv_elements_per_token=float(shape.kv_heads_total * lengths),
        attention_flops_per_token=2.0 * shape.heads * lengths * shape.layers,
    )


def _matrices(candidate: Candidate) -> tuple[float, float]:
    """Bytes of an embedding that is nothing else, and of the output matrix; from the usual types if it is unknown."""
    shape, dimensions = candidate.shape, candidate.variant.dimensions
    if shape.embedding_bytes:
        own = float(shape.embedding_bytes)
        return (own, float(shape.output_bytes)) if shape.output_bytes else (0.0, own)
    weights = shape.vocabulary * shape.embedding
    tied = dimensions is not None and dimensions.tied
    embedding = 0.0 if tied else weights * base_bytes_per_weight(candidate.quant)
    return embedding, weights * head_bytes_per_weight(candidate.quant)


def _active_share(candidate: Candidate, matrices: float) -> float:
    """The part of the layers' bytes that a token passes: 1 for a dense model.

    From the bytes of the experts where they are known, else from the published parameters, else all are experts.
    """
    shape, variant, dimensions = candidate.shape, candidate.variant, candidate.variant.dimensions
    if dimensions is None or not dimensions.experts:
        return 1.0
    used = dimensions.experts_used / dimensions.experts
    if shape.expert_bytes:
        return 1 - shape.expert_bytes * (1 - used) / max(shape.weights_bytes - matrices, shape.expert_bytes)
    outside = dimensions.vocabulary * dimensions.hidden * (1 if dimensions.tied else 2)
    if variant.active_parameters:
        return max(variant.active_parameters - outside, 1) / max(variant.parameters - outside, 1)
    return used


def _layer_parameters(candidate: Candidate) -> float:
    """Weights that a token is multiplied with in all layers; the published count where the dimensions do not say.

    A feed-forward block has three matrices, in ``phi2`` (which has no gate) two.
    """
    shape, variant = candidate.shape, candidate.variant
    dimensions = variant.dimensions
    inner = shape.feed_forward or (dimensions.feed_forward if dimensions else 0) or 0
    if not inner:
        matrices = shape.vocabulary * shape.embedding * (1 if dimensions is not None and dimensions.tied else 2)
        return float(max((variant.active_parameters or variant.parameters) - matrices, 0))
    experts = dimensions.experts_used if dimensions is not None and dimensions.experts else 1
    matrix = shape.embedding * inner * shape.layers
    queries = 2 * shape.embedding * shape.heads * shape.key_length * shape.layers
    keys = shape.embedding * shape.kv_heads_total * (shape.key_length + shape.value_length)
    return float(queries + keys + matrix * (2 if variant.architecture == "phi2" else 3) * experts)
