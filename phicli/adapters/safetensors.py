"""Reads files in the safetensors format: a JSON header, and tensors that are mapped, not copied.

Format: the length of the header in 8 bytes, the header, the data. Source: the README of huggingface/safetensors. Only
the types in which adapters are saved are read; the package itself has no numpy type for BF16.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from phicli.errors import IntegrityError
from phicli.gguf_file.diagnose import GET_AGAIN, check_is_file, unreadable

if TYPE_CHECKING:
    import numpy as np

_LENGTH_BYTES: Final = 8
_LARGEST_HEADER: Final = 100_000_000
_MOST_DIMENSIONS: Final = 8
_WIDTHS: Final[Mapping[str, int]] = {"F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True, slots=True)
class SavedTensor:
    """One tensor: ``dtype`` as the format calls it (``BF16``), ``shape`` with the slowest dimension first."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class SafetensorsFile:
    """A file, and its tensors by name."""

    path: Path
    tensors: Mapping[str, SavedTensor]

    def values(self, tensor: SavedTensor) -> np.ndarray[Any, Any]:
        """The values of a tensor: F16 as they are, F32 and BF16 as F32.

        Raises:
            IntegrityError: the file changed since it was opened, or cannot be read.
        """
        import numpy as np

        kind = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}[tensor.dtype]
        try:
            raw = np.memmap(self.path, dtype=kind, mode="r", offset=tensor.start, shape=tensor.shape)
        except OSError as error:
            raise unreadable(self.path, error) from None
        except ValueError:
            raise IntegrityError(f"{self.path} changed while it was read", "run the command again") from None
        if tensor.dtype != "BF16":
            return np.asarray(raw)
        found: np.ndarray[Any, Any] = (raw.astype(np.uint32) << 16).view(np.float32)
        return found


def read_safetensors(path: Path) -> SafetensorsFile:
    """Read the header of the file at ``path``.

    Raises:
        NotFoundError: there is no such file.
        IntegrityError: it is not a safetensors file, it is damaged, or a tensor has a type that is not read here.
    """
    size = check_is_file(path)
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            if not 2 <= length <= min(_LARGEST_HEADER, size - _LENGTH_BYTES):
                raise _damaged(path, "it is not a safetensors file, or it is truncated")
            content = file.read(length)
    except OSError as error:
        raise unreadable(path, error) from None
    try:
        entries = json.loads(content)
    except (ValueError, RecursionError):
        raise _damaged(path, "its header is not JSON") from None
    if not isinstance(entries, dict):
        raise _damaged(path, "its header is not a JSON object")
    entries.pop("__metadata__", None)
    start = _LENGTH_BYTES + length
    tensors = {name: _tensor(path, name, entry, start, size) for name, entry in entries.items()}
    return SafetensorsFile(path, tensors)


def _tensor(path: Path, name: str, entry: Any, data_start: int, file_bytes: int) -> SavedTensor:
    try:
        dtype, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        numbers = (*shape, begin, end)
    except (TypeError, KeyError, ValueError):
        raise _damaged(path, f"the entry of {name[:80]!r} is incomplete") from None
    if not all(type(number) is int and number >= 0 for number in numbers) or len(shape) > _MOST_DIMENSIONS:
        raise _damaged(path, f"the numbers of {name[:80]!r} make no sense")
    if not isinstance(dtype, str) or dtype not in _WIDTHS:
        known = ", ".join(_WIDTHS)
        raise IntegrityError(
            f"{path}: {name[:80]} has the type {str(dtype)[:20]}; phi reads {known}",
            "save it again in one of these types, e.g. model.to(torch.float32)",
        )
    if end - begin != prod(shape) * _WIDTHS[dtype] or end > file_bytes - data_start:
        raise _damaged(path, f"it ends before {name[:80]!r} does, or it is truncated")
    return SavedTensor(name, dtype, shape, data_start + begin, end - begin)


def _damaged(path: Path, what: str) -> IntegrityError:
    return IntegrityError(f"{path} cannot be read: {what}", GET_AGAIN)
