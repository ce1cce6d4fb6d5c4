"""What tiny-phi computes, written once more with NumPy: nothing of llama.cpp is in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]

_HEADS, _KV_HEADS, _HEAD, _ROTARY = 4, 2, 32, 24
_BASE, _EPSILON = 10_000.0, 1e-5
_ORIGINAL_CONTEXT = 256


class TinyPhi:
    """Args: the file, whose tensors may be of any type, and the context that the engine would be loaded with."""

    def __init__(self, path: Path, context_tokens: int) -> None:
        reader = gguf.GGUFReader(path)
        self._tensors: dict[str, Array] = {
            tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float64)
            for tensor in reader.tensors
        }
        factors = "long" if context_tokens > _ORIGINAL_CONTEXT else "short"
        powers = _BASE ** (np.arange(0, _ROTARY, 2) / _ROTARY)
        self._frequencies: Array = 1 / (powers * self._tensors[f"rope_factors_{factors}.weight"])
        self._scale = float(reader.fields["phi3.rope.scaling.attn_factor"].contents())
        self._layers = int(reader.fields["phi3.block_count"].contents())

    def log_probabilities(self, ids: Sequence[int]) -> Array:
        """A row for each of ``ids``: the natural logarithms of the probabilities of all tokens after it."""
        embeddings = self._tensors["token_embd.weight"]
        x = embeddings[list(ids)]
        for layer in range(self._layers):
            x = x + self._attention(layer, self._normed(x, f"blk.{layer}.attn_norm"))
            x = x + self._feed_forward(layer, self._normed(x, f"blk.{layer}.ffn_norm"))
        logits: Array = self._normed(x, "output_norm") @ embeddings.T
        logits = logits - logits.max(axis=1, keepdims=True)
        found: Array = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return found

    def _normed(self, x: Array, name: str) -> Array:
        found: Array = x / np.sqrt((x * x).mean(axis=1, keepdims=True) + _EPSILON) * self._tensors[f"{name}.weight"]
        return found

    def _attention(self, layer: int, x: Array) -> Array:
        length = len(x)
        qkv = x @ self._tensors[f"blk.{layer}.attn_qkv.weight"].T
        ends = [_HEADS * _HEAD, (_HEADS + _KV_HEADS) * _HEAD]
        q, k, v = (part.reshape(length, -1, _HEAD).swapaxes(0, 1) for part in np.split(qkv, ends, axis=1))
        q, k = self._rotated(q), self._rotated(k)
        k, v = (np.repeat(part, _HEADS // _KV_HEADS, axis=0) for part in (k, v))
        scores = q @ k.swapaxes(1, 2) / np.sqrt(_HEAD)
        scores = np.where(np.tril(np.ones((length, length), dtype=bool)), scores, -np.inf)
        weights = np.exp(scores - scores.max(axis=2, keepdims=True))
        weights = weights / weights.sum(axis=2, keepdims=True)
        mixed = (weights @ v).swapaxes(0, 1).reshape(length, -1)
        found: Array = mixed @ self._tensors[f"blk.{layer}.attn_output.weight"].T
        return found

    def _rotated(self, heads: Array) -> Array:
        angles = np.arange(heads.shape[1])[:, None] * self._frequencies[None, :]
        cosine, sine = np.cos(angles) * self._scale, np.sin(angles) * self._scale
        half = _ROTARY // 2
        first, second, rest = heads[..., :half], heads[..., half:_ROTARY], heads[..., _ROTARY:]
        return np.concatenate([first * cosine - second * sine, second * cosine + first * sine, rest], axis=2)

    def _feed_forward(self, layer: int, x: Array) -> Array:
        gate, up = np.split(x @ self._tensors[f"blk.{layer}.ffn_up.weight"].T, 2, axis=1)
        found: Array = (gate / (1 + np.exp(-gate)) * up) @ self._tensors[f"blk.{layer}.ffn_down.weight"].T
        return found
