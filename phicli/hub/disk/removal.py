"""Removes models: what will go, how much that frees, and then doing it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.hub import verified
from phicli.hub.disk.deletion import Deletion, delete, plan_deletion, require_writable, unchangeable
from phicli.hub.disk.inventory import CachedModel, Inventory, inventory
from phicli.hub.disk.selection import pick
from phicli.hub.in_place.registry import RegisteredModel, imported_folder, shares_folder, unregister
from phicli.hub.layout import entries_of, linked_folder, repo_root, snapshot_folder, snapshots_of

_COMPANION: Final = re.compile(r"(readme|licen[cs]e|notice)[^/]*|\.gitattributes", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RemovalPlan:
    """What ``phi rm`` will do.

    ``models`` go from the cache. ``registrations`` are names that will be forgotten; their files stay, but for those
    under ``imported``: folders that ``phi cache import`` made of an archive. ``freed_bytes`` is what the disk gains.
    """

    name: str
    models: tuple[CachedModel, ...]
    registrations: tuple[RegisteredModel, ...]
    imported: tuple[Path, ...]
    deletion: Deletion | None
    freed_bytes: int


def plan_removal(name: str, *, folder: Path | None = None) -> RemovalPlan:
    """What removing ``name`` means; nothing is changed.

    Raises:
        UsageError: it is a path, comes with ``phi``, or is outside of the cache.
        NotFoundError: it is not there.
    """
    found = inventory(folder)
    picked = pick(found, name)
    registrations = picked.registered or _standing_for(found, picked.models)
    imported = _no_longer_needed(found, picked.registered)
    deletion = plan_deletion(found.folder, _entries(found, picked.models)) if picked.models else None
    freed = deletion.freed_bytes if deletion else 0
    freed += sum(path.lstat().st_size for root in imported for path in entries_of(root))
    return RemovalPlan(name, picked.models, registrations, imported, deletion, freed)


def remove(plan: RemovalPlan) -> None:
    """Do what ``plan`` says.

    Raises:
        UsageError: the cache cannot be changed.
    """
    if plan.deletion is not None:
        delete(plan.deletion)
    for root in plan.imported:
        files = entries_of(root)
        require_writable([*files, root], root.parent)
        try:
            shutil.rmtree(root)  # follows no link
        except OSError as error:
            raise unchangeable(root, error.strerror or str(error)) from error
        for path in files:
            verified.forget(path)
    for model in plan.registrations:
        unregister(model.name)


def is_companion(name: str) -> bool:
    """Whether a file of that name is worth nothing without the model it came with."""
    return _COMPANION.fullmatch(name.rpartition("/")[2]) is not None


def _no_longer_needed(found: Inventory, going: Collection[RegisteredModel]) -> tuple[Path, ...]:
    """Folders of imports that no name but those that go leads into."""
    staying = [model for model in found.registered if model not in going]
    folders = dict.fromkeys(folder for model in going if (folder := imported_folder(model)) is not None)
    return tuple(folder for folder in folders if not any(shares_folder(model, folder) for model in staying))


def _standing_for(found: Inventory, models: Collection[CachedModel]) -> tuple[RegisteredModel, ...]:
    """Registrations of files that go."""
    going = {os.path.realpath(part.path) for model in models for part in model.parts}
    return tuple(model for model in found.registered if os.path.realpath(model.path) in going)


def _entries(found: Inventory, models: Collection[CachedModel]) -> list[Path]:
    """The entries of ``models`` in all snapshots, and the companions of a repository that has no other file.

    Where models are behind a link to a folder, it is the link that goes, unless others stay there.
    """
    entries: set[Path] = set()
    for repo in {model.repo for model in models}:
        root = repo_root(found.folder, repo)
        going, staying = _paths(models, repo, root), _paths(set(found.models).difference(models), repo, root)
        kept = {linked_folder(path, root) for path in staying}
        own = {path if (link := linked_folder(path, root)) is None or link in kept else link for path in going}
        others = {entry for snapshot in snapshots_of(root) for entry in entries_of(snapshot)} - own
        alone = all(is_companion(entry.name) for entry in others)
        unfinished = any(partial.repo == repo for partial in found.partials)
        entries |= own | others if alone and not unfinished else own
    return sorted(entries)


def _paths(models: Collection[CachedModel], repo: str, root: Path) -> set[Path]:
    return {path for model in models if model.repo == repo for path in entries_of_model(model, root)}


def entries_of_model(model: CachedModel, root: Path) -> list[Path]:
    """Where the parts of ``model`` are found: in each of its revisions, whether they are there or not."""
    snapshots = [snapshot_folder(root, revision) for revision in model.revisions]
    inside = [part.path.relative_to(snapshots[0]) for part in model.parts]
    paths = (snapshot / name for snapshot in snapshots for name in inside)
    return [path for path in paths if os.path.lexists(path)]
