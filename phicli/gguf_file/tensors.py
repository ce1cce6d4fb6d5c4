"""The tensor list of a GGUF header, held against the size of the file."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import prod
from typing import Final

from phicli.errors import IntegrityError
from phicli.gguf_file.diagnose import GET_AGAIN
from phicli.gguf_file.ggml_types import TENSOR_TYPES
from phicli.gguf_file.types import TensorInfo
from phicli.gguf_file.walker import Cut, Walker, damaged

_MOST_TENSORS: Final = 1 << 18
_SMALLEST_ENTRY_BYTES: Final = 24
_MOST_DIMENSIONS: Final = 4
_HIGHEST_TYPE: Final = 256
_LARGEST_MODEL_BYTES: Final = 1 << 48
_UNKNOWN_SIZE: Final = -1


def read_tensors(walker: Walker, count: int, alignment: int) -> tuple[tuple[TensorInfo, ...], int]:
    """The ``count`` tensors that are listed at the walker's position, and where their data begins (bytes).

    The size of a tensor of a type that is newer than our table is the distance to the next one.

    Raises:
        IntegrityError: the list is damaged, or the file ends before the tensors do.
        Cut: the file ends inside the list.
    """
    if alignment == 0 or alignment & (alignment - 1) or alignment > 1 << 24:
        raise damaged(f"an alignment of {alignment}, which is not a power of two")
    if count > _MOST_TENSORS:
        raise damaged(f"{count:,} tensors")
    if count * _SMALLEST_ENTRY_BYTES > walker.size - walker.pos:
        raise Cut
    tensors = [_read_one(walker, alignment) for _ in range(count)]
    if len({tensor.name for tensor in tensors}) != count:
        raise damaged("two tensors of the same name")
    data_offset = -(-walker.pos // alignment) * alignment
    tensors = _fill_unknown(tensors, walker.size - data_offset)
    _check_all_there(tensors, walker.size, data_offset)
    return tuple(tensors), data_offset


def _read_one(walker: Walker, alignment: int) -> TensorInfo:
    name = walker.string()
    dimensions = walker.u32()
    if dimensions > _MOST_DIMENSIONS:
        raise damaged(f"{dimensions} dimensions for the tensor {name[:80]!r}")
    shape = tuple(walker.u64() for _ in range(dimensions))
    type_id, offset = walker.u32(), walker.u64()
    if type_id > _HIGHEST_TYPE:
        raise damaged(f"the type {type_id} for the tensor {name[:80]!r}")
    if offset % alignment:
        raise damaged(f"the tensor {name[:80]!r} at byte {offset:,}, which is not a multiple of {alignment}")
    type_name, block, block_bytes = TENSOR_TYPES.get(type_id, (f"type {type_id}", 1, 0))
    if shape and shape[0] % block:
        raise damaged(f"rows of {shape[0]:,} for the {type_name} tensor {name[:80]!r}, not a multiple of {block}")
    size = prod(shape) // block * block_bytes if block_bytes else _UNKNOWN_SIZE
    return TensorInfo(name, shape, type_id, type_name, offset, size)


def _fill_unknown(tensors: list[TensorInfo], data_bytes: int) -> list[TensorInfo]:
    if all(tensor.size_bytes != _UNKNOWN_SIZE for tensor in tensors):
        return tensors
    starts = sorted({tensor.offset for tensor in tensors} | {data_bytes})
    following = dict(pairwise(starts))
    return [
        replace(tensor, size_bytes=max(following.get(tensor.offset, 0) - tensor.offset, 0))
        if tensor.size_bytes == _UNKNOWN_SIZE
        else tensor
        for tensor in tensors
    ]


def _check_all_there(tensors: list[TensorInfo], file_bytes: int, data_offset: int) -> None:
    end = 0
    for tensor in sorted(tensors, key=lambda tensor: tensor.offset):
        if tensor.offset < end:
            raise damaged(f"the tensor {tensor.name[:80]!r} overlapping another")
        end = tensor.offset + tensor.size_bytes
    if end > _LARGEST_MODEL_BYTES:
        raise damaged(f"tensors of {end:,} bytes")
    promised = data_offset + end
    if tensors and promised > file_bytes:
        missing = promised - file_bytes
        raise IntegrityError(
            f"the file is truncated: it has {file_bytes:,} bytes, but its header announces {promised:,} "
            f"({missing:,} are missing)",
            GET_AGAIN,
            data={"file_size_bytes": file_bytes, "promised_bytes": promised},
        )
