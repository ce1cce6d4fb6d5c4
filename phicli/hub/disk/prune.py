"""Removes what is no longer of use: partial downloads, superseded revisions, names of files that are gone.

Only repositories are touched that the catalog lists or that have a file which ``phi`` hashed (all it ever pulled).
Elsewhere only ``phi``'s own partial downloads go.

A *superseded revision* is a snapshot that no branch or tag means, that the catalog does not pin, that no registered
name leads into, that is not the newest of a repository where none is meant or pinned, and whose every file, but for the
README and its like, is found under the same name in a snapshot that is meant, pinned or that newest. So no model ever
stops being there: at most an older content of it goes. A model that only an old revision has keeps that revision.

Folders that a killed import of an archive left in the data directory go too.

A *partial download* goes unless a running download holds its lock, which is the one huggingface_hub takes. One without
a lock file is nobody's that we know; it goes when nothing was written to it for a while.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.hub import verified
from phicli.hub.archive.unfinished import abandoned, remove_abandoned
from phicli.hub.disk.deletion import Deletion, delete, plan_deletion, require_writable, unchangeable
from phicli.hub.disk.inventory import Inventory, Known, PartialDownload, inventory, known_repos
from phicli.hub.disk.removal import is_companion
from phicli.hub.in_place.registry import RegisteredModel, imports_dir, unregister
from phicli.hub.layout import entries_of, is_within, lock_path, refs_of, repo_root, snapshots_of

QUIET_S: Final = 900.0
"""How long nothing may have been written to a partial download without a lock before it counts as abandoned."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """A snapshot folder ``path`` of ``repo`` that newer ones make needless."""

    repo: str
    revision: str
    path: Path


@dataclass(frozen=True, slots=True)
class KeptPartial:
    """A partial download that stays, and why."""

    partial: PartialDownload
    reason: str


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """What ``phi cache prune`` will do; ``freed_bytes`` is what the disk gains.

    ``leftovers`` are folders of imports that did not end, ``leftover_bytes`` what is in them.
    """

    folder: Path
    partials: tuple[PartialDownload, ...]
    kept: tuple[KeptPartial, ...]
    revisions: tuple[Superseded, ...]
    registrations: tuple[RegisteredModel, ...]
    deletion: Deletion | None
    leftovers: tuple[Path, ...] = ()
    leftover_bytes: int = 0

    @property
    def freed_bytes(self) -> int:
        """What the disk gains."""
        partial_bytes = sum(partial.size_bytes for partial in self.partials) + self.leftover_bytes
        return partial_bytes + (self.deletion.freed_bytes if self.deletion else 0)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.partials or self.revisions or self.registrations or self.leftovers)


def plan_prune(folder: Path | None = None) -> PrunePlan:
    """What can go; nothing is changed."""
    found = inventory(folder)
    known = known_repos()
    ours = {model.repo for model in found.models if model.repo in known or _was_hashed(found, model.repo)} | set(known)
    partials, kept = [], []
    for partial in found.partials:
        reason = _why_kept(found, partial, ours)
        if reason is None:
            partials.append(partial)
        else:
            kept.append(KeptPartial(partial, reason))
    revisions = [one for repo in sorted(ours) for one in _superseded(found, repo, known.get(repo))]
    entries = [entry for one in revisions for entry in entries_of(one.path)]
    gone = tuple(model for model in found.registered if not os.path.lexists(model.path))
    deletion = plan_deletion(found.folder, entries) if entries else None
    left = abandoned(imports_dir())
    left_bytes = sum(path.lstat().st_size for root in left for path in entries_of(root))
    return PrunePlan(
        found.folder, tuple(partials), tuple(kept), tuple(revisions), gone, deletion, left, left_bytes
    )  # fmt: skip


def prune(plan: PrunePlan) -> tuple[KeptPartial, ...]:
    """Do what ``plan`` says; returns the partial downloads that somebody began to use meanwhile.

    Raises:
        UsageError: the cache cannot be changed.
    """
    paths = [partial.path for partial in plan.partials]
    require_writable([*paths, *(plan.deletion.paths if plan.deletion else ())], plan.folder)
    busy = []
    for partial in plan.partials:
        with _locked(plan.folder, partial) as free:
            if free is False:
                busy.append(KeptPartial(partial, _BUSY))
                continue
            try:
                partial.path.unlink(missing_ok=True)
            except OSError as error:
                raise unchangeable(plan.folder, error.strerror or str(error)) from error
    if plan.deletion is not None:
        delete(plan.deletion)
    for model in plan.registrations:
        unregister(model.name)
    if plan.leftovers:
        remove_abandoned(imports_dir())
    return tuple(busy)


_BUSY: Final = "a download is writing it"


def _was_hashed(found: Inventory, repo: str) -> bool:
    parts = (part for model in found.models if model.repo == repo for part in model.parts)
    return any(part.problem is None and verified.recorded(part.path) is not None for part in parts)


def _why_kept(found: Inventory, partial: PartialDownload, ours: set[str]) -> str | None:
    if not is_within(found.folder, repo_root(found.folder, partial.repo)):
        return "its folder is a link to another place"
    if not partial.ours and partial.repo not in ours:
        return "it belongs to a repository that phi did not download"
    with _locked(found.folder, partial) as free:
        if free is False:
            return _BUSY
        if free is None and time.time() - partial.modified_at < QUIET_S:
            return "it was changed a moment ago"
    return None


@contextlib.contextmanager
def _locked(folder: Path, partial: PartialDownload) -> Iterator[bool | None]:
    """Hold the lock of a download: False when somebody else does, None when there is none to hold."""
    from filelock import FileLock, Timeout

    path = lock_path(folder, partial.repo, partial.etag)
    if not path.exists():
        yield None
        return
    free: bool | None = True
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(FileLock(path, timeout=0))
        except Timeout:
            free = False
        except NotImplementedError:  # a file system without locks: it is unknown
            free = None
        except OSError as error:
            raise unchangeable(folder, error.strerror or str(error)) from error
        yield free


def _superseded(found: Inventory, repo: str, known: Known | None) -> Iterator[Superseded]:
    root = repo_root(found.folder, repo)
    if not is_within(found.folder, root):
        return
    snapshots = snapshots_of(root)
    meant = set(refs_of(root).values()) | {known.source.revision if known else None}
    staying = [path for path in snapshots if path.name in meant] or snapshots[:1]
    there = {name for path in staying for name in _names(path) if (path / name).exists()}
    for path in snapshots:
        names = _names(path)
        needed = {name for name in names if not is_companion(name)}
        registered = any(model.path.is_relative_to(path) for model in found.registered)
        if names and path not in staying and not registered and needed <= there:
            yield Superseded(repo, path.name, path)


def _names(snapshot: Path) -> set[str]:
    return {path.relative_to(snapshot).as_posix() for path in entries_of(snapshot)}
