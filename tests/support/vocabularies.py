"""Very small GGUF files whose only point is their vocabulary; the weights are noise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Literal

import gguf
import numpy as np

from phicli.answering.special_tokens import SpecialTokens
from phicli.plan.label import says_phi3

SPECIALS = (
    "<|endoftext|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|end|>",
    "<|tool|>",
    "<|/tool|>",
    "<|tool_call|>",
    "<|/tool_call|>",
    "<|tool_response|>",
    "<|im_start|>",
    "<|im_sep|>",
    "<|im_end|>",
    "<think>",
    "</think>",
)
WORDS = (
    " the end user system assistant tool hello Hello world capital France Paris you are evil What is of "
    "Phi name number answer question said think call response city weather "
)
SpecialType = Literal["control", "user_defined", "normal", "unused"]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What was written into a file, so that tests can decode without the engine."""

    model: Literal["gpt2", "llama"]
    name: str
    tokens: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[str, ...] = ()
    pre: str = "default"
    bos: int | None = None

    @property
    def special_tokens(self) -> SpecialTokens:
        """What the project's own code is told about the file."""
        ordinary = (gguf.TokenType.NORMAL, gguf.TokenType.BYTE)
        literals = {
            i: t
            for i, (t, kind) in enumerate(zip(self.tokens, self.types, strict=True))
            if kind not in ordinary or t in SPECIALS
        }
        unknown = next((i for i, kind in enumerate(self.types) if kind == gguf.TokenType.UNKNOWN), None)
        return SpecialTokens.from_metadata(
            literals, tokenizer_model=self.model, unknown_id=unknown, strips=says_phi3(self.name)
        )

    def id(self, literal: str) -> int:
        """The id of a token."""
        return self.tokens.index(literal)

    def decode(self, ids: Iterable[int]) -> bytes:
        """The bytes that ids spell, special tokens by their literal, a SentencePiece space prefix included."""
        return b"".join(self._bytes(token_id) for token_id in ids)

    def _bytes(self, token_id: int) -> bytes:
        token, kind = self.tokens[token_id], self.types[token_id]
        if self.model == "gpt2":
            return _unmapped(token)
        if kind == gguf.TokenType.BYTE:
            return bytes([int(token[3:5], 16)])
        return token.replace("▁", " ").encode()


def byte_level(special_type: SpecialType, *, name: str = "byte level", pre: str = "gpt-4o") -> Vocabulary:
    """Byte pair encoding as Phi-4 and Phi-4-mini have it: 256 bytes, some merges, special tokens at the end.

    ``user_defined`` adds what conversions of CodeGen vocabularies (phi-2) hold: runs of spaces; and ``�``, which
    some files of Phi-4-mini mark as special.
    """
    mapping = _byte_characters()
    tokens = [mapping[byte] for byte in range(256)]
    merges: list[str] = []
    for word in (*_with_space(WORDS), "<|", "|>", "\n\n", "�", "</", "é"):
        _learn("".join(mapping[byte] for byte in word.encode()), tokens, merges)
    types = [int(gguf.TokenType.NORMAL)] * len(tokens)
    if special_type == "user_defined":
        replacement = "".join(mapping[byte] for byte in "�".encode())
        types[tokens.index(replacement)] = int(gguf.TokenType.CONTROL)
        _append(tokens, types, ("  ", "    ", "\t\t"), gguf.TokenType.USER_DEFINED)
    _append(tokens, types, SPECIALS, _kind(special_type))
    types[tokens.index("<|endoftext|>")] = int(gguf.TokenType.CONTROL)
    return Vocabulary("gpt2", name, tuple(tokens), tuple(types), tuple(merges), pre, bos=tokens.index("<|endoftext|>"))


def sentencepiece(special_type: SpecialType, *, name: str) -> Vocabulary:
    """A SentencePiece vocabulary as Phi-3 has it; merges lead all the way to ``<|end|>`` and ``<s>``."""
    tokens = ["<unk>", "<s>", "</s>"]
    types = [int(gguf.TokenType.UNKNOWN), *[int(gguf.TokenType.CONTROL)] * 2]
    _append(tokens, types, [f"<0x{byte:02X}>" for byte in range(256)], gguf.TokenType.BYTE)
    pieces: list[str] = []
    for word in (*_with_space(WORDS, "▁"), "▁▁", "▁▁▁▁", "<|end", "|>", "<s", "</s", "<|user"):
        _learn(word, pieces, [])
    _append(tokens, types, [piece for piece in pieces if piece not in tokens], gguf.TokenType.NORMAL)
    _append(tokens, types, [chr(code) for code in range(33, 127) if chr(code) not in tokens], gguf.TokenType.NORMAL)
    _append(tokens, types, SPECIALS, _kind(special_type))
    return Vocabulary("llama", name, tuple(tokens), tuple(types), bos=1)


