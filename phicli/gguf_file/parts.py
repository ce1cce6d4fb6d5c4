"""A model in several files: whether all of them are there, whole, and called as llama.cpp expects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from phicli.errors import IntegrityError, NotFoundError
from phicli.gguf_file.names import part_names, parts_of
from phicli.gguf_file.types import GgufHeader

_TOGETHER: Final = "download the missing part into the same folder: all parts must be there"


def check_parts(header: GgufHeader, read: Callable[[Path], GgufHeader]) -> None:
    """Return if the model that ``header`` belongs to is whole. ``read`` reads the header of another part.

    Raises:
        NotFoundError: a part is missing; the message names it.
        IntegrityError: a part is empty, truncated or of another model, or the names are not those of parts.
    """
    count, path = header.split_count, header.path
    if count == 1:
        return
    place = header.part_number
    names = part_names(path.name)
    if len(names) != count or names[place - 1 : place] != (path.name,):
        raise _misnamed(path, place, count)
    for number, part in enumerate(parts_of(path), 1):
        if not part.exists():
            raise NotFoundError(f"part {number} of {count} of the model is missing: {part}", _TOGETHER)
        if part != path and _numbers(read(part)) != (number, count):
            hint = "put the parts of each model into a separate folder"
            raise IntegrityError(
                f"{part} is not part {number} of {count} of the model, although its name says so", hint
            )


def _numbers(header: GgufHeader) -> tuple[int, int]:
    return header.part_number, header.split_count


def _misnamed(path: Path, place: int, count: int) -> IntegrityError:
    example = f"model-{place:05d}-of-{count:05d}.gguf"
    return IntegrityError(
        f"{path} is part {place} of {count} of a model, but its name does not say so",
        f"rename all parts, because the engine finds them by their names; rename this one, for example, to {example}",
    )
