"""The models on this machine that can be used: of the inventory what ``phi list`` and ``phi show`` tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from phicli.catalog.types import Catalog
from phicli.hub.disk.inventory import CachedModel, inventory
from phicli.hub.in_place.registry import RegisteredModel, is_current
from phicli.hub.verified import recorded

CACHE = "hub cache"


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model on this machine; of a split one ``path`` is the first part and ``size_bytes`` are all parts.

    ``name`` is what to type for it. ``origin`` is ``hub cache``, or where a file that is used in place came from.
    ``repo`` and ``revision`` (a commit) are None for the latter. ``verified_at`` (seconds since 1970) is None when the
    file as it is now was never hashed. ``variant_id`` is None for what the catalog does not know.
    """

    name: str
    quant: str | None
    path: Path
    size_bytes: int
    origin: str
    repo: str | None = None
    revision: str | None = None
    verified_at: float | None = None
    variant_id: str | None = None


def installed_models(book: Catalog | None = None) -> tuple[InstalledModel, ...]:
    """What is in the cache, repository by repository, then what is used in place; no file is opened.

    Of a file with several contents only the one that is run comes: that of ``main``, else the newest.
    """
    found = inventory(book=book)
    cached: dict[tuple[str, str], InstalledModel] = {}
    for model in found.models:
        if model.problem is None:
            cached.setdefault((model.repo, model.filename), _cached(model))
    return (*cached.values(), *_in_place(found.registered))


def _cached(model: CachedModel) -> InstalledModel:
    return InstalledModel(
        name=model.name,
        quant=model.quant,
        path=model.path,
        size_bytes=model.size_bytes,
        origin=CACHE,
        repo=model.repo,
        revision=model.revisions[0],
        verified_at=model.verified_at,
        variant_id=model.variant_id,
    )


def _in_place(models: tuple[RegisteredModel, ...]) -> Iterator[InstalledModel]:
    for model in models:
        if is_current(model):
            record = recorded(model.path)
            yield InstalledModel(
                name=model.name,
                quant=model.quant,
                path=model.path,
                size_bytes=model.size_bytes,
                origin=model.origin,
                verified_at=record.verified_at if record else None,
                variant_id=model.variant_id,
            )
