"""Puts finished files into the layout of the Hugging Face cache, so that every other tool finds them there.

Names that the hub gives are checked before they become places (:mod:`phicli.hub.layout`). Tests compare with
huggingface_hub's own functions.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path
from typing import Final

from phicli.errors import IntegrityError
from phicli.hub import layout
from phicli.hub.types import RemoteFile
from phicli.paths import write_atomically

_LONGEST_PART: Final = 255
_SAFE: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_TRUE: Final = ("1", "ON", "YES", "TRUE")
"""What huggingface_hub takes for yes."""

_TAG: Final = """Signature: 8a477f597d28d172789f06886806bc55
# This file marks the folder as a cache that backups may leave out: https://bford.info/cachedir/
"""


def repo_folder(folder: Path, repo: str) -> Path:
    """The folder of ``repo`` (``owner/name``) in the cache ``folder``.

    Raises:
        IntegrityError: the name cannot be that of a repository.
    """
    if not layout.is_hub_repo(repo):
        raise IntegrityError(f"{repo!r} is not the name of a repository", "the format is owner/name")
    return layout.repo_root(folder, repo)


def blob_path(folder: Path, repo: str, etag: str) -> Path:
    """The path of the content called ``etag``.

    Raises:
        IntegrityError: the name could mean another place.
    """
    if not _SAFE.fullmatch(etag):
        raise IntegrityError(
            f"the hub returned an invalid content id for a file: {etag!r}", "phi does not accept this id"
        )
    return layout.blobs_folder(repo_folder(folder, repo)) / etag


def partial_path(folder: Path, repo: str, etag: str) -> Path:
    """Where the content called ``etag`` grows."""
    blob = blob_path(folder, repo, etag)
    return blob.with_name(layout.partial_name(blob.name))


def lock_path(folder: Path, repo: str, etag: str) -> Path:
    """The lock that huggingface_hub takes for the same content."""
    return layout.lock_path(folder, repo, blob_path(folder, repo, etag).name)


def snapshot_path(folder: Path, repo: str, commit: str, name: str) -> Path:
    """Where the file ``name`` of ``commit`` is found.

    Raises:
        IntegrityError: the name or the commit would lead out of the snapshot.
    """
    parts = name.split("/")
    if not all(_is_plain(part) for part in parts) or not _SAFE.fullmatch(commit):
        raise IntegrityError(
            f"{name[:_LONGEST_PART]!r} at {commit[:80]!r} is not a file name that phi accepts",
            "it is too long, contains control characters, or leads out of the cache",
        )
    return layout.snapshot_folder(repo_folder(folder, repo), commit).joinpath(*parts)


def check_names(folder: Path, repo: str, commit: str, file: RemoteFile) -> None:
    """Return if ``file`` can have its place in the cache.

    Raises:
        IntegrityError: a name that the hub gives would lead elsewhere, or is not valid.
    """
    snapshot_path(folder, repo, commit, file.name)
    blob_path(folder, repo, file.etag)


def _is_plain(part: str) -> bool:
    """Whether ``part`` is the name of one file or folder, printable on every system."""
    odd = part in ("", ".", "..") or "\\" in part or not part.isprintable()
    return not odd and len(part.encode()) <= _LONGEST_PART


def place(folder: Path, repo: str, commit: str, revision: str | None, name: str, etag: str, partial: Path) -> Path:
    """Move the complete file ``partial`` to its place and return the path in the snapshot.

    ``partial`` is on the same file system; ``revision`` (a branch or tag, None for none) will mean ``commit``. At each
    moment the names lead to a complete file or to none.

    Raises:
        OSError: the cache cannot be written.
    """
    blob = blob_path(folder, repo, etag)
    blob.parent.mkdir(parents=True, exist_ok=True)
    _tag(folder)
    partial.replace(blob)
    _make_durable(blob.parent)
    try:
        return link(folder, repo, commit, revision, name, etag)
    except OSError:
        with contextlib.suppress(OSError):
            blob.replace(partial)  # without a name in a snapshot nobody would find it
        raise


def link(folder: Path, repo: str, commit: str, revision: str | None, name: str, etag: str) -> Path:
    """Make the content ``etag``, which is there, the file ``name`` of ``commit``; returns its path in the snapshot."""
    blob = blob_path(folder, repo, etag)
    path = snapshot_path(folder, repo, commit, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not _is_same(path, blob):
        _give_name(blob, path, layout.snapshots_folder(repo_folder(folder, repo)))
    if revision is not None and revision != commit and ".." not in revision and not revision.startswith("/"):
        ref = layout.ref_path(repo_folder(folder, repo), revision)
        with contextlib.suppress(OSError):
            if ref.read_text("utf-8") == commit:
                return path
        write_atomically(ref, commit.encode(), shared=True)
    return path


def free_bytes(folder: Path) -> int:
    """Space on the disk where ``folder`` is or will be."""
    folder = folder.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _give_name(blob: Path, path: Path, snapshots: Path) -> None:
    """A relative link, put in place at once; the file itself where links cannot be made or are not wanted.

    huggingface_hub does the same, also with ``HF_HUB_DISABLE_SYMLINKS``. A blob that other names lead to is copied.
    """
    fresh = path.with_name(f"{path.name}.{os.getpid()}.link")
    wanted = os.environ.get("HF_HUB_DISABLE_SYMLINKS", "").upper() not in _TRUE
    try:
        if wanted:
            fresh.symlink_to(os.path.relpath(blob, path.parent))
    except OSError:
        if blob.is_symlink():
            raise
        wanted = False
    try:
        if not wanted and not _has_names(blob, snapshots):
            blob.replace(path)
            return
        if not wanted:
            shutil.copyfile(blob, fresh)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def _has_names(blob: Path, snapshots: Path) -> bool:
    """Whether ``blob`` is a link itself, or links in ``snapshots`` lead to it."""
    return blob.is_symlink() or any(_is_same(entry, blob) for entry in layout.entries_of(snapshots))


def _is_same(path: Path, blob: Path) -> bool:
    try:
        return path.samefile(blob)
    except OSError:
        return False


def _make_durable(folder: Path) -> None:
    """Ask the system to keep the new name through a loss of power, where it can."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _tag(folder: Path) -> None:
    tag = folder / "CACHEDIR.TAG"
    with contextlib.suppress(OSError):
        if not tag.exists():
            tag.write_text(_TAG, encoding="utf-8")
