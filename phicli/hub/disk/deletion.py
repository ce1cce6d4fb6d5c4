"""Deletes entries of the Hugging Face cache, and of their content what nothing else needs.

What may go is worked out by huggingface_hub's ``HFCacheInfo.delete_files``, which knows of blobs that several revisions
or repositories share. Its ``delete_revisions`` is not used: it finds a commit in whichever repository it meets first
(copies of a repository have the same commits), and it empties folders that a running download may be filling. And three
things are added: a link out of the cache is removed and never followed (``delete_files`` deletes what it points to); a
repository that huggingface_hub calls corrupt (one broken link, or a branch whose download has not finished) can be
cleaned too; folders are removed only when they are empty.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from phicli.errors import UsageError
from phicli.hub import verified
from phicli.hub.layout import (
    blobs_folder,
    content_of,
    entries_of,
    is_within,
    leads_away,
    missing_files_folder,
    partials_of,
    ref_path,
    refs_of,
    repo_name,
    root_of_snapshot,
    snapshots_of,
)

if TYPE_CHECKING:
    from huggingface_hub import CachedFileInfo, CachedRepoInfo, DeleteCacheStrategy, HFCacheInfo


@dataclass(frozen=True, slots=True)
class Deletion:
    """What will be deleted; ``freed_bytes`` leaves out what others keep using. ``repos`` are the folders concerned."""

    folder: Path
    repos: tuple[Path, ...]
    freed_bytes: int
    strategy: DeleteCacheStrategy

    @property
    def paths(self) -> frozenset[Path]:
        """The files and links that go."""
        return self.strategy.files | self.strategy.blobs


def plan_deletion(folder: Path, entries: Collection[Path]) -> Deletion:
    """What it takes to delete ``entries`` (files in snapshots) of the cache ``folder``; nothing is changed.

    Raises:
        UsageError: an entry is elsewhere, because a folder of the cache is a link.
    """
    real = Path(os.path.realpath(folder))
    wanted = _places(entries, real, folder)
    repos = {_root_of(path, real) for path in wanted}
    followed = {path for path in wanted if _is_whole(path, _root_of(path, real))}
    found = _scan(real, repos)
    infos = [file for repo in found.repos for snapshot in repo.revisions for file in snapshot.files]
    chosen = [info for info in infos if info.file_path in followed]
    strategy = found.delete_files(*chosen)
    dead = {link for root in repos for link in _dead_links(root, wanted - followed)}
    freed_bytes = int(strategy.expected_freed_size) - _kept_elsewhere(strategy, chosen, real)
    return Deletion(folder, tuple(sorted(repos)), freed_bytes, replace(strategy, files=strategy.files | wanted | dead))


def delete(deletion: Deletion, *, keep_folders: bool = False) -> None:
    """Do it, forget the hashes of what is gone, and remove the folders that are empty then.

    Raises:
        UsageError: the cache cannot be changed; when that shows beforehand, nothing was.
    """
    paths = deletion.paths
    require_writable(paths, deletion.folder)
    contents = {os.path.realpath(path) for path in paths}
    try:
        deletion.strategy.execute()
    except OSError as error:
        raise unchangeable(deletion.folder, error.strerror or str(error)) from error
    left = [path for path in paths if os.path.lexists(path)]
    if left:
        raise unchangeable(deletion.folder, f"{left[0].name} still exists")
    for content in contents:
        if not os.path.lexists(content):
            verified.forget(Path(content))
    if not keep_folders:
        for root in deletion.repos:
            _tidy(root)


def require_writable(paths: Iterable[Path], folder: Path) -> None:
    """Return if all ``paths`` can be deleted, as far as the permissions of their folders tell.

    Raises:
        UsageError: one cannot.
    """
    effective = os.access in os.supports_effective_ids
    for parent in sorted({path.parent for path in paths}):
        if not os.access(parent, os.W_OK | os.X_OK, effective_ids=effective):
            raise unchangeable(folder, f"no permission to write in {parent.name}")


def unchangeable(folder: Path, reason: str) -> UsageError:
    """The error for a cache that cannot be changed."""
    return UsageError(
        f"the cache {folder} cannot be changed: {reason}", "check the permissions of the folder: phi cache dir"
    )


def _places(entries: Collection[Path], real: Path, folder: Path) -> frozenset[Path]:
    """The entries by their real folders: ones in a snapshot of the cache ``real``.

    Raises:
        UsageError: one is not there.
    """
    places: dict[Path, Path] = {}
    for entry in entries:
        if entry.parent not in places:
            place = places[entry.parent] = Path(os.path.realpath(entry.parent))
            root = root_of_snapshot(place, real)
            if root is None or not is_within(real, root):
                raise UsageError(
                    f"{entry.name} is outside the cache {folder}: a folder in it is a link to another place",
                    "phi deletes only files in the cache; remove it by hand",
                )
    return frozenset(places[entry.parent] / entry.name for entry in entries)


def _root_of(path: Path, real: Path) -> Path:
    """The folder of the repository that ``path`` in the cache ``real`` belongs to."""
    return real / path.relative_to(real).parts[0]


def _is_whole(path: Path, root: Path) -> bool:
    """Whether the entry leads to content of its own repository, which may go with it."""
    return path.is_file() and content_of(path, root) is not None


def _dead_links(root: Path, wanted: Collection[Path]) -> set[Path]:
    """Links under ``blobs`` that lead nowhere or round in circles, and that no entry but the ``wanted`` ones uses."""
    mine = {path for path in wanted if path.is_relative_to(root)}
    contents = {content_of(path, root) for path in mine} - mine
    links = {content for content in contents if content is not None and content.is_symlink()}
    if links:
        others = {entry for snapshot in snapshots_of(root) for entry in entries_of(snapshot)} - mine
        links -= {content for entry in others if (content := content_of(entry, root)) is not None}
    return links


def _kept_elsewhere(strategy: DeleteCacheStrategy, chosen: Iterable[CachedFileInfo], real: Path) -> int:
    """Bytes that huggingface_hub counts and that stay: of what goes under ``blobs``, links to other places."""
    links = {info.blob_path: info for info in chosen if info.blob_path.is_symlink()}
    gone = [links[blob] for blob in strategy.blobs if blob in links]
    return sum(info.size_on_disk for info in gone if leads_away(info.file_path, _root_of(info.file_path, real)))


def _scan(real: Path, repos: Collection[Path]) -> HFCacheInfo:
    """huggingface_hub's view of the cache; ``repos`` that it skips as corrupt are added with what is whole of them."""
    from huggingface_hub import HFCacheInfo, scan_cache_dir

    try:
        found = scan_cache_dir(real)
    except (OSError, ValueError):  # one unreadable folder of anybody's ends the whole scan
        found = HFCacheInfo(0, frozenset(), frozenset(), [], real)
    missing = set(repos) - {repo.repo_path for repo in found.repos}
    return replace(found, repos=found.repos | {_salvaged(root) for root in missing})


