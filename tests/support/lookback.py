"""Phi-3 files of which every answer is known without running them, with a wide margin.

The vocabulary is a SentencePiece one. Each generated token is the successor of the token that stands ``LOOKBACK``
places before the last one: attention finds it by its rotation alone, and the gate of the feed-forward part makes the
successor of it. So rotation in halves or pairs, grouped heads, and the order of gate and up all decide the answer.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
import pytest

SPECIALS = ("<|endoftext|>", "<|assistant|>", "<|end|>", "<|user|>", "<|system|>")
_END = "<|end|>"
PAIRS = tuple(left + right for left in "abcdefghijkl" for right in "mnopqrstuv")
LOOKBACK = 3
NEEDS_CTRANSFORMERS = pytest.mark.skipif(
    importlib.util.find_spec("ctransformers") is None, reason="needs the extra: pip install '.[ctransformers]'"
)
_FIRST_SPECIAL = 3 + 256
_FIRST_PAIR = _FIRST_SPECIAL + len(SPECIALS)
_HEAD, _FORWARD = 64, 256
_TOKENS = 768  # benchmarks use ids up to 700
_CONSTANT, _FOUND, _NEXT = 120, 128, 256  # places in the residual stream: tokens begin at 0
_ROTATIONS = 8
Floats = npt.NDArray[np.float32]


def pair_ids() -> range:
    """The token ids whose successors are known."""
    return range(_FIRST_PAIR, _FIRST_PAIR + len(PAIRS))


def expected(prompt: Sequence[int], count: int) -> tuple[int, ...]:
    """The ``count`` tokens after ``prompt``."""
    ids = list(prompt)
    for _ in range(count):
        ids.append((ids[-1 - LOOKBACK] - _FIRST_PAIR + 1) % len(PAIRS) + _FIRST_PAIR)
    return tuple(ids[len(prompt) :])


def vocabulary(words: Sequence[str]) -> tuple[list[str], list[float], list[int]]:
    """Tokens, scores and types: unknown, begin, end, the bytes, special tokens, and ``words``: long ones win."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *SPECIALS, *words]
    types = [2, 3, 3, *[6] * 256, *[3] * len(SPECIALS), *[1] * len(words)]
    scores = [0.0] * _FIRST_PAIR + [float(len(word)) for word in words]
    rest = range(len(tokens), _TOKENS)
    return [*tokens, *(f"<fill{number}>" for number in rest)], scores + [-1e6] * len(rest), types + [5] * len(rest)


def write_lookback(path: Path, *, quant: str = "F16", heads: int = 8, kv_heads: int = 8) -> None:
    """Write such a file.

    Args:
        path: the file.
        quant: a type of ``gguf``; with ``Q4_K`` the types of a Q4_K_M file.
        heads: of 64 dimensions; their number times 64 is at least 512.
        kv_heads: at least 2.
    """
    tokens, scores, types = vocabulary(PAIRS)
    width = heads * _HEAD
    writer = gguf.GGUFWriter(path, "phi3")
    _describe(writer, width, heads, kv_heads, layers=1, forward=_FORWARD)
    _add_vocabulary(writer, tokens, scores, types)
    for name, weights in _lookback_weights(len(tokens), width, heads, kv_heads).items():
        _add(writer, name, weights, quant)
    _finish(writer)


def write_script(path: Path, answer: Sequence[str], *, space_prefix: bool = False) -> None:
    """Write a file that says ``answer`` after ``<|assistant|>``: each token decides the next one.

    The pieces of ``answer``, among which bytes can be (``<0xF0>``), are different from each other. ``▁`` stands for a
    space, and with ``space_prefix`` every text begins with one.
    """
    words = [piece for piece in answer if piece not in vocabulary(())[0]]
    merges = [piece[:length] for piece in words for length in range(2, len(piece) + 1)]
    words = list(dict.fromkeys([*merges, *(piece for piece in words if len(piece) == 1)]))
    tokens, scores, types = vocabulary(words)
    width = _TOKENS
    following = np.full(width, tokens.index(_END))
    chain = ["<|assistant|>", *answer]
    for before, after in zip(chain, [*answer, _END], strict=True):
        following[tokens.index(before)] = tokens.index(after)
    head = np.zeros((width, width), np.float32)
    head[following, np.arange(width)] = 2
    writer = gguf.GGUFWriter(path, "phi3")
    _describe(writer, width, 8, 8, layers=1, forward=_FORWARD)
    writer.add_add_space_prefix(space_prefix)
    _add_vocabulary(writer, tokens, scores, types)
    empty = _empty_layer(width, 8, 8)
    outer = {"token_embd": np.eye(width, dtype=np.float32), "output_norm": np.ones(width, np.float32), "output": head}
    for name, weights in (outer | empty).items():
        _add(writer, name, weights, "F16")
    _finish(writer)


def _describe(writer: Any, width: int, heads: int, kv_heads: int, *, layers: int, forward: int) -> None:
    writer.add_name("Synthetic")
    writer.add_file_type(1)
    writer.add_context_length(4096)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(forward)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // heads)
    writer.add_rope_freq_base(10000.0)
    writer.add_sliding_window(2047)


def _add_vocabulary(writer: Any, tokens: Sequence[str], scores: Sequence[float], types: Sequence[int]) -> None:
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(_FIRST_SPECIAL)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(False)


