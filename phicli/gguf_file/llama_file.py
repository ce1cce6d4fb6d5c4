"""Writes a Phi-3 file in the tensors of the architecture ``llama``: see :mod:`phicli.gguf_file.llama_form`.

The tokenizer's part of the header is copied byte for byte, and so is every row of every tensor. One head is in memory
at a time.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Final

from phicli.errors import IntegrityError
from phicli.gguf_file.diagnose import GET_AGAIN, unreadable
from phicli.gguf_file.facts import Facts
from phicli.gguf_file.llama_form import Piece, llama_pieces
from phicli.gguf_file.pieces import SCORES, TYPES, raw_arrays
from phicli.gguf_file.scan import TOKENS
from phicli.gguf_file.types import GgufHeader
from phicli.gguf_file.walker import SCALARS, STRING

OnBytes = Callable[[int, int], None]
"""Called again and again with the bytes that are done, and all bytes."""

SOURCE: Final = "phi.source_sha256"
"""The key with the SHA-256 of the file that another one was written from."""

_VERSION: Final = 2
_ALIGNMENT: Final = 32
_CHUNK_BYTES: Final = 4 << 20
_COPIED: Final = (TOKENS, SCORES, TYPES)
_TOKEN_IDS: Final = ("bos", "eos", "eot", "unknown", "padding")
_UINT32: Final = 4
_FLOAT32: Final = 6
_BOOL: Final = 7


def write_llama_file(header: GgufHeader, target: Path, *, source_sha256: str, on_bytes: OnBytes) -> None:
    """Write the file with ``header`` to ``target``, in the tensors of ``llama``.

    Args:
        header: of a file of which :func:`~phicli.gguf_file.llama_form.why_not_llama` says None.
        target: a new file.
        source_sha256: of the file with ``header``; it is written into the metadata.
        on_bytes: is told how far it is.

    Raises:
        IntegrityError: the source has no complete SentencePiece vocabulary, or has changed since.
        OSError: the target cannot be written.
    """
    pieces = list(llama_pieces(header))
    try:
        source = header.path.open("rb")
    except OSError as error:
        raise unreadable(header.path, error) from None
    with source, mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as data, target.open("xb") as file:
        file.write(_head(header, data, pieces, source_sha256))
        _pad(file)
        done, total = 0, sum(piece.size_bytes for piece in pieces)
        for piece in pieces:
            for chunk in _bytes_of(piece, header, data):
                file.write(chunk)
                done += len(chunk)
                on_bytes(done, total)
            _pad(file)
        file.flush()
        os.fsync(file.fileno())


def _head(header: GgufHeader, data: mmap.mmap, pieces: Sequence[Piece], source_sha256: str) -> bytes:
    values = [*_metadata(header, source_sha256), *_vocabulary(header, data)]
    parts = [b"GGUF", struct.pack("<IQQ", _VERSION, len(pieces), len(values)), *values]
    offset = 0
    for piece in pieces:
        shape = piece.shape
        parts.append(_string(piece.name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape))
        parts.append(struct.pack("<IQ", piece.source.type_id, offset))
        offset += -(-piece.size_bytes // _ALIGNMENT) * _ALIGNMENT
    return b"".join(parts)


def _metadata(header: GgufHeader, source_sha256: str) -> Iterator[bytes]:
    facts = Facts(header.metadata)
    yield _text("general.architecture", "llama")
    yield _text("general.name", header.name or "")
    yield _text(SOURCE, source_sha256)
    numbers = {
        "general.file_type": header.file_type,
        "general.quantization_version": facts.whole("general.quantization_version"),
        "llama.context_length": header.context_length,
        "llama.embedding_length": header.embedding_length,
        "llama.block_count": header.block_count,
        "llama.feed_forward_length": header.feed_forward_lengths[0],
        "llama.attention.head_count": header.head_counts[0],
        "llama.attention.head_count_kv": header.kv_head_counts[0],
        "llama.rope.dimension_count": header.key_length,
    }
    for key, number in numbers.items():
        if number is not None:
            yield _scalar(key, _UINT32, number)
    for key in ("attention.layer_norm_rms_epsilon", "rope.freq_base"):
        value = header.metadata.get(f"phi3.{key}")
        if isinstance(value, float):
            yield _scalar(f"llama.{key}", _FLOAT32, value)


def _vocabulary(header: GgufHeader, data: mmap.mmap) -> Iterator[bytes]:
    facts = Facts(header.metadata)
    yield _text("tokenizer.ggml.model", "llama")
    copied = raw_arrays(data)
    if missing := [key for key in _COPIED if key not in copied]:
        raise IntegrityError(f"{header.path} has no {', '.join(missing)}", GET_AGAIN)
    for key in _COPIED:
        yield _string(key) + copied[key]
    for name in _TOKEN_IDS:
        token_id = facts.whole(f"tokenizer.ggml.{name}_token_id")
        if token_id is not None:
            yield _scalar(f"tokenizer.ggml.{name}_token_id", _UINT32, token_id)
    for name in ("add_bos_token", "add_space_prefix"):
        flag = facts.flag(f"tokenizer.ggml.{name}")
        if flag is not None:
            yield _scalar(f"tokenizer.ggml.{name}", _BOOL, flag)


def _bytes_of(piece: Piece, header: GgufHeader, data: mmap.mmap) -> Iterator[bytes]:
    start = header.data_offset + piece.source.offset + piece.first_row * piece.row_bytes
    step = _CHUNK_BYTES if piece.head_length is None else piece.head_length * piece.row_bytes
    for at in range(start, start + piece.size_bytes, step):
        end = min(at + step, start + piece.size_bytes)
        chunk = data[at:end]
        if len(chunk) != end - at:
            raise IntegrityError(f"{header.path} changed while it was read", "run the command again")
        yield chunk if piece.head_length is None else _neighbors(chunk, piece.row_bytes)


def _neighbors(head: bytes, row_bytes: int) -> bytes:
    """The rows of one head, alternately from the first and the second half."""
    half = len(head) // 2
    starts = range(0, half, row_bytes)
    return b"".join(
        part for at in starts for part in (head[at : at + row_bytes], head[half + at : half + at + row_bytes])
    )


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _text(key: str, value: str) -> bytes:
    return _string(key) + struct.pack("<I", STRING) + _string(value)


def _scalar(key: str, kind: int, value: float) -> bytes:
    return _string(key) + struct.pack("<I", kind) + SCALARS[kind].pack(value)


def _pad(file: IO[bytes]) -> None:
    file.write(b"\0" * (-file.tell() % _ALIGNMENT))
