"""Picks one model out of a repository's listing, whose names follow no rule."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from phicli.catalog.names import squash
from phicli.errors import NotFoundError, UsageError
from phicli.hub.cache import PREFERRED_QUANTS, quant_of_filename
from phicli.hub.types import RemoteFile, RemoteModel, RemoteRepo
from phicli.units import format_bytes

_PART: Final = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)


def models_of(repo: RemoteRepo, known: Mapping[str, str] | None = None) -> tuple[RemoteModel, ...]:
    """Every complete model of ``repo``, split ones as one; projectors for pictures (``mmproj``) are none.

    ``known`` is what the catalogue says: file name to quantisation.
    """
    groups: dict[tuple[str, int], list[RemoteFile]] = {}
    for file in sorted(repo.files, key=lambda file: file.name):
        base = file.name.rpartition("/")[2].lower()
        if not base.endswith(".gguf") or base.startswith("mmproj"):
            continue
        part = _PART.search(file.name)
        key = (file.name[: part.start()], int(part[2])) if part else (file.name, 1)
        groups.setdefault(key, []).append(file)
    names = known or {}
    return tuple(
        RemoteModel(repo, names.get(files[0].name) or quant_of_filename(files[0].name), tuple(files))
        for (_, count), files in groups.items()
        if _is_whole(files, count)
    )


def choose(repo: RemoteRepo, quant: str | None, known: Mapping[str, str] | None = None) -> RemoteModel:
    """The model of ``repo`` with this quantisation, or whose file has this name (``….gguf``); None: the usual one.

    Raises:
        NotFoundError: there is none; the hint lists those that exist with their sizes.
        UsageError: several files have that quantisation.
    """
    models = models_of(repo, known)
    if not models:
        raise NotFoundError(f"{repo.repo} has no GGUF model", "phi list --all shows the repositories that phi knows")
    if quant is None:
        return _usual(models, known or {})
    if quant.lower().endswith(".gguf"):
        found = [model for model in models if quant in {file.name for file in model.files}]
    else:
        found = [model for model in models if model.quant and squash(model.quant) == squash(quant)]
        found = [model for model in found if model.name in (known or {})] or found
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFoundError(f"{repo.repo} has no {quant}", f"it has {_listing(models)}")
    names = ", ".join(model.name for model in found)
    raise UsageError(f"{repo.repo} has {len(found)} files with {quant}: {names}", f"name one: {repo.repo}:FILE.gguf")


def _is_whole(files: Sequence[RemoteFile], count: int) -> bool:
    if count == 1 and len(files) == 1:
        return True
    numbers = [int(part[1]) for file in files if (part := _PART.search(file.name))]
    return numbers == list(range(1, count + 1))


def _usual(models: Sequence[RemoteModel], known: Mapping[str, str]) -> RemoteModel:
    for quant in PREFERRED_QUANTS:
        of_quant = [model for model in models if model.quant == quant]
        if of_quant:
            return next((model for model in of_quant if model.name in known), of_quant[0])
    if len(models) == 1:
        return models[0]
    raise UsageError(
        f"{models[0].repo.repo} has none of the usual quantisations",
        f"name one of {_listing(models)}: {models[0].repo.repo}:QUANT or :FILE.gguf",
    )


def _listing(models: Sequence[RemoteModel]) -> str:
    ordered = sorted(models, key=lambda model: model.size_bytes)
    return ", ".join(f"{model.quant or model.name} ({format_bytes(model.size_bytes)})" for model in ordered)
