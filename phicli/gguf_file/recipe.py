"""Which tensors a Phi model's file has, and which type each of them gets in a quantization.

The tensors are those that llama.cpp's converter writes for the architectures ``phi2``, ``phi3`` and ``phimoe``. The
types are those that its quantizer (``llama-quant.cpp``, ``llama_tensor_get_type_impl``) chose in spring 2025, when most
of the published files were made: ``use_more_bits`` for the first and last eighth of the layers and every third between,
and a rule of its own for ``attn_qkv``, which later versions treat as ``attn_v``. An importance matrix is taken for
granted, as in bartowski's files. The suffixes ``_L`` and ``_XL`` are bartowski's: the recipe below with embedding and
output in Q8_0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from phicli.catalog.types import Dimensions
from phicli.errors import UsageError
from phicli.gguf_file.ggml_types import TENSOR_TYPES

_BASES: Final = {
    "Q2_K": "Q2_K", "Q2_K_S": "Q2_K", "Q3_K_S": "Q3_K", "Q3_K_M": "Q3_K", "Q3_K_L": "Q3_K", "Q4_0": "Q4_0",
    "Q4_1": "Q4_1", "Q4_K_S": "Q4_K", "Q4_K_M": "Q4_K", "Q5_0": "Q5_0", "Q5_1": "Q5_1", "Q5_K_S": "Q5_K",
    "Q5_K_M": "Q5_K", "Q6_K": "Q6_K", "Q8_0": "Q8_0", "IQ3_M": "IQ3_S", "IQ3_S": "IQ3_S", "IQ4_NL": "IQ4_NL",
    "IQ4_XS": "IQ4_XS", "F16": "F16", "BF16": "BF16", "F32": "F32",
}  # fmt: skip
_RAISED: Final = {
    ("Q2_K", "attn_output"): "Q3_K", ("Q2_K", "ffn_down"): "Q3_K", ("Q3_K_M", "attn_qkv"): "Q4_K",
    ("Q3_K_M", "attn_output"): "Q4_K", ("Q3_K_L", "attn_qkv"): "Q4_K", ("Q3_K_L", "attn_v"): "Q5_K",
    ("Q3_K_L", "attn_output"): "Q5_K", ("Q3_K_L", "ffn_down"): "Q5_K", ("Q4_K_M", "attn_qkv"): "Q5_K",
    ("Q5_K_M", "attn_qkv"): "Q6_K", ("IQ3_M", "attn_qkv"): "Q4_K", ("IQ3_M", "attn_v"): "Q4_K",
    ("IQ3_M", "attn_output"): "Q4_K",
}  # fmt: skip
_GROUPED: Final = {
    ("Q2_K", "attn_v"): ("Q4_K", "Q3_K"), ("Q2_K_S", "attn_v"): ("Q4_K", None), ("IQ3_S", "attn_v"): ("Q4_K", None),
    ("IQ4_XS", "attn_v"): ("Q5_K", None), ("IQ4_NL", "attn_v"): ("Q5_K", None),
}  # fmt: skip
"""Type where four heads or more share a key-value head, and else."""
_EARLY_DOWN: Final = {"Q2_K_S": "Q4_K", "IQ3_M": "Q4_K", "Q4_0": "Q4_1", "Q5_0": "Q5_1"}
"""Type of ``ffn_down`` in the first eighth of the layers; of Q4_0 and Q5_0 with an importance matrix only."""
_LARGE: Final = {"Q2_K_L": "Q2_K", "Q3_K_XL": "Q3_K_L", "Q4_K_L": "Q4_K_M", "Q5_K_L": "Q5_K_M", "Q6_K_L": "Q6_K"}
_FALLBACK: Final = {
    "IQ3_S": "IQ4_NL", "IQ4_XS": "IQ4_NL", "Q2_K": "Q4_0", "Q3_K": "Q4_0", "Q4_K": "Q5_0", "Q5_K": "Q5_1",
    "Q6_K": "Q8_0",
}  # fmt: skip
_BLOCKS: Final = {name: (elements, size_bytes) for name, elements, size_bytes in TENSOR_TYPES.values()}
RECIPES: Final = (*_BASES, *_LARGE)
"""The quantizations whose recipe is known."""
_BY_LAYER: Final = ("attn_v", "ffn_down", "ffn_down_exps")
"""Kinds of tensors whose type depends on the layer; the others have one in all of them."""


@dataclass(frozen=True, slots=True)
class RecipeTensor:
    """A tensor of a model; ``shape`` as numpy has it, the fastest dimension last.

    ``kind`` is the name without number and suffix (``attn_qkv``), ``f32`` for what is never quantized.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    layer: int = 0

    @property
    def elements(self) -> int:
        """How many weights it has."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class RecipeSum:
    """Bytes of all tensors of a model, and of parts of them (see ``phicli.fit.shape.ModelShape``).

    ``matrix_bytes`` are those of everything but the token embedding, by type of tensor.
    """

    weights_bytes: int
    embedding_bytes: int = 0
    output_bytes: int = 0
    expert_bytes: int = 0
    matrix_bytes: tuple[tuple[str, int], ...] = ()

    def bytes_in(self, types: Mapping[str, float]) -> int:
        """Bytes of all tensors but the token embedding that have one of ``types``, times the factor that it has."""
        return sum(int(size * types[name]) for name, size in self.matrix_bytes if name in types)

    def scaled(self, factor: float) -> RecipeSum:
        """The same parts of a file that is ``factor`` times as large."""
        return RecipeSum(
            weights_bytes=round(self.weights_bytes * factor),
            embedding_bytes=round(self.embedding_bytes * factor),
            output_bytes=round(self.output_bytes * factor),
            expert_bytes=round(self.expert_bytes * factor),
            matrix_bytes=tuple((name, round(size * factor)) for name, size in self.matrix_bytes),
        )


@cache
def recipe_sum(architecture: str, dimensions: Dimensions, quant: str) -> RecipeSum:
    """Bytes of all tensors of a model in a quantization, and of some parts of them.

    Args:
        architecture: ``phi2``, ``phi3`` or ``phimoe``.
        dimensions: of the model, hashable; ``feed_forward`` must be known.
        quant: one of :data:`RECIPES`.

    Raises:
        UsageError: there is no recipe for the quantization.
    """
    by_type: Counter[str] = Counter()
    by_kind: Counter[str] = Counter()
    for tensor in tensors(architecture, dimensions, layers=min(dimensions.layers, 1)):  # all layers have the same
        times = dimensions.layers if tensor.name.startswith("blk.") else 1
        varies = tensor.kind in _BY_LAYER
        for layer in range(times if varies else 1):
            name = type_of(tensor, dimensions, quant, layer=layer)
            size = tensor_bytes(tensor, name) * (1 if varies else times)
            by_kind[tensor.kind] += size
            if tensor.kind != "token_embd":
                by_type[name] += size
    experts = sum(size for kind, size in by_kind.items() if kind.endswith("_exps"))
    return RecipeSum(by_kind.total(), by_kind["token_embd"], by_kind["output"], experts, tuple(by_type.items()))


def tensor_bytes(tensor: RecipeTensor, type_name: str) -> int:
    """Size of a tensor in the type ``type_name``."""
    elements, size_bytes = _BLOCKS[type_name]
    return tensor.elements // elements * size_bytes


def tensors(architecture: str, dimensions: Dimensions, *, layers: int | None = None) -> Iterator[RecipeTensor]:
    """The tensors of the model, or of its first ``layers``, without the factors of LongRoPE (half a kilobyte)."""
    vocabulary, hidden = dimensions.vocabulary, dimensions.hidden
    biased = architecture != "phi3"
    yield RecipeTensor("token_embd.weight", "token_embd", (vocabulary, hidden))
    yield from _norm("output_norm", hidden, biased=biased)
    if not dimensions.tied:
        yield RecipeTensor("output.weight", "output", (vocabulary, hidden))
        if biased:
            yield RecipeTensor("output.bias", "f32", (vocabulary,))
    for layer in range(dimensions.layers if layers is None else layers):
        prefix = f"blk.{layer}."
        yield from _norm(prefix + "attn_norm", hidden, biased=biased)
        if architecture != "phi2":
            yield from _norm(prefix + "ffn_norm", hidden, biased=biased)
        for kind, shape in _matrices(architecture, dimensions).items():
            yield RecipeTensor(f"{prefix}{kind}.weight", kind, shape, layer)
            if biased and not kind.endswith("_exps"):
                yield RecipeTensor(f"{prefix}{kind}.bias", "f32", shape[:1])
        if architecture == "phimoe":
            yield RecipeTensor(prefix + "ffn_gate_inp.weight", "f32", (dimensions.experts, hidden))


def _norm(name: str, width: int, *, biased: bool) -> Iterator[RecipeTensor]:
    yield RecipeTensor(name + ".weight", "f32", (width,))
    if biased:
        yield RecipeTensor(name + ".bias", "f32", (width,))


def _matrices(architecture: str, dimensions: Dimensions) -> dict[str, tuple[int, ...]]:
    """The weight matrices of a layer."""
    hidden, inner = dimensions.hidden, dimensions.feed_forward or 0
    query, key = dimensions.heads * dimensions.head_size, dimensions.kv_heads * dimensions.head_size
    if architecture == "phimoe":
        wide, narrow = (dimensions.experts, inner, hidden), (dimensions.experts, hidden, inner)
        return {
            "attn_q": (query, hidden), "attn_k": (key, hidden), "attn_v": (key, hidden),
            "attn_output": (hidden, query), "ffn_gate_exps": wide, "ffn_up_exps": wide, "ffn_down_exps": narrow,
        }  # fmt: skip
    return {
        "attn_qkv": (query + 2 * key, hidden),
        "attn_output": (hidden, query),
        "ffn_up": (inner if architecture == "phi2" else 2 * inner, hidden),
        "ffn_down": (hidden, inner),
    }


def type_of(tensor: RecipeTensor, dimensions: Dimensions, quant: str, *, layer: int | None = None) -> str:
    """The type of ``tensor`` in a quantization, for example ``Q5_K``; where rows are not whole blocks, a fallback.

    ``layer`` asks for the same tensor of another layer.

    Raises:
        UsageError: there is no recipe for the quantization.
    """
    if quant not in RECIPES:
        raise UsageError(f"unknown quantization recipe: {quant}", f"choose one of {', '.join(RECIPES)}")
    if tensor.kind == "f32":
        return "F32"
    name = tensor_type(
        quant,
        tensor.kind,
        layer=tensor.layer if layer is None else layer,
        layers=dimensions.layers,
        tied=dimensions.tied,
        grouped=dimensions.heads // dimensions.kv_heads,
    )
    return name if tensor.shape[-1] % _BLOCKS[name][0] == 0 else _FALLBACK[name]


def tensor_type(quant: str, kind: str, *, layer: int, layers: int, tied: bool, grouped: int = 1) -> str:
    """The type that the quantizer wants for a weight matrix.

    Args:
        quant: one of :data:`RECIPES`.
        kind: ``token_embd``, ``output``, ``attn_qkv``, ``attn_output``, ``ffn_up``, ``ffn_down_exps`` and so on.
        layer: number of the layer, from 0.
        layers: how many there are.
        tied: whether the embedding is the output matrix as well.
        grouped: heads that share a key-value head.
    """
    if quant in _LARGE and kind in ("token_embd", "output"):
        return "Q8_0"
    quant = _LARGE.get(quant, quant)
    base = _BASES[quant]
    if base in ("F32", "F16", "BF16", "Q8_0"):
        return base
    if kind == "output" or (kind == "token_embd" and tied):
        return "Q6_K"
    return _raised(quant, kind.removesuffix("_exps"), layer, layers, grouped) or base


def _raised(quant: str, kind: str, layer: int, layers: int, grouped: int) -> str | None:  # noqa: PLR0911
    """The better type that a recipe gives to some kinds of tensors, in some layers only."""
    if (quant, kind) in _GROUPED:
        least, otherwise = _GROUPED[quant, kind]
        return least if grouped >= 4 else otherwise
    match quant, kind:
        case "Q3_K_M", "attn_v":
            return "Q5_K" if layer < 2 else "Q4_K"
        case "Q3_K_M", "ffn_down":
            return "Q5_K" if layer < layers // 16 else "Q4_K"
        case "Q4_K_S", "attn_v" | "ffn_down":
            return "Q5_K" if layer < (4 if kind == "attn_v" else layers // 8) else None
        case "Q2_K_S" | "IQ3_M" | "Q4_0" | "Q5_0", "ffn_down":
            return _EARLY_DOWN[quant] if layer < layers // 8 else None
        case "Q4_K_M" | "Q5_K_M", "attn_v" | "ffn_down":
            return "Q6_K" if _more_bits(layer, layers) else None
    return _RAISED.get((quant, kind))


def _more_bits(layer: int, layers: int) -> bool:
    """Whether a layer is worth more bits: the first and last eighth, and every third between."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2
