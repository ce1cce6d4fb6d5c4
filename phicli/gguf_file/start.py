"""Tells what a file is by its first bytes: its header is often larger, but what it is stands before the vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from phicli.errors import IntegrityError
from phicli.gguf_file.kind import FileKind, kind_by_name, kind_of
from phicli.gguf_file.names import part_names
from phicli.gguf_file.scan import UINT32, UINT64, Scan, scan_keys
from phicli.gguf_file.walker import Cut, Walker

START_BYTES: Final = 1 << 16
"""The first bytes of a file, which mostly tell what it is."""
_TELLING_TENSORS: Final = 64


def seems_a_model(path: Path) -> bool:
    """Whether the file at ``path`` is to be listed as a model: by its name, and by its content where the name says no.

    Most files are not opened for that: it would change the time when they were last used.
    """
    return kind_by_name(path.name) is FileKind.MODEL or kind_of_file(path) is FileKind.MODEL


def kind_of_file(path: Path) -> FileKind | None:
    """What the file at ``path`` is, by its first :data:`START_BYTES`; None where they do not tell.

    A pipe or a device is not opened: it might never end.
    """
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            return kind_at_start(file.read(START_BYTES), path.name)
    except (OSError, ValueError):
        return None


def kind_at_start(start: bytes, name: str) -> FileKind | None:
    """What the file ``name`` is, by its first bytes (:data:`START_BYTES` are enough); None where they do not tell."""
    if not start.startswith(b"GGUF"):
        return None
    if is_big_endian(start):
        return FileKind.BIG_ENDIAN
    walker, scan, tensors = Walker(start), Scan(), None
    walker.pos = 8
    try:
        tensor_count, key_count = walker.u64(), walker.u64()
        if not tensor_count and len(part_names(name)) == 1:
            tensors = set[str]()
        scan_keys(walker, key_count, scan)
        for _ in range(min(tensor_count, _TELLING_TENSORS)):
            tensor = walker.string()
            tensors = {*(tensors or ()), tensor}
            walker.skip(UINT64, walker.u32())
            walker.skip(UINT32, 3)  # its type, and its offset
    except Cut:
        pass
    except IntegrityError:
        return None
    return kind_of(scan.metadata, tensors) if scan.metadata or tensors is not None else None


def is_big_endian(start: bytes) -> bool:
    """Whether a GGUF file that begins so is big-endian: by its version, which is 2 or 3 then."""
    return int.from_bytes(start[4:8], "little") not in (1, 2, 3) and int.from_bytes(start[4:8], "big") in (2, 3)