def _finish(writer: Any) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _empty_layer(width: int, heads: int, kv_heads: int) -> dict[str, Floats]:
    head = width // heads
    shapes = {
        "attn_norm": (width,), "ffn_norm": (width,), "attn_qkv": ((heads + 2 * kv_heads) * head, width),
        "attn_output": (width, width), "ffn_up": (2 * _FORWARD, width), "ffn_down": (width, _FORWARD),
    }  # fmt: skip
    one = {name: np.ones(shape, np.float32) if len(shape) == 1 else np.zeros(shape, np.float32)
           for name, shape in shapes.items()}  # fmt: skip
    return {f"blk.0.{name}": weights for name, weights in one.items()}


def _lookback_weights(count: int, width: int, heads: int, kv_heads: int) -> dict[str, Floats]:
    """The weights by name; row ``i`` of a matrix makes output ``i``."""
    pairs = len(PAIRS)
    layer = _empty_layer(width, heads, kv_heads)
    embedding, head = np.zeros((count, width), np.float32), np.zeros((count, width), np.float32)
    embedding[:, _CONSTANT] = 1
    embedding[_FIRST_PAIR + np.arange(pairs), np.arange(pairs)] = 1
    head[_FIRST_PAIR + np.arange(pairs), _NEXT + np.arange(pairs)] = 1
    query_key_value, output = layer["blk.0.attn_qkv"], layer["blk.0.attn_output"]
    half, keys = _HEAD // 2, heads * _HEAD
    values = keys + kv_heads * _HEAD
    for at in range(_ROTATIONS):
        angle = -LOOKBACK * 10000 ** (-2 * at / _HEAD)
        query_key_value[np.arange(heads) * _HEAD + at, _CONSTANT] = math.cos(angle)
        query_key_value[np.arange(heads) * _HEAD + half + at, _CONSTANT] = math.sin(angle)
        query_key_value[keys + np.arange(kv_heads) * _HEAD + at, _CONSTANT] = 1
    for pair in range(pairs):
        group, place = divmod(pair, pairs // 2)
        query_key_value[values + group * _HEAD + place, pair] = 1
        output[_FOUND + pair, group * (heads // kv_heads) * _HEAD + place] = 1
    gate, up, down = layer["blk.0.ffn_up"][:_FORWARD], layer["blk.0.ffn_up"][_FORWARD:], layer["blk.0.ffn_down"]
    for pair in range(pairs):
        right, wrong = _NEXT + (pair + 1) % pairs, _NEXT + (pair + 2) % pairs
        gate[pair, _FOUND + pair], up[pair, _CONSTANT], down[right, pair] = 1, 1, 1
        gate[128 + pair, _CONSTANT], up[128 + pair, _FOUND + pair], down[wrong, 128 + pair] = -1, 1, -1
    outer = {"token_embd": embedding, "output_norm": np.ones(width, np.float32), "output": head}
    return {f"{name}": weights for name, weights in (outer | layer).items()}


def _add(writer: Any, name: str, weights: Floats, quant: str) -> None:
    name = f"{name}.weight"
    if weights.ndim == 1:
        writer.add_tensor(name, weights)
        return
    if quant == "Q4_K" and any(part in name for part in ("ffn_down", "output.weight")):
        quant = "Q6_K"
    kind = gguf.GGMLQuantizationType[quant]
    packed = {"Q4_K": _q4_k, "Q6_K": _q6_k}.get(quant)
    writer.add_tensor(name, packed(weights) if packed else gguf.quants.quantize(weights, kind), raw_dtype=kind)


def _q4_k(weights: Floats) -> npt.NDArray[np.uint8]:
    """Blocks in which zero is exact: every scale is 63, and a weight is a multiple of an eighth of the largest one."""
    blocks = weights.reshape(-1, 256)
    step = np.maximum(np.abs(blocks).max(axis=1, keepdims=True) / 7, 1e-6)
    levels = np.clip(np.round(blocks / step) + 7, 0, 15).astype(np.uint8).reshape(-1, 4, 2, 32)
    scales = np.concatenate([step / 63, step / 9], axis=1).astype("<f2").view(np.uint8)
    ones = np.full((len(blocks), 12), 255, np.uint8)
    nibbles = (levels[:, :, 0] | levels[:, :, 1] << 4).reshape(-1, 128)
    return np.concatenate([scales, ones, nibbles], axis=1).reshape(len(weights), -1)


def _q6_k(weights: Floats) -> npt.NDArray[np.uint8]:
    blocks = weights.reshape(-1, 256)
    step = np.maximum(np.abs(blocks).max(axis=1, keepdims=True) / 31, 1e-6)
    levels = np.clip(np.round(blocks / step) + 32, 0, 63).astype(np.uint8).reshape(-1, 2, 4, 32)
    low, high = levels & 15, levels >> 4
    lows = np.stack([low[:, :, 0] | low[:, :, 2] << 4, low[:, :, 1] | low[:, :, 3] << 4], axis=2).reshape(-1, 128)
    highs = (high[:, :, 0] | high[:, :, 1] << 2 | high[:, :, 2] << 4 | high[:, :, 3] << 6).reshape(-1, 64)
    scales = np.ones((len(blocks), 16), np.uint8)
    return np.concatenate([lows, highs, scales, step.astype("<f2").view(np.uint8)], axis=1).reshape(len(weights), -1)
