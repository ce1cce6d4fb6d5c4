"""Which tensor gets which type in a quantised ``phi3`` file, as llama.cpp's quantiser chooses (``llama-quant.cpp``)."""

from __future__ import annotations

from typing import Final

_BASE: Final = {"Q4_K_M": "Q4_K", "Q5_K_M": "Q5_K", "Q6_K": "Q6_K", "Q8_0": "Q8_0", "F16": "F16"}


def tensor_type(quant: str, name: str, *, layer: int, layers: int, tied: bool) -> str:
    """The type of a weight matrix, for example ``Q5_K``.

    Args:
        quant: the file's quantisation, a key of the recipes (``Q4_K_M``, ``Q5_K_M``, ``Q6_K``, ``Q8_0``, ``F16``).
        name: ``token_embd``, ``output``, ``attn_qkv``, ``attn_output``, ``ffn_up`` or ``ffn_down``.
        layer: number of the layer, from 0.
        layers: how many there are.
        tied: whether the embedding is the output matrix as well.
    """
    base = _BASE[quant]
    if quant not in ("Q4_K_M", "Q5_K_M"):
        return base
    if name == "output" or (name == "token_embd" and tied):
        return "Q6_K"
    if name == "attn_qkv":
        return "Q5_K" if quant == "Q4_K_M" else "Q6_K"
    if name == "ffn_down" and _more_bits(layer, layers):
        return "Q6_K"
    return base


def _more_bits(layer: int, layers: int) -> bool:
    """Whether a layer's ``ffn_down`` is worth more bits: the first and last eighth, and every third between."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2
