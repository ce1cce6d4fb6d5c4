"""Writes GGUF bytes by hand, so that a test can get any part of them wrong."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

U8, U16, U32, I32, F32, BOOL, STRING, ARRAY, U64 = 0, 2, 4, 5, 6, 7, 8, 9, 10
_FORMS = {U8: "<B", U16: "<H", U32: "<I", I32: "<i", F32: "<f", BOOL: "<?", U64: "<Q"}

SPECIALS = {
    "<|endoftext|>": 3,
    "<|assistant|>": 3,
    "<|end|>": 3,
    "<|user|>": 3,
    "<|tool_call|>": 4,
    "<unused>": 5,
}


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def value(kind: int, item: object) -> bytes:
    if kind == STRING:
        return text(item)  # type: ignore[arg-type]
    return struct.pack(_FORMS[kind], item)


def pair(key: str, kind: int, item: object) -> bytes:
    return text(key) + struct.pack("<I", kind) + value(kind, item)


def array(key: str, kind: int, items: Sequence[object]) -> bytes:
    head = text(key) + struct.pack("<IIQ", ARRAY, kind, len(items))
    return head + b"".join(value(kind, item) for item in items)


def tensor(name: str, shape: Iterable[int], type_id: int, offset: int) -> bytes:
    shape = tuple(shape)
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, type_id, offset)


def phi3_pairs(tokens: Sequence[str], merges: Sequence[str], /, **changed: bytes | None) -> list[bytes]:
    """The key-value part of a small phi3 file; ``changed`` replaces an entry by name, None leaves it out."""
    types = [SPECIALS.get(token, 1) for token in tokens]
    parts: Mapping[str, bytes] = {
        "architecture": pair("general.architecture", STRING, "phi3"),
        "name": pair("general.name", STRING, "Tiny"),
        "file_type": pair("general.file_type", U32, 15),
        "context": pair("phi3.context_length", U32, 1024),
        "original": pair("phi3.rope.scaling.original_context_length", U32, 256),
        "embedding": pair("phi3.embedding_length", U32, 64),
        "ffn": pair("phi3.feed_forward_length", U32, 128),
        "blocks": pair("phi3.block_count", U32, 2),
        "heads": pair("phi3.attention.head_count", U32, 4),
        "kv_heads": pair("phi3.attention.head_count_kv", U32, 2),
        "tags": array("general.languages", STRING, ["en", "de"]),
        "model": pair("tokenizer.ggml.model", STRING, "gpt2"),
        "tokens": array("tokenizer.ggml.tokens", STRING, tokens),
        "types": array("tokenizer.ggml.token_type", I32, types),
        "merges": array("tokenizer.ggml.merges", STRING, merges),
        "bos": pair("tokenizer.ggml.bos_token_id", U32, 0),
        "eos": pair("tokenizer.ggml.eos_token_id", U32, 2),
        "add_bos": pair("tokenizer.ggml.add_bos_token", BOOL, False),
        "template": pair("tokenizer.chat_template", STRING, "{{ messages }}"),
    }
    return [part for name, original in parts.items() if (part := changed.get(name, original)) is not None]


def gguf(pairs: Sequence[bytes], tensors: Sequence[bytes] = (), data_bytes: int = 0, *, version: int = 3) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs)) + b"".join(pairs) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + bytes(data_bytes)


def small_file(**changed: bytes | None) -> bytes:
    """A whole file: 300 tokens, six of them special, two tensors (256 x 4 of Q4_K, then 8 of F32)."""
    tokens = [f"t{number}" for number in range(294)] + list(SPECIALS)
    tensors = [tensor("token_embd.weight", (256, 4), 12, 0), tensor("output_norm.weight", (8,), 0, 576)]
    return gguf(phi3_pairs(tokens, ["a b", "b c"], **changed), tensors, 576 + 32)
