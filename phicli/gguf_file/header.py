"""Reads the header of a GGUF file: what the model is, without its weights.

The vocabulary and the merges are stepped over by their lengths, so a header the size of Phi-4-mini's (200,064 tokens
and as many merges) is read in some hundredths of a second; ``gguf.GGUFReader`` needs seconds for it.
Format: ggml's ``docs/gguf.md``.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from phicli.errors import IntegrityError
from phicli.gguf_file.diagnose import GET_AGAIN, GET_ANOTHER, check_is_file, not_gguf, unreadable
from phicli.gguf_file.facts import Facts
from phicli.gguf_file.ggml_types import FILE_TYPES
from phicli.gguf_file.kind import FileKind, kind_of, not_a_model
from phicli.gguf_file.names import whole_size
from phicli.gguf_file.parts import check_parts
from phicli.gguf_file.scan import MERGES, TOKENS, Scan, scan_keys
from phicli.gguf_file.special_tokens import special_tokens
from phicli.gguf_file.start import is_big_endian
from phicli.gguf_file.tensors import read_tensors
from phicli.gguf_file.types import GgufHeader, TensorInfo, Vocabulary
from phicli.gguf_file.walker import Cut, Walker, damaged


def read_header(path: Path | str) -> GgufHeader:
    """Read the header of the model at ``path``, of which all parts must be there.

    Raises:
        NotFoundError: there is no such file (the hint has close names), or a part of the model is missing.
        UsageError: the path is a directory (the hint lists its GGUF files) or a device.
        NotAModelError: it is a GGUF file of another kind, such as an adapter.
        IntegrityError: the file is empty, is something else, is cut, is damaged, cannot be read, or is of a version
            of the format that is not read here (1).
    """
    header = read_any_header(path)
    require_model(header, path)
    check_parts(header, read_any_header)
    return header


def require_model(header: GgufHeader, name: object) -> None:
    """Return if the file with ``header``, which people know as ``name``, is a model or a part of one.

    Raises:
        NotAModelError: it is not.
    """
    kind = kind_of_header(header)
    if kind is not FileKind.MODEL:
        raise not_a_model(name, kind, header.metadata)


def kind_of_header(header: GgufHeader) -> FileKind:
    """What the file with ``header`` is."""
    return kind_of(header.metadata, {tensor.name for tensor in header.tensors})


def read_any_header(path: Path | str) -> GgufHeader:
    """Read the header of the GGUF file at ``path``, of whatever kind it is.

    Raises:
        NotFoundError, UsageError, IntegrityError: as :func:`read_header` says.
        NotAModelError: the file is big-endian, which is not read here.
    """
    path = Path(path)
    size = check_is_file(path)
    try:
        with path.open("rb") as file:
            _check_start(path, file.read(1024), size)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _read(path, Walker(data))
    except OSError as error:
        raise unreadable(path, error) from None


def _check_start(path: Path, start: bytes, size: int) -> None:
    if not start.startswith(b"GGUF") and not b"GGUF".startswith(start):
        raise not_gguf(path, start, size)
    if len(start) < 24:
        raise IntegrityError(f"{path} is truncated in the middle of its header: it has {size} bytes", GET_AGAIN)
    version = int.from_bytes(start[4:8], "little")
    if version in (2, 3):
        return
    if is_big_endian(start):
        raise not_a_model(path, FileKind.BIG_ENDIAN)
    if version == 1:
        raise IntegrityError(f"{path} has GGUF version 1 (2023), which is no longer supported", GET_ANOTHER)
    raise IntegrityError(f"{path} has GGUF version {version}; phi supports versions 2 and 3", GET_ANOTHER)


def _read(path: Path, walker: Walker) -> GgufHeader:
    walker.pos = 8
    try:
        tensor_count, key_count = walker.u64(), walker.u64()
        scan = Scan()
        scan_keys(walker, key_count, scan)
        alignment = Facts(scan.metadata).whole("general.alignment")
        tensors, data_offset = read_tensors(walker, tensor_count, 32 if alignment is None else alignment)
        vocabulary = _vocabulary(walker, scan)
        return _header(path, walker, scan, vocabulary=vocabulary, tensors=tensors, data_offset=data_offset)
    except Cut:
        message = f"{path} is truncated in the middle of its header, or damaged: it has {walker.size:,} bytes"
        raise IntegrityError(message, GET_AGAIN) from None
    except IntegrityError as error:  # what the parts below could not know: the path
        text = error.message[0].lower() + error.message[1:]
        raise IntegrityError(f"{path}: {text}", error.hint, data=error.data) from None


def _vocabulary(walker: Walker, scan: Scan) -> Vocabulary | None:
    if TOKENS not in scan.lengths:
        return None
    size, types = scan.lengths[TOKENS], scan.token_types
    if types and len(types) != size:
        raise damaged(f"{size:,} tokens but {len(types):,} token types")
    facts = Facts(scan.metadata)
    bos, eos, eot = (facts.whole(f"tokenizer.ggml.{name}_token_id") for name in ("bos", "eos", "eot"))
    named = [index for index in (bos, eos, eot) if index is not None and index < size]
    return Vocabulary(
        model=facts.text("tokenizer.ggml.model"),
        pre=facts.text("tokenizer.ggml.pre"),
        size=size,
        special_tokens=special_tokens(walker, scan.tokens, types, named, end=scan.tokens_end),
        bos_id=bos,
        eos_id=eos,
        eot_id=eot,
        add_bos=facts.flag("tokenizer.ggml.add_bos_token"),
        merges=scan.lengths.get(MERGES, 0),
    )


def _header(
    path: Path,
    walker: Walker,
    scan: Scan,
    *,
    vocabulary: Vocabulary | None,
    tensors: tuple[TensorInfo, ...],
    data_offset: int,
) -> GgufHeader:
    facts = Facts(scan.metadata)
    arch = facts.text("general.architecture") or ""
    kind = kind_of(scan.metadata, {tensor.name for tensor in tensors})
    split_count = facts.whole("split.count") or 1
    later_part = split_count > 1 and facts.whole("split.no")
    if not arch and kind is FileKind.MODEL and not later_part:
        raise damaged("no general.architecture, which names the kind of model")
    heads = facts.wholes(f"{arch}.attention.head_count")
    embedding = facts.whole(f"{arch}.embedding_length")
    default_head = embedding // heads[0] if embedding and heads and heads[0] else None
    file_type = facts.whole("general.file_type")
    return GgufHeader(
        path=path,
        version=int.from_bytes(walker.data[4:8], "little"),
        architecture=arch,
        name=facts.text("general.name"),
        file_type=file_type,
        quant=None if file_type is None else FILE_TYPES.get(file_type),
        context_length=facts.whole(f"{arch}.context_length"),
        original_context_length=facts.whole(f"{arch}.rope.scaling.original_context_length"),
        block_count=facts.whole(f"{arch}.block_count"),
        embedding_length=embedding,
        feed_forward_lengths=facts.wholes(f"{arch}.feed_forward_length"),
        head_counts=heads,
        kv_head_counts=facts.wholes(f"{arch}.attention.head_count_kv") or heads,
        key_length=facts.whole(f"{arch}.attention.key_length") or default_head,
        value_length=facts.whole(f"{arch}.attention.value_length") or default_head,
        expert_count=facts.whole(f"{arch}.expert_count") or 0,
        split_count=split_count,
        chat_template=facts.text("tokenizer.chat_template"),
        vocabulary=vocabulary,
        tensors=tensors,
        metadata=scan.metadata,
        data_offset=data_offset,
        weights_bytes=_weights_bytes(path, tensors, split_count),
        file_size_bytes=walker.size,
    )


def _weights_bytes(path: Path, tensors: tuple[TensorInfo, ...], split_count: int) -> int:
    """The sum over the tensors; of a split model, whose first part has few of them, the size of all files."""
    here = sum(tensor.size_bytes for tensor in tensors)
    return here if split_count == 1 else max(here, whole_size(path) or 0)
