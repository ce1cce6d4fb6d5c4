"""Writes models of which every answer is known, with reasoning or tool calls: real files that every engine loads.

The weights are one-hot: the next token depends on the last one alone, whatever was asked. The vocabulary is that of
bytes and the pieces of the answer, each a token.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import gguf
import numpy as np

from phicli.gguf_file.byte_letters import LETTER_OF_BYTE

TAGS: Final = ("<think>", "</think>")
_MARKERS: Final = ("<|endoftext|>", "<|im_start|>", "<|im_sep|>", "<|im_end|>")
_CALL_MARKERS: Final = (
    "<|endoftext|>", "<|assistant|>", "<|end|>", "<|user|>", "<|system|>", "<|tool|>", "<|/tool|>", "<|tool_call|>",
    "<|/tool_call|>", "<|tool_response|>",
)  # fmt: skip
_SIZE: Final = 512
_HEADS: Final = 8


def write_reasoner(
    path: Path,
    pieces: Sequence[str],
    *,
    name: str = "Phi 4 Reasoning Plus",
    special: bool = True,
    goes_to: int | None = None,
) -> Path:
    """Write a model of Phi-4's format to ``path`` that answers everything with ``pieces``.

    After a line break that it did not write itself comes the first piece after the one that closes the reasoning.

    Args:
        path: the file.
        pieces: the answer; each piece is one token, and no two are the same.
        name: of the model; it says whether it reasons.
        special: the reasoning tags are special tokens, also those that the answer does not have.
        goes_to: behind the last piece comes the one with this index again, for ever; None: the answer ends.
    """
    tokens, kinds, ids = _vocabulary((*_MARKERS, *(TAGS if special else ())), pieces)
    following = np.full(_SIZE, ids["<|im_end|>"])
    for before, after in pairwise(("<|im_sep|>", *pieces)):
        following[ids[before]] = ids[after]
    closed = next((place for place, piece in enumerate(pieces) if TAGS[1] in piece), None)
    if closed is not None:
        following[ord("\n")] = ids[next(piece for piece in pieces[closed + 1 :] if piece.strip())]
    if goes_to is not None:
        following[ids[pieces[-1]]] = ids[pieces[goes_to]]
    _write(path, name, tokens, kinds, following, end="<|im_end|>")
    return path


def write_caller(path: Path, pieces: Sequence[str]) -> Path:
    """Write a model of Phi-4-mini's format to ``path`` that answers everything with ``pieces``.

    Each piece is one token, and no two are the same; the markers of Phi-4-mini are its special tokens.
    """
    tokens, kinds, ids = _vocabulary(_CALL_MARKERS, pieces)
    following = np.full(_SIZE, ids["<|end|>"])
    for before, after in pairwise(("<|assistant|>", *pieces)):
        following[ids[before]] = ids[after]
    _write(path, "caller", tokens, kinds, following, end="<|end|>")
    return path


def _vocabulary(
    markers: Sequence[str], pieces: Sequence[str]
) -> tuple[list[str], list[gguf.TokenType], dict[str, int]]:
    """The tokens and their kinds: all bytes, ``markers`` and ``pieces``; and the ids of the last two."""
    tokens = [LETTER_OF_BYTE[byte] for byte in range(256)]
    kinds = [gguf.TokenType.NORMAL] * len(tokens)
    ids = {}
    for text in dict.fromkeys((*markers, *pieces)):
        if len(text.encode()) == 1:  # it is in the vocabulary already
            ids[text] = text.encode()[0]
            continue
        ids[text] = len(tokens)
        is_marker = text in markers
        tokens.append(text if is_marker else "".join(LETTER_OF_BYTE[byte] for byte in text.encode()))
        kinds.append(gguf.TokenType.CONTROL if is_marker else gguf.TokenType.NORMAL)
    tokens += [f"<unused{number}>" for number in range(len(tokens), _SIZE)]
    kinds += [gguf.TokenType.NORMAL] * (_SIZE - len(kinds))
    return tokens, kinds, ids


def _write(
    path: Path, name: str, tokens: list[str], kinds: list[gguf.TokenType], following: np.ndarray, *, end: str
) -> None:
    writer = gguf.GGUFWriter(path, "phi3")
    writer.add_name(name)
    writer.add_context_length(4096)
    writer.add_embedding_length(_SIZE)
    writer.add_feed_forward_length(32)
    writer.add_block_count(1)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(_SIZE // _HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_sliding_window(1 << 18)
    writer.add_file_type(0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-4o")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_eos_token_id(tokens.index(end))
    writer.add_add_bos_token(False)
    output = np.zeros((_SIZE, _SIZE), np.float32)
    output[following, np.arange(_SIZE)] = 2
    shapes = {
        "attn_qkv": (3 * _SIZE, _SIZE), "attn_output": (_SIZE, _SIZE), "ffn_up": (64, _SIZE), "ffn_down": (_SIZE, 32),
    }  # fmt: skip
    tensors = {f"blk.0.{part}.weight": np.zeros(shape, np.float32) for part, shape in shapes.items()}
    tensors |= {
        f"{part}.weight": np.ones(_SIZE, np.float32) for part in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm")
    }
    tensors |= {"token_embd.weight": np.eye(_SIZE, dtype=np.float32), "output.weight": output}
    for tensor, values in tensors.items():
        writer.add_tensor(tensor, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
