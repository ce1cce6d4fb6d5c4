"""Writes models that say what a test wants: real files that every engine loads.

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
_SIZE: Final = 512
_HEADS: Final = 8


def write_scripted(
    path: Path,
    pieces: Sequence[str],
    *,
    name: str = "Phi 4 Reasoning Plus",
    special: bool = True,
    goes_to: int | None = None,
) -> Path:
    """Write a model of Phi-4's format to ``path`` that answers everything with ``pieces``.

    Behind a line break that it did not write itself comes the first piece after the one that closes the reasoning.

    Args:
        path: the file.
        pieces: the answer; each piece is one token, and no two are the same.
        name: of the model; it says whether it reasons.
        special: the reasoning tags are special tokens, also those that the answer does not have.
        goes_to: behind the last piece comes the one with this index again, for ever; None: the answer ends.
    """
    tokens = [LETTER_OF_BYTE[byte] for byte in range(256)]
    kinds = [gguf.TokenType.NORMAL] * len(tokens)
    marked = [*_MARKERS, *(TAGS if special else ())]
    ids = {}
    for text in dict.fromkeys((*marked, *pieces)):
        ids[text] = len(tokens)
        is_marker = text in marked
        tokens.append(text if is_marker else "".join(LETTER_OF_BYTE[byte] for byte in text.encode()))
        kinds.append(gguf.TokenType.CONTROL if is_marker else gguf.TokenType.NORMAL)
    unused = range(len(tokens), _SIZE)
    tokens += [f"<unused{number}>" for number in unused]
    kinds += [gguf.TokenType.NORMAL for _ in unused]
    following = np.full(_SIZE, ids["<|im_end|>"])
    for before, after in pairwise(("<|im_sep|>", *pieces)):
        following[ids[before]] = ids[after]
    closed = next((place for place, piece in enumerate(pieces) if TAGS[1] in piece), None)
    if closed is not None:
        following[ord("\n")] = ids[next(piece for piece in pieces[closed + 1 :] if piece.strip())]
    if goes_to is not None:
        following[ids[pieces[-1]]] = ids[pieces[goes_to]]
    _write(path, name, tokens, kinds, following)
    return path


def _write(path: Path, name: str, tokens: list[str], kinds: list[gguf.TokenType], following: np.ndarray) -> None:
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
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
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