def from_ranks(ranks: dict[bytes, int], *, name: str, pre: str, specials: Sequence[str]) -> Vocabulary:
    """A real byte-level vocabulary from tiktoken ranks; merges are recovered from the ranks."""
    mapping = _byte_characters()

    def mapped(token: bytes) -> str:
        return "".join(mapping[byte] for byte in token)

    ordered = sorted(ranks, key=ranks.__getitem__)
    merges = [" ".join(mapped(part) for part in _halves(token, ranks)) for token in ordered if len(token) > 1]
    tokens, types = [mapped(token) for token in ordered], [int(gguf.TokenType.NORMAL)] * len(ordered)
    _append(tokens, types, specials, gguf.TokenType.CONTROL)
    return Vocabulary("gpt2", name, tuple(tokens), tuple(types), tuple(merges), pre, bos=tokens.index("<|endoftext|>"))


def write(path: Path, vocabulary: Vocabulary, *, chat_template: str | None = None) -> Path:
    """Write a one-layer model of ``llama`` architecture with this vocabulary."""
    width, hidden = 32, 32
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(vocabulary.name)
    writer.add_context_length(512)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model(vocabulary.model)
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    if vocabulary.model == "gpt2":
        writer.add_token_merges(vocabulary.merges)
    else:
        writer.add_token_scores([-float(index) for index in range(len(vocabulary.tokens))])
    if vocabulary.bos is not None:
        writer.add_bos_token_id(vocabulary.bos)
    writer.add_eos_token_id(vocabulary.id("<|end|>") if "<|end|>" in vocabulary.tokens else 0)
    if chat_template is not None:
        writer.add_chat_template(chat_template)
    shapes = {"token_embd": (len(vocabulary.tokens), width), "output_norm": (width,)}
    shapes |= {f"blk.0.{name}": (width,) for name in ("attn_norm", "ffn_norm")}
    shapes |= {f"blk.0.{name}": (width, width) for name in ("attn_q", "attn_k", "attn_v", "attn_output")}
    shapes |= {f"blk.0.{name}": (width, hidden) for name in ("ffn_gate", "ffn_up", "ffn_down")}
    for name, shape in shapes.items():
        dtype = np.float32 if len(shape) == 1 else np.float16
        writer.add_tensor(f"{name}.weight", np.full(shape, 0.01, dtype=dtype))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _kind(special_type: SpecialType) -> gguf.TokenType:
    return gguf.TokenType[special_type.upper()]


def _append(tokens: list[str], types: list[int], new: Sequence[str], kind: gguf.TokenType) -> None:
    tokens += new
    types += [int(kind)] * len(new)


def _with_space(words: str, space: str = " ") -> list[str]:
    return [form for word in words.split() for form in (word, space + word)]


def _learn(word: str, tokens: list[str], merges: list[str]) -> None:
    """Make ``word`` reachable, one character after the other."""
    for end in range(1, len(word) + 1):
        if word[:end] in tokens:
            continue
        for piece in (word[end - 1], word[:end]):
            if piece not in tokens:
                tokens.append(piece)
        if end > 1:
            merges.append(f"{word[: end - 1]} {word[end - 1]}")


def _halves(token: bytes, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    """The two parts that were merged last to make ``token``."""
    parts = [token[index : index + 1] for index in range(len(token))]
    while len(parts) > 2:
        known = [(ranks.get(left + right), index) for index, (left, right) in enumerate(pairwise(parts))]
        _, at = min((rank, index) for rank, index in known if rank is not None)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts[0], parts[1]


@cache
def _byte_characters() -> dict[int, str]:
    """GPT-2's map from bytes to printable characters."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + index) for index, byte in enumerate(others)}


@cache
def _unmapped(token: str) -> bytes:
    """The bytes of a token; runs of spaces are stored as they are."""
    inverse = {character: byte for byte, character in _byte_characters().items()}
    return bytes(inverse.get(character, ord(character)) for character in token)
