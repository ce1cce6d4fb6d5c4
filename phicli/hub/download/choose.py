"""Picks one model out of a repository's listing, whose names follow no rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from phicli.catalog.quants import PREFERRED_QUANTS, quant_of_filename, same_quant
from phicli.errors import NotFoundError, UsageError
from phicli.gguf_file.names import is_model_name, part_names
from phicli.hub.types import RemoteModel, RemoteRepo
from phicli.units import format_bytes

_MOST_NAMES: Final = 24


def models_of(repo: RemoteRepo, known: Mapping[str, str] | None = None) -> tuple[RemoteModel, ...]:
    """Every complete model of ``repo``, split ones as one; projectors for pictures (``mmproj``) do not count.

    ``known`` is what the catalog says: file name to quantization.
    """
    files = {file.name: file for file in repo.files if is_model_name(file.name)}
    names = known or {}
    models = []
    for name in sorted(files):
        parts = part_names(name)
        if parts[0] == name and all(part in files for part in parts):
            quant = names.get(name) or quant_of_filename(name)
            models.append(RemoteModel(repo, quant, tuple(files[part] for part in parts)))
    return tuple(models)


def choose(
    repo: RemoteRepo, quant: str | None, known: Mapping[str, str] | None = None, *, preferred: str | None = None
) -> RemoteModel:
    """The model of ``repo`` with this quantization, or whose file has this name (``….gguf``).

    None takes the ``preferred`` one where the repository has it, else the usual one.

    Raises:
        NotFoundError: there is none; the hint lists those that exist with their sizes.
        UsageError: several files have that quantization.
    """
    models = models_of(repo, known)
    if not models:
        parts = [file.name for file in repo.files if is_model_name(file.name)]
        what = f"contains only parts of models, such as {parts[0]}" if parts else "contains no GGUF model"
        raise NotFoundError(f"{repo.repo} {what}", "see the repositories that phi knows: phi show MODEL")
    if quant is None:
        order = PREFERRED_QUANTS if preferred is None else (preferred, *PREFERRED_QUANTS)
        return _usual(models, known or {}, order)
    if quant.lower().endswith(".gguf"):
        found = [model for model in models if quant in {file.name for file in model.files}]
    else:
        found = [model for model in models if same_quant(model.quant, quant)]
        found = [model for model in found if model.name in (known or {})] or found
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFoundError(f"{repo.repo} has no {quant}", f"it has {_listing(models)}")
    names = _some([model.name for model in found])
    raise UsageError(f"{repo.repo} has {len(found)} files with {quant}: {names}", f"choose one: {repo.repo}:FILE.gguf")


def _usual(models: Sequence[RemoteModel], known: Mapping[str, str], order: Sequence[str]) -> RemoteModel:
    for quant in order:
        of_quant = [model for model in models if model.quant == quant]
        if of_quant:
            return next((model for model in of_quant if model.name in known), of_quant[0])
    if len(models) == 1:
        return models[0]
    raise UsageError(
        f"{models[0].repo.repo} has none of the usual quantizations",
        f"choose one of {_listing(models)}: {models[0].repo.repo}:QUANT or :FILE.gguf",
    )


def _listing(models: Sequence[RemoteModel]) -> str:
    ordered = sorted(models, key=lambda model: model.size_bytes)
    often = Counter(model.quant for model in models)
    unique = [model.name if model.quant is None or often[model.quant] > 1 else model.quant for model in ordered]
    return _some([f"{name} ({format_bytes(model.size_bytes)})" for name, model in zip(unique, ordered, strict=True)])


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