def _salvaged(root: Path) -> CachedRepoInfo:
    from huggingface_hub import CachedFileInfo, CachedRepoInfo, CachedRevisionInfo

    revisions = set()
    for snapshot in snapshots_of(root):
        files = set()
        for entry in entries_of(snapshot):
            content = content_of(entry, root)
            if content is not None and content.exists():
                status = content.stat()
                info = CachedFileInfo(entry.name, entry, content, status.st_size, status.st_atime, status.st_mtime)
                files.add(info)
        revisions.add(CachedRevisionInfo(snapshot.name, snapshot, 0, frozenset(files), frozenset(), 0.0))
    return CachedRepoInfo(repo_name(root), "model", root, 0, 0, frozenset(revisions), 0.0, 0.0)


def _tidy(root: Path) -> None:
    """Remove empty snapshots with the branches that mean them, and a repository that has nothing left.

    While something is being downloaded nothing is touched: the download counts on its folders.
    """
    if partials_of(root):
        return
    with contextlib.suppress(OSError):  # what is in the way stays, and so does what it is in
        for snapshot in snapshots_of(root):
            if entries_of(snapshot):
                continue
            for ref, commit in refs_of(root).items():
                if commit == snapshot.name:
                    ref_path(root, ref).unlink(missing_ok=True)
            _remove_empty(snapshot)
        if not snapshots_of(root) and not any(blobs_folder(root).glob("*")):
            for mark in entries_of(missing_files_folder(root)):
                mark.unlink()
            _remove_empty(root)


def _remove_empty(folder: Path) -> None:
    for parent, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            Path(parent).rmdir()
