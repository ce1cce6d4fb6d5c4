"""From the name that a person types to what is on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NoReturn

from phicli.catalog.names import is_repo_name, squash
from phicli.catalog.quants import meant
from phicli.catalog.resolve import resolve
from phicli.errors import NotFoundError, UsageError
from phicli.gguf_file.names import first_part
from phicli.hub.disk.inventory import CachedModel, Inventory
from phicli.hub.in_place.registry import RegisteredModel
from phicli.hub.typed_name import is_typed_address, typed_name
from phicli.units import listed

_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Picked:
    """What a name means: models in the cache, or one that is registered in place."""

    models: tuple[CachedModel, ...]
    registered: tuple[RegisteredModel, ...] = ()


def pick(found: Inventory, name: str | None) -> Picked:
    """What ``name`` means of what is on disk: at least one model. None means everything, which may be nothing.

    It is a registered name, ``owner/name[:QUANT or FILE.gguf]``, or a name of the catalog with or without a
    quantization; without one all quantizations are meant.

    Raises:
        UsageError: it is a path, or the model that comes with ``phi``.
        NotFoundError: nothing of that name is there; the hint has what is.
    """
    if name is None:
        return Picked(found.models, found.registered)
    name = name.strip()
    if is_typed_address(name):
        name = typed_name(name)
    own = tuple(model for model in found.registered if squash(model.name) == squash(name))
    if own:
        return Picked((), own)
    repo, _, detail = name.partition(":")
    is_repo = is_repo_name(repo)
    if not is_repo and (not name or name.startswith((".", "/", "~")) or "\\" in name or name.lower().endswith(".gguf")):
        _refuse_path(name)
    models = _of_repo(found, repo, detail) if is_repo else ()
    return Picked(models or _of_variant(found, name, is_repo=is_repo))


def _of_variant(found: Inventory, name: str, *, is_repo: bool) -> tuple[CachedModel, ...]:
    try:
        selection = resolve(name)
    except NotFoundError as error:
        if is_repo and ":" not in name and name.lower().endswith(".gguf"):
            _refuse_path(name)
        _not_here(found, f"{name} is not on this machine" if is_repo else error.message, None)
    variant = selection.variant
    if variant.packaged_file:
        raise UsageError(
            f"{variant.id} is part of phi and is not in the cache", "see what is in the cache: phi cache list"
        )
    models = tuple(model for model in found.models if model.variant_id == variant.id)
    if selection.quant is not None:
        models = tuple(meant(selection.quant, models, lambda model: model.quant))
    if not models:
        _not_here(found, f"{name} is not on this machine", variant.id)
    return models


def _of_repo(found: Inventory, repo: str, detail: str) -> tuple[CachedModel, ...]:
    models = [model for model in found.models if model.repo.lower() == repo.lower()]
    if not detail:
        return tuple(models)
    by_file = tuple(model for model in models if model.filename == first_part(detail))
    return by_file or tuple(meant(detail, models, lambda model: model.quant))


def _refuse_path(name: str) -> NoReturn:
    raise UsageError(
        f"{name!r} is the path of a file, not the name of a model",
        "give the name of a downloaded model: phi cache list",
    )


def _not_here(found: Inventory, message: str, variant_id: str | None) -> NoReturn:
    """Say what is there instead, the same model first."""
    models = sorted(found.models, key=lambda model: model.variant_id != variant_id)
    locals_ = sorted(found.registered, key=lambda model: model.variant_id != variant_id)
    names = list(dict.fromkeys([*(model.name for model in models), *(model.name for model in locals_)]))
    hint = f"on this machine: {listed(names, _SHOWN)}" if names else "no models are on this machine"
    raise NotFoundError(message, f"{hint}; see phi cache list", data={"installed": names})
