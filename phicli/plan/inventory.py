"""What is on this machine: the hub's cache, and files registered where they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from phicli.catalog.types import Catalog, GgufSource, Variant
from phicli.hub.cache import InstalledFile, cache_folder, installed, installed_in
from phicli.hub.local import LocalModel, is_current, registered
from phicli.hub.verified import recorded

CACHE = "hub cache"


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model on this machine; of a split one ``path`` is the first part and ``size_bytes`` are all parts.

    ``name`` is what to type for it. ``origin`` is ``hub cache``, or where a file that is used in place came from.
    ``repo`` and ``revision`` (a commit) are None for the latter. ``verified_at`` (seconds since 1970) is None when the
    file as it is now was never hashed.
    """

    name: str
    quant: str | None
    path: Path
    size_bytes: int
    origin: str
    repo: str | None = None
    revision: str | None = None
    verified_at: float | None = None


@dataclass(frozen=True, slots=True)
class Inventory:
    """Variant id → what is installed of it, and the models that the catalogue does not know, by name."""

    known: Mapping[str, tuple[InstalledModel, ...]]
    others: tuple[InstalledModel, ...] = ()


def take_inventory(book: Catalog) -> Inventory:
    """Look at the cache's folders and the register; no file is opened."""
    in_place = [(model.variant_id, _in_place(model)) for model in registered() if is_current(model)]
    known = {variant.id: _of_variant(variant, in_place) for variant in book.variants}
    others = [_cached(file, None) for file in _unknown_files(book)]
    others += [model for variant_id, model in in_place if variant_id not in known]
    return Inventory(known, tuple(others))


def installed_of(variant: Variant) -> tuple[InstalledModel, ...]:
    """What is installed of ``variant``: the cache in the catalogue's order, then files used in place."""
    return _of_variant(variant, [(model.variant_id, _in_place(model)) for model in registered() if is_current(model)])


def _of_variant(variant: Variant, in_place: Sequence[tuple[str | None, InstalledModel]]) -> tuple[InstalledModel, ...]:
    cached = [_cached(file, variant) for file in installed(variant)]
    return (*cached, *(model for variant_id, model in in_place if variant_id == variant.id))


def _in_place(model: LocalModel) -> InstalledModel:
    path = Path(model.path)
    return InstalledModel(
        name=model.name,
        quant=model.quant,
        path=path,
        size_bytes=model.size_bytes,
        origin=model.origin,
        verified_at=_verified_at(path),
    )


def _unknown_files(book: Catalog) -> list[InstalledFile]:
    """GGUF files in the cache from repositories that the catalogue does not name, by repository."""
    listed = {source.repo for variant in book.variants for source in variant.sources}
    try:
        folders = sorted(path.name for path in cache_folder().iterdir() if path.name.startswith("models--"))
    except OSError:
        return []
    repos = [name.removeprefix("models--").replace("--", "/", 1) for name in folders]
    return [file for repo in repos if repo not in listed for file in installed_in(GgufSource(repo))]


def _cached(file: InstalledFile, variant: Variant | None) -> InstalledModel:
    return InstalledModel(
        name=_name(file, variant),
        quant=file.quant,
        path=file.path,
        size_bytes=file.size_bytes,
        origin=CACHE,
        repo=file.repo,
        revision=file.revision,
        verified_at=_verified_at(file.path),
    )


def _name(file: InstalledFile, variant: Variant | None) -> str:
    if file.quant is None:
        return f"{file.repo}:{file.filename}"
    return f"{variant.id}:{file.quant.lower()}" if variant else f"{file.repo}:{file.quant}"


def _verified_at(path: Path) -> float | None:
    record = recorded(path)
    return None if record is None else record.verified_at
