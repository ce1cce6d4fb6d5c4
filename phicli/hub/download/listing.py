"""What a repository has, in words: for errors about what it does not have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from phicli.catalog.quants import meant, quant_of_filename
from phicli.errors import NotFoundError
from phicli.gguf_file.kind import FileKind
from phicli.gguf_file.names import first_part, is_gguf_name, part_names
from phicli.hub.types import RemoteModel, RemoteRepo
from phicli.units import format_bytes, listed

_MOST_NAMES: Final = 24
_PIECE: Final = re.compile(r"\.gguf[.-](?:part-?\d+(?:of\d+)?|split-[a-z]+)$", re.IGNORECASE)
"""The end of a name of one piece of a file, as ``split`` makes them: pieces become a file when they are joined."""


def sizes(models: Sequence[RemoteModel]) -> str:
    """The quantizations of ``models``, or their names where that tells more, with their sizes; small ones first."""
    ordered = sorted(models, key=lambda model: model.size_bytes)
    often = Counter(model.quant for model in models)
    unique = [model.name if model.quant is None or often[model.quant] > 1 else model.quant for model in ordered]
    return some([f"{name} ({format_bytes(model.size_bytes)})" for name, model in zip(unique, ordered, strict=True)])


def some(names: Sequence[str]) -> str:
    """``names`` in one line, which may leave out the last of many."""
    return listed(names, _MOST_NAMES)


def absent(repo: RemoteRepo, wanted: str | None, models: Sequence[RemoteModel]) -> NotFoundError:
    """The error for a quantization or file that is not among the complete files of ``repo``; None means any model."""
    names = [file.name for file in repo.files]
    hint = f"it has {sizes(models)}" if models else "see the repositories that phi knows: phi show MODEL"
    for name in names:
        if wanted is not None and not _is_meant(wanted, name):
            continue
        lost = [part for part in part_names(name) if is_gguf_name(name) and part not in names]
        if lost:
            return NotFoundError(f"{repo.repo} has {name}, but another part of that model is missing: {lost[0]}", hint)
        if _PIECE.search(name):
            hint = "download the pieces, join them into one file, then: phi cache import FILE.gguf"
            return NotFoundError(f"{repo.repo} has that model only in pieces that must be joined, such as {name}", hint)
    if wanted is None:
        return NotFoundError(f"{repo.repo} contains no GGUF model", hint)
    return NotFoundError(f"{repo.repo} has no {wanted}", hint)


def other_kinds(
    repo: RemoteRepo, wanted: str | None, files: Mapping[str, FileKind], models: Sequence[RemoteModel]
) -> NotFoundError:
    """The error for files that are no models, by name; ``models`` are what the repository has besides."""
    what = some([f"{name} is {kind.phrase}" for name, kind in files.items()])
    hint = f"it has {sizes(models)}" if models else "see the repositories that phi knows: phi show MODEL"
    if wanted is not None and wanted in files:
        return NotFoundError(f"{wanted} of {repo.repo} is {files[wanted].phrase}, not a model", hint)
    has_no = "contains no GGUF model" if wanted is None else f"has no model for {wanted}"
    return NotFoundError(f"{repo.repo} {has_no}: {what}", hint)


def _is_meant(wanted: str, name: str) -> bool:
    if is_gguf_name(wanted):
        return first_part(name) == first_part(wanted) or name.startswith(wanted)
    return bool(meant(wanted, [name], quant_of_filename))
