"""Takes a model in from an archive: every file is checked before any of them gets its name."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from phicli.catalog.load import catalog
from phicli.errors import IntegrityError, UsageError
from phicli.gguf_file.diagnose import check_is_file
from phicli.gguf_file.header import read_header
from phicli.hub import store, verified
from phicli.hub.archive.form import (
    CHUNK_BYTES,
    END_BYTES,
    LARGEST_TEXT_BYTES,
    ArchivedFile,
    Manifest,
    broken,
    check_space,
    padding_bytes,
    read_manifest,
    read_member_header,
)
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
        NotFoundError, UsageError: there is no such file, or the name is taken.
        IntegrityError: the archive was changed, is cut, or is something else; nothing of it stays.
        DoesNotFitError: the disk is too small.
    """
    if name is not None:
        check_name(name)
    size_bytes = check_is_file(archive)
    with archive.open("rb") as file:
        manifest = read_manifest(file, archive)
        if manifest.size_bytes > size_bytes:
            raise broken(archive, f"it has {size_bytes:,} bytes and promises {manifest.size_bytes:,}: it is cut")
        _check_promises(archive, manifest)
        source = _Source(file, archive, manifest, on_progress)
        if manifest.repo is None or manifest.revision is None:
            return _into_own_folder(source, name)
        return _into_cache(source, manifest.repo, manifest.revision, name, folder or cache_folder())


@dataclass(frozen=True, slots=True)
class _Source:
    """An open archive, read up to the end of its manifest."""

    file: BinaryIO
    path: Path
    manifest: Manifest
    on_progress: Progress


def _into_cache(source: _Source, repo: str, commit: str, name: str | None, folder: Path) -> Imported:
    files = source.manifest.files
    paths = [store.snapshot_path(folder, repo, commit, entry.name) for entry in files]
    already = all(_is_verified(path, entry) for path, entry in zip(paths, files, strict=True))
    if not already:
        root = store.repo_folder(folder, repo)
        check_space(folder, source.manifest.size_bytes)
        (root / "blobs").mkdir(parents=True, exist_ok=True)
        # What main means here may be newer than the archive.
        revision = None if (root / "refs" / "main").exists() else "main"
        with _extracted(source, root / "blobs") as partials:
            for entry, partial in zip(files, partials, strict=True):
                path = store.place(folder, repo, commit, revision, entry.name, _etag(entry, partial), partial)
                verified.record(path, entry.sha256)
    made = register(paths[0], name=name) if name else None
    return Imported(source.manifest, paths[0], made.model.name if made else None, already)


def _into_own_folder(source: _Source, name: str | None) -> Imported:
    manifest = source.manifest
    before = _registered_before(manifest)
    if before is not None and name in (None, before.name):
        return before
    root = imports_dir()
    chosen = name or free_name(manifest.name.removesuffix(".gguf"))
    holder = find(chosen)
    if (root / chosen).exists() or (holder is not None and is_current(holder)):
        raise UsageError(f"the name {chosen} belongs to another model", f"phi cache import {source.path} --as NAME")
    check_space(root, manifest.size_bytes)
    root.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{chosen}.", dir=root))
    try:
        with _extracted(source, work) as partials:
            for entry, partial in zip(manifest.files, partials, strict=True):
                place = work / "files" / entry.name
                place.parent.mkdir(parents=True, exist_ok=True)
                partial.replace(place)
        (work / "files").replace(root / chosen)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for entry in manifest.files:
        verified.record(root / chosen / entry.name, entry.sha256)
    made = register(root / chosen / manifest.files[0].name, name=chosen)
    return Imported(manifest, made.model.path, made.model.name)


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
def _extracted(source: _Source, work: Path) -> Iterator[list[Path]]:
    """Copies of all files in ``work``, each checked; those that were not moved away are removed at the end."""
    # Names of their own, not store.partial_path: a download of the same file may be writing there.
    partials = [
        work / f"{entry.sha256}.{os.getpid()}-{index}.phi.incomplete"
        for index, entry in enumerate(source.manifest.files)
    ]
    try:
        done_bytes = 0
        for index, entry in enumerate(source.manifest.files):
            _extract(source, index, partials[index], done_bytes)
            done_bytes += entry.size_bytes
        rest = source.file.read(_LARGEST_END_BYTES)
        if len(rest) < END_BYTES or any(rest) or source.file.read(1):
            raise broken(source.path, "behind its last file there is not the end that phi writes")
        _check_model(source, partials[0])
        yield partials
    finally:
        for partial in partials:
            partial.unlink(missing_ok=True)


def _extract(source: _Source, index: int, partial: Path, before_bytes: int) -> None:
    entry = source.manifest.files[index]
    info = read_member_header(source.file, source.path, source.manifest.member(index))
    if info.size != entry.size_bytes:
        raise broken(source.path, f"{entry.name} has {info.size:,} bytes, not the {entry.size_bytes:,} promised")
    digest, left = hashlib.sha256(), entry.size_bytes
    with partial.open("xb") as target:
        while left and (chunk := source.file.read(min(CHUNK_BYTES, left))):
            digest.update(chunk)
            target.write(chunk)
            left -= len(chunk)
            source.on_progress("reading", before_bytes + entry.size_bytes - left, source.manifest.size_bytes)
        target.flush()
        os.fsync(target.fileno())
    if left:
        raise broken(source.path, f"it is cut in the middle of {entry.name}")
    if digest.hexdigest() != entry.sha256:
        raise broken(source.path, f"the SHA-256 of {entry.name} is {digest.hexdigest()}, not {entry.sha256}")
    source.file.read(padding_bytes(entry.size_bytes))


def _check_promises(archive: Path, manifest: Manifest) -> None:
    """Compare with what the catalogue knows about the same repository: a manifest could lie in itself."""
    for entry in manifest.files:
        known = known_sha256(manifest.repo or "", entry.name, entry.size_bytes)
        if known is not None and known != entry.sha256:
            raise broken(archive, f"{entry.name} of {manifest.repo} has the SHA-256 {known}, not {entry.sha256}")


def _check_model(source: _Source, partial: Path) -> None:
    """Refuse what is no GGUF file, and what is not the model that the manifest says."""
    name, model = source.manifest.files[0].name, source.manifest.model
    try:
        header = read_header(partial)
    except IntegrityError as error:
        raise broken(source.path, error.message.replace(str(partial), name)) from None
    variant = next((variant for variant in catalog().variants if variant.id == model), None)
    if variant is not None and contradicts(header, variant):
        raise broken(source.path, f"{name} is not {model}: layers or width are others")


def _etag(entry: ArchivedFile, content: Path) -> str:
    """What the hub calls this content: large files by SHA-256, small texts by Git's object id."""
    if entry.name.lower().endswith(".gguf") or entry.size_bytes > LARGEST_TEXT_BYTES:
        return entry.sha256
    head = f"blob {entry.size_bytes}\0".encode()
    return hashlib.sha1(head + content.read_bytes(), usedforsecurity=False).hexdigest()
