"""Takes a model in from an archive: every file is checked before any of them gets its name."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.catalog.load import catalog
from phicli.errors import IntegrityError, UsageError
from phicli.gguf_file.diagnose import check_is_file, unreadable
from phicli.gguf_file.header import read_any_header, require_model
from phicli.hub import layout, store, verified
from phicli.hub.archive.format import (
    CHUNK_BYTES,
    END_BYTES,
    LARGEST_TEXT_BYTES,
    ArchivedFile,
    Manifest,
    OpenArchive,
    broken,
    check_space,
    padding_bytes,
    read_manifest,
    read_member_header,
)
from phicli.hub.archive.unfinished import alone_in
from phicli.hub.cache import cache_folder
from phicli.hub.in_place.matching import contradicts, known_sha256
from phicli.hub.in_place.registration import register
from phicli.hub.in_place.registry import (
    check_name,
    find,
    free_name,
    imported_folder,
    imports_dir,
    is_current,
    registered,
)
from phicli.hub.types import Progress, silent
from phicli.hub.write_errors import new_folders, writing

_LARGEST_END_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Imported:
    """A model that was taken in: ``path`` is its (first) file.

    ``name`` is what it is registered as, None for one that its repository's name leads to. ``already`` when the same
    files were here and known to be sound, so that nothing was written.
    """

    manifest: Manifest
    path: Path
    name: str | None
    already: bool = False


def import_archive(
    archive: Path, *, name: str | None = None, folder: Path | None = None, on_progress: Progress = silent
) -> Imported:
    """Take in the model of ``archive``.

    A model of a repository goes into the Hugging Face cache ``folder``, another one into a folder of its own in the
    data directory, where it is registered; either is registered as ``name`` when that is given.

    Raises:
        NotFoundError, UsageError: there is no such file, the name is taken, or the folder cannot be written.
        IntegrityError: the archive was changed, is cut, or is something else; nothing of it stays.
        DoesNotFitError: the disk is too small.
    """
    if name is not None:
        check_name(name)
    size_bytes = check_is_file(archive)
    with _opened(archive) as source:
        manifest = read_manifest(source)
        if manifest.size_bytes > size_bytes:
            raise broken(archive, f"it has {size_bytes:,} bytes instead of {manifest.size_bytes:,}: it is truncated")
        _check_promises(archive, manifest)
        content = _Content(source, manifest, on_progress)
        if manifest.repo is None or manifest.revision is None:
            return _into_own_folder(content, name)
        return _into_cache(content, manifest.repo, manifest.revision, name, folder or cache_folder())


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[OpenArchive]:
    try:
        file = archive.open("rb")
    except OSError as error:
        raise unreadable(archive, error) from None
    with file:
        yield OpenArchive(file, archive)


@dataclass(frozen=True, slots=True)
class _Content:
    """An archive, read up to the end of its manifest."""

    archive: OpenArchive
    manifest: Manifest
    on_progress: Progress

    @property
    def path(self) -> Path:
        """The archive."""
        return self.archive.path


def _into_cache(source: _Content, repo: str, commit: str, name: str | None, folder: Path) -> Imported:
    files = source.manifest.files
    paths = [store.snapshot_path(folder, repo, commit, entry.name) for entry in files]
    already = all(_is_verified(path, entry) for path, entry in zip(paths, files, strict=True))
    if not already:
        root = store.repo_folder(folder, repo)
        blobs = layout.blobs_folder(root)
        check_space(folder, source.manifest.size_bytes)
        # What main means here may be newer than the archive.
        revision = None if layout.ref_path(root, "main").exists() else "main"
        allowed = writing("the cache", folder, "set HF_HUB_CACHE to a folder that you can write to")
        with allowed, new_folders(blobs), _extracted(source, blobs) as partials:
            for entry, partial in zip(files, partials, strict=True):
                path = store.place(folder, repo, commit, revision, entry.name, _etag(entry, partial), partial)
                verified.record(path, entry.sha256)
    made = register(paths[0], name=name) if name else None
    return Imported(source.manifest, paths[0], made.model.name if made else None, already)


def _into_own_folder(source: _Content, name: str | None) -> Imported:
    root = imports_dir()
    before = _registered_before(source.manifest)
    if before is not None and name in (None, before.name):
        return before
    check_space(root, source.manifest.size_bytes)
    allowed = writing("the folder", root, "set PHI_HOME to a folder that you can write to")
    with allowed, new_folders(root), alone_in(root, source.on_progress):
        before = _registered_before(source.manifest)  # by the import that this one waited for
        if before is not None and name in (None, before.name):
            return before
        home = root / _own_name(source, root, name)
        _unpack(source, home)
        try:
            made = register(home / source.manifest.files[0].name, name=home.name)
        except BaseException:
            shutil.rmtree(home, ignore_errors=True)  # without a name nobody would find it
            raise
    return Imported(source.manifest, made.model.path, made.model.name)


def _own_name(source: _Content, root: Path, name: str | None) -> str:
    """``name`` if it can be had, without one a name that nobody has."""
    chosen = name or free_name(source.manifest.name.removesuffix(".gguf"), taken=_names_in(root))
    holder = find(chosen)
    if os.path.lexists(root / chosen) or (holder is not None and is_current(holder)):
        hint = f"phi cache import {shlex.quote(str(source.path))} --as NAME"
        raise UsageError(f"the name {chosen} is already used for another model", hint)
    return chosen


def _names_in(root: Path) -> list[str]:
    return [path.name for path in root.iterdir()]


def _unpack(source: _Content, home: Path) -> None:
    """Make the folder ``home``, with all files, at once."""
    files = source.manifest.files
    work = Path(tempfile.mkdtemp(prefix=f".{home.name}.", dir=home.parent))
    try:
        with _extracted(source, work) as partials:
            for entry, partial in zip(files, partials, strict=True):
                place = work / "files" / entry.name
                place.parent.mkdir(parents=True, exist_ok=True)
                partial.replace(place)
        (work / "files").replace(home)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for entry in files:
        verified.record(home / entry.name, entry.sha256)


def _registered_before(manifest: Manifest) -> Imported | None:
    """The same model from an earlier import, if it is whole."""
    for model in registered():
        if imported_folder(model) and is_current(model) and _is_verified(model.path, manifest.files[0]):
            return Imported(manifest, model.path, model.name, already=True)
    return None


def _is_verified(path: Path, entry: ArchivedFile) -> bool:
    known = verified.recorded(path)
    return known is not None and known.sha256 == entry.sha256


@contextlib.contextmanager
def _extracted(source: _Content, work: Path) -> Iterator[list[Path]]:
    """Copies of all files in ``work``, each checked; those that were not moved away are removed at the end."""
    # Names of their own, not store.partial_path: a download of the same file may be writing there.
    partials = [
        work / layout.partial_name(f"{entry.sha256}.{os.getpid()}-{index}")
        for index, entry in enumerate(source.manifest.files)
    ]
    try:
        done_bytes = 0
        for index, entry in enumerate(source.manifest.files):
            _extract(source, index, partials[index], done_bytes)
            done_bytes += entry.size_bytes
        rest = source.archive.read(_LARGEST_END_BYTES)
        if len(rest) < END_BYTES or any(rest) or source.archive.read(1):
            raise broken(source.path, "the end of the archive is missing or damaged")
        _check_model(source, partials[0])
        yield partials
    finally:
        for partial in partials:
            partial.unlink(missing_ok=True)


def _extract(source: _Content, index: int, partial: Path, before_bytes: int) -> None:
    entry = source.manifest.files[index]
    info = read_member_header(source.archive, source.manifest.member(index))
    if info.size != entry.size_bytes:
        raise broken(source.path, f"{entry.name} has {info.size:,} bytes instead of {entry.size_bytes:,}")
    digest, left = hashlib.sha256(), entry.size_bytes
    with partial.open("xb") as target:
        while left and (chunk := source.archive.read(min(CHUNK_BYTES, left))):
            digest.update(chunk)
            target.write(chunk)
            left -= len(chunk)
            source.on_progress("reading", before_bytes + entry.size_bytes - left, source.manifest.size_bytes)
        target.flush()
        os.fsync(target.fileno())
    if left:
        raise broken(source.path, f"it is truncated in the middle of {entry.name}")
    if digest.hexdigest() != entry.sha256:
        raise broken(source.path, f"the SHA-256 of {entry.name} is {digest.hexdigest()}, not {entry.sha256}")
    source.archive.read(padding_bytes(entry.size_bytes))


def _check_promises(archive: Path, manifest: Manifest) -> None:
    """Compare with what the catalog knows about the same repository: a manifest could lie in itself."""
    for entry in manifest.files:
        known = known_sha256(manifest.repo or "", entry.name, entry.size_bytes)
        if known is not None and known != entry.sha256:
            raise broken(archive, f"{entry.name} of {manifest.repo} has the SHA-256 {known}, not {entry.sha256}")


def _check_model(source: _Content, partial: Path) -> None:
    """Refuse what is not a GGUF file, and what is not the model that the manifest says."""
    name, model = source.manifest.files[0].name, source.manifest.model
    try:
        header = read_any_header(partial)
        require_model(header, partial)
    except IntegrityError as error:
        raise broken(source.path, error.message.replace(str(partial), name)) from None
    variant = catalog().variant(model)
    if variant is not None and contradicts(header, variant):
        raise broken(source.path, f"{name} is not {model}: its number of layers or its width is different")


def _etag(entry: ArchivedFile, content: Path) -> str:
    """What the hub calls this content: large files by SHA-256, small texts by Git's object id."""
    if entry.name.lower().endswith(".gguf") or entry.size_bytes > LARGEST_TEXT_BYTES:
        return entry.sha256
    head = f"blob {entry.size_bytes}\0".encode()
    return hashlib.sha1(head + content.read_bytes(), usedforsecurity=False).hexdigest()
