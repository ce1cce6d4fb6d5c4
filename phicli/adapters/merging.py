"""Writes a model with an adapter in its weights: ``W + scale x alpha / rank x B A``, in the types of the model's file.

The file stays the same byte for byte, but for the matrices that the adapter changes; of those some rows are in memory
at a time. A model in several files becomes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from phicli.adapters.joining import Joined, joined, parts_with
from phicli.adapters.new_file import new_file
from phicli.errors import DoesNotFitError, IntegrityError, UsageError
from phicli.gguf_file.adapter import EMBEDDING, AdapterHeader, LoraPair, check_base
from phicli.gguf_file.ggml_types import TENSOR_TYPES
from phicli.gguf_file.names import parts_of
from phicli.gguf_file.types import GgufHeader, TensorInfo
from phicli.hub.store import free_bytes
from phicli.paths import output_target
from phicli.units import format_bytes, listed

if TYPE_CHECKING:
    import numpy as np

    Matrix = np.ndarray[Any, np.dtype[np.float32]]

MERGEABLE: Final = ("F32", "F16", "BF16", "Q8_0")
"""Types whose rounding is small beside what an adapter changes, and which the package ``gguf`` can write."""
_CHUNK_BYTES: Final = 8 << 20
_ROWS_BYTES: Final = 32 << 20
_MATRIX: Final = 2

OnBytes = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Merge:
    """What is merged: a model with its ``header``, called ``model``, and an adapter at a scale."""

    header: GgufHeader
    model: str
    adapter: AdapterHeader
    adapter_name: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Merged:
    """What was written; ``tensors`` is the number of matrices that changed."""

    path: Path
    size_bytes: int
    tensors: int


def merge(what: Merge, target: Path, *, force: bool = False, on_bytes: OnBytes) -> Merged:
    """Write the model with the adapter in it to ``target``, completely or not at all.

    Args:
        what: the model, the adapter and the scale.
        target: the new file.
        force: replace a file that is there.
        on_bytes: is told the bytes that are written, and all bytes.

    Raises:
        WrongBaseError: the adapter was made for another model.
        UsageError: the types of the model's file cannot be merged; the target is there, or is one of the sources.
        DoesNotFitError: the disk is too small.
        IntegrityError: a source changed meanwhile, or a weight would become too large.
        OSError: the target cannot be written.
    """
    check_base(what.adapter, what.header, name=what.adapter_name, model=what.model)
    parts = parts_with(what.header)
    _check_types(what, parts)
    whole = joined(parts) if len(parts) > 1 else None
    size_bytes = what.header.file_size_bytes if whole is None else whole.size_bytes
    sources = (*(part.path for part in parts), what.adapter.path)
    path = _checked_target(target, sources, size_bytes, force=force)
    before = _stamp(sources)
    with new_file(path) as new, new.open("wb") as file:
        for done in _written(what, file) if whole is None else _written_as_one(what, whole, file):
            on_bytes(done, size_bytes)
        if _stamp(sources) != before:
            raise IntegrityError(f"{what.header.path} changed while it was read", "run the command again")
    return Merged(path, size_bytes, len(what.adapter.pairs))


def _check_types(what: Merge, parts: Sequence[GgufHeader]) -> None:
    types = {tensor.type_name for part in parts for tensor in part.tensors if tensor.name in what.adapter.pairs}
    if others := sorted(types - {*MERGEABLE}):
        raise UsageError(
            f"the matrices that the adapter changes are {listed(others, 4)} in {what.model}; phi merges into "
            f"{', '.join(MERGEABLE)} only, since a coarser type would lose what the adapter changes",
            "merge into a Q8_0 or F16 file of the model (phi pull MODEL:q8_0); or use the adapter as it is: "
            f"phi chat MODEL --adapter {what.adapter_name}",
        )
    if any(len(pair.shape) != _MATRIX for pair in what.adapter.pairs.values()):
        raise UsageError("the adapter changes experts, which phi does not merge", "use the adapter as it is")


def _checked_target(target: Path, sources: Sequence[Path], needed: int, *, force: bool) -> Path:
    if target.suffix.lower() != ".gguf":
        raise UsageError(f"{target} does not end in .gguf", f"for example: {target.name or 'merged'}.gguf")
    if len(parts_of(target)) > 1:
        raise UsageError(f"{target} is the name of a part of a model", "for example: merged.gguf")
    path = output_target(target)
    if path.exists():
        if any(path.samefile(source) for source in sources):
            raise UsageError(f"{target} is one of the files that are merged", "give another name for the new file")
        if not force:
            raise UsageError(f"{target} exists already", "give another name, or replace it with --force")
    free = free_bytes(path.parent)
    if needed > free:
        raise DoesNotFitError(
            f"{target} needs {format_bytes(needed)}, but only {format_bytes(free)} are free on its disk",
            "free some space, or write to another disk",
        )
    return path


def _stamp(sources: Sequence[Path]) -> tuple[tuple[int, int], ...]:
    found = (path.stat() for path in sources)
    return tuple((one.st_size, one.st_mtime_ns) for one in found)


def _written(what: Merge, file: IO[bytes]) -> Iterator[int]:
    """Write all of the file; after each piece, the bytes that are written."""
    header, at = what.header, 0
    with header.path.open("rb") as source:
        for tensor in sorted(header.tensors, key=lambda tensor: tensor.offset):
            pair = what.adapter.pairs.get(tensor.name)
            if pair is None:
                continue
            start = header.data_offset + tensor.offset
            for piece in _copied(source, at, start):
                at += file.write(piece)
                yield at
            for piece in _merged(what, header, tensor, pair):
                at += file.write(piece)
                yield at
        for piece in _copied(source, at, header.file_size_bytes):
            at += file.write(piece)
            yield at


def _written_as_one(what: Merge, whole: Joined, file: IO[bytes]) -> Iterator[int]:
    """Write a model in several files as one; after each piece, the bytes that are written."""
    at = file.write(whole.head)
    for part, tensor in whole.tensors:
        pair = what.adapter.pairs.get(tensor.name)
        with part.path.open("rb") as source:
            start = part.data_offset + tensor.offset
            same = _copied(source, start, start + tensor.size_bytes)
            for piece in same if pair is None else _merged(what, part, tensor, pair):
                at += file.write(piece)
                yield at
        at += file.write(b"\0" * (-at % whole.alignment))


def _copied(source: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    source.seek(start)
    while start < end:
        piece = source.read(min(_CHUNK_BYTES, end - start))
        if not piece:
            raise IntegrityError("the file of the model changed while it was read", "run the command again")
        start += len(piece)
        yield piece


def _merged(what: Merge, header: GgufHeader, tensor: TensorInfo, pair: LoraPair) -> Iterator[bytes]:
    """The bytes of one matrix, some rows at a time: rows are the outputs of it."""
    import numpy as np

    inputs, outputs = tensor.shape
    a, b = (_values(what.adapter, one) for one in (pair.a, pair.b))
    left, right = (a, np.ascontiguousarray(b.T)) if tensor.name == EMBEDDING else (b, a)
    left = left * np.float32(what.adapter.factor(pair, what.scale))
    row_bytes, rows = tensor.size_bytes // outputs, max(1, _ROWS_BYTES // (4 * inputs))
    start = header.data_offset + tensor.offset
    raw = np.memmap(header.path, dtype=np.uint8, mode="r", offset=start, shape=(outputs, row_bytes))
    for first in range(0, outputs, rows):
        block = _decoded(raw[first : first + rows], tensor.type_name, inputs)
        with np.errstate(over="ignore", invalid="ignore"):
            block = block + left[first : first + rows] @ right
        if not np.isfinite(block).all():
            raise IntegrityError(
                f"{tensor.name} would have values that are not numbers",
                "check the scale, and the files: phi show FILE.gguf",
            )
        yield _encoded(block, tensor)


def _values(adapter: AdapterHeader, tensor: TensorInfo) -> Matrix:
    """The values of a matrix of the adapter, rows first."""
    import numpy as np

    start, shape = adapter.data_offset + tensor.offset, tuple(reversed(tensor.shape))
    raw = np.memmap(
        adapter.path, dtype=np.uint8, mode="r", offset=start, shape=(shape[0], tensor.size_bytes // shape[0])
    )
    return _decoded(raw, tensor.type_name, shape[1])


def _decoded(raw: np.ndarray[Any, Any], type_name: str, columns: int) -> Matrix:
    import gguf
    import numpy as np

    try:
        found = gguf.quants.dequantize(np.ascontiguousarray(raw), gguf.GGMLQuantizationType[type_name])
    except (NotImplementedError, KeyError):
        known = ", ".join(name for name, _, _ in TENSOR_TYPES.values() if name in MERGEABLE)
        raise UsageError(
            f"the adapter has the type {type_name}, which phi does not merge", f"phi merges {known}"
        ) from None
    return np.asarray(found, dtype=np.float32).reshape(len(raw), columns)


def _encoded(block: Matrix, tensor: TensorInfo) -> bytes:
    import gguf
    import numpy as np

    with np.errstate(over="ignore"):
        found = gguf.quants.quantize(block, gguf.GGMLQuantizationType[tensor.type_name])
    if tensor.type_name == "F16" and not np.isfinite(found).all():
        raise IntegrityError(f"{tensor.name} would have values that F16 cannot hold", "check the scale of the adapter")
    return np.ascontiguousarray(found).tobytes()
