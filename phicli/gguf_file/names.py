"""What the names of GGUF files tell: which files are parts of one model. What kind a file is: :mod:`.kind`.

A split model is ``NAME-00001-of-00003.gguf`` and so on, as llama.cpp's ``gguf-split`` writes it; its first part is the
one that is opened.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_PART: Final = re.compile(r"-(\d{5})-of-(\d{5})(?=\.gguf$)", re.IGNORECASE)


def is_gguf_name(name: str) -> bool:
    """Whether a file of that name is a GGUF file: a model, a part of one, or something else in that format."""
    return name.lower().endswith(".gguf")


def part_names(name: str) -> tuple[str, ...]:
    """The names of all parts of the model that the file ``name`` belongs to, in order: mostly ``name`` alone."""
    part = _PART.search(name)
    if part is None or not 1 <= int(part[1]) <= int(part[2]):
        return (name,)
    stem, end = name[: part.start()], name[part.end() :]
    return tuple(f"{stem}-{number:05d}-of-{part[2]}{end}" for number in range(1, int(part[2]) + 1))


def first_part(name: str) -> str:
    """The name of the file to open: of a split model the first part, ``name`` itself for any other."""
    return part_names(name)[0]


def stem_of(name: str) -> str:
    """``name`` without folders, ``.gguf`` and the number of a part."""
    base = _PART.sub("", name.rpartition("/")[2])
    return base[:-5] if base.lower().endswith(".gguf") else base


def parts_of(path: Path) -> tuple[Path, ...]:
    """All files of the model that ``path`` belongs to, whether they are there or not: mostly ``path`` alone."""
    names = part_names(path.name)
    return (path,) if names == (path.name,) else tuple(path.with_name(name) for name in names)


def whole_size(path: Path) -> int | None:
    """Size in bytes of all parts of the model that ``path`` belongs to, None when one is missing."""
    try:
        return sum(part.stat().st_size for part in parts_of(path))
    except OSError:
        return None
