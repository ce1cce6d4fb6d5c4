"""What models are on disk: GGUF files in the Hugging Face cache, models registered in place, unfinished downloads.

The layout (:mod:`phicli.hub.layout`) is read directly, as often as somebody wants a list; tests compare with
huggingface_hub's own scan. What is broken is listed as such.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from phicli.catalog.display_name import with_quant
from phicli.catalog.load import catalog
from phicli.catalog.quants import quant_of_filename
from phicli.catalog.types import Catalog, GgufFile, GgufSource, Variant
from phicli.gguf_file.names import first_part, is_gguf_name, parts_of
from phicli.gguf_file.start import seems_a_model
from phicli.hub import verified
from phicli.hub.cache import cache_folder
from phicli.hub.in_place.registry import RegisteredModel, damaged_records, is_current, registered
from phicli.hub.layout import (
    content_of,
    files_of,
    leads_away,
    partials_of,
    repo_folders,
    repo_name,
    sha256_in_name,
    snapshots_of,
    writer_of,
)


@dataclass(frozen=True, slots=True)
class CachedPart:
    """One file: ``path`` in a snapshot, ``content`` where its link leads at first, mostly a file under ``blobs``.

    ``promised_sha256`` (64 hexadecimal digits) is what it must hash to, None when nobody said. ``problem`` tells why
    it cannot be used; then ``size_bytes`` is 0. ``linked`` when a link leads to content that is not the cache's: it is
    used as any other, and never deleted.
    """

    path: Path
    content: Path
    size_bytes: int
    promised_sha256: str | None = None
    problem: str | None = None
    linked: bool = False


@dataclass(frozen=True, slots=True)
class CachedModel:
    """One model of a repository, all of its parts; the same name with other content is another model.

    ``name`` is what a person types. ``variant_id`` is None for a repository that the catalog does not know.
    ``revisions`` are the commits that have it, that of ``main`` first, then the newest. Times are seconds since 1970:
    ``last_used`` is when the content was last read (the access time), None when it was not read since it was written or
    the file system does not record it; most record it to the day. ``verified_at`` is when all of it was last
    hashed, None when it changed since or never was.
    """

    name: str
    repo: str
    filename: str
    quant: str | None
    variant_id: str | None
    revisions: tuple[str, ...]
    parts: tuple[CachedPart, ...]
    last_used: float | None
    last_modified: float | None
    verified_at: float | None

    @property
    def path(self) -> Path:
        """The file to open."""
        return self.parts[0].path

    @property
    def size_bytes(self) -> int:
        """All parts together."""
        return sum(part.size_bytes for part in self.parts)

    @property
    def linked(self) -> bool:
        """Whether some of its content is elsewhere."""
        return any(part.linked for part in self.parts)

    @property
    def problem(self) -> str | None:
        """Why it cannot be used, None when it can."""
        return next((part.problem for part in self.parts if part.problem), None)


@dataclass(frozen=True, slots=True)
class PartialDownload:
    """What a download left behind, or is still writing. ``ours`` when it is ``phi``'s own, which resumes it."""

    repo: str
    path: Path
    etag: str
    size_bytes: int
    modified_at: float
    ours: bool


@dataclass(frozen=True, slots=True)
class ModelInPlace:
    """A registered model, and its file as it is now: ``verified_at`` as in :class:`CachedModel`."""

    model: RegisteredModel
    is_there: bool
    verified_at: float | None


@dataclass(frozen=True, slots=True)
class Inventory:
    """All that is known to be on disk.

    ``problems`` are folders that could not be read, in words; ``damaged_records`` are files of registrations that make
    no sense. ``models_bytes`` is what the models in the cache take: content that several names share once, what is
    linked from elsewhere not at all.
    """

    folder: Path
    models: tuple[CachedModel, ...]
    in_place: tuple[ModelInPlace, ...]
    partials: tuple[PartialDownload, ...]
    problems: tuple[str, ...]
    damaged_records: tuple[Path, ...]
    models_bytes: int

    @property
    def registered(self) -> tuple[RegisteredModel, ...]:
        """The models in place, without how they are now."""
        return tuple(one.model for one in self.in_place)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all models, usable or not."""
        return (*(model.name for model in self.models), *(model.name for model in self.registered))

    @property
    def usable_names(self) -> tuple[str, ...]:
        """The names of the models whose files are all there and unchanged."""
        cached = (model.name for model in self.models if model.problem is None)
        return (*cached, *(model.name for model in self.registered if is_current(model)))


@dataclass(frozen=True, slots=True)
class Known:
    """What the catalog says about a repository."""

    variant: Variant
    source: GgufSource

    def file(self, filename: str) -> GgufFile | None:
        """The listed file of that name."""
        return next((file for file in self.source.files if file.filename == filename), None)


def inventory(folder: Path | None = None, book: Catalog | None = None) -> Inventory:
    """Look through the cache ``folder`` (default: the one the environment names) and the registrations.

    ``book`` is the catalog that names the models, by default the one that ships.

    A folder that does not exist is empty. Repositories without a GGUF model are left out, data sets and spaces too.
    """
    folder = folder or cache_folder()
    models: list[CachedModel] = []
    partials: list[PartialDownload] = []
    problems: list[str] = []
    known = known_repos(book)
    for root in repo_folders(folder, problems):
        models += _models_of(root, known.get(repo_name(root)), problems)
        partials += _partials_of(root)
    return Inventory(
        folder=folder, models=tuple(models), in_place=tuple(map(_in_place, registered())), partials=tuple(partials),
        problems=tuple(problems), damaged_records=damaged_records(), models_bytes=_bytes_of(models),
    )  # fmt: skip


def known_repos(book: Catalog | None = None) -> dict[str, Known]:
    """Repositories of the catalog by name."""
    variants = (book or catalog()).variants
    return {source.repo: Known(variant, source) for variant in variants for source in variant.sources}


def _in_place(model: RegisteredModel) -> ModelInPlace:
    record = verified.recorded(model.path)
    return ModelInPlace(model, model.path.exists(), record.verified_at if record else None)


def _bytes_of(models: Iterable[CachedModel]) -> int:
    parts = [part for model in models for part in model.parts if not part.linked]
    return sum({os.path.realpath(part.content): part.size_bytes for part in parts}.values())


def _models_of(root: Path, known: Known | None, problems: list[str]) -> Iterator[CachedModel]:
    """Same names with the same content in several snapshots are one model."""
    found: dict[tuple[str, tuple[Path, ...]], tuple[list[str], list[CachedPart]]] = {}
    for snapshot in snapshots_of(root, problems):
        names = {path.relative_to(snapshot).as_posix() for path in files_of(snapshot, problems)}
        for filename in sorted({first_part(name) for name in names if is_gguf_name(name)}):
            if not seems_a_model(snapshot / filename):
                continue
            parts = [_part(path, root, snapshot, known) for path in parts_of(snapshot / filename)]
            contents = tuple(part.path if part.problem else part.content for part in parts)
            revisions, _ = found.setdefault((filename, contents), ([], parts))
            revisions.append(snapshot.name)
    models = [
        _model(repo_name(root), filename, known, tuple(revisions), tuple(parts))
        for (filename, _), (revisions, parts) in found.items()
    ]
    files = Counter(name for name, _ in {(model.name, model.filename) for model in models})
    for model in models:  # where a quantization means several files, each has the name of its own
        yield model if known or files[model.name] == 1 else replace(model, name=f"{model.repo}:{model.filename}")


def _model(
    repo: str, filename: str, known: Known | None, revisions: tuple[str, ...], parts: tuple[CachedPart, ...]
) -> CachedModel:
    listed = known.file(filename) if known else None
    quant = listed.quant if listed else quant_of_filename(filename)
    name = with_quant(known.variant.id if known else repo, quant) if quant else f"{repo}:{filename}"
    usable = [part.path for part in parts if part.problem is None]
    times = [_times(path) for path in usable]
    used = [time for time, _ in times if time is not None]
    records = [verified.recorded(path) for path in usable]
    hashed = [record.verified_at for record in records if record]
    return CachedModel(
        name=name, repo=repo, filename=filename, quant=quant, variant_id=known.variant.id if known else None,
        revisions=revisions, parts=parts, last_used=max(used, default=None),
        last_modified=max((time for _, time in times), default=None),
        verified_at=min(hashed) if hashed and len(hashed) == len(parts) else None,
    )  # fmt: skip


def _part(path: Path, root: Path, snapshot: Path, known: Known | None) -> CachedPart:
    if not os.path.lexists(path):
        return CachedPart(path, path, 0, problem=f"{path.name} is missing")
    content = content_of(path, root) or Path(os.path.realpath(path))
    try:
        status = path.stat()
    except OSError as error:
        broken = isinstance(error, FileNotFoundError)
        problem = "is a broken link" if broken else f"cannot be read: {error.strerror}"
        return CachedPart(path, content, 0, problem=f"{path.name} {problem}")
    if not stat.S_ISREG(status.st_mode):
        return CachedPart(path, content, 0, problem=f"{path.name} is not a file")
    promised = _promised(content, path.relative_to(snapshot).as_posix(), snapshot.name, known)
    return CachedPart(path, content, status.st_size, promised, linked=leads_away(path, root))


def _promised(content: Path, name: str, commit: str, known: Known | None) -> str | None:
    """The catalog's hash of a pinned revision; else the name of the blob, which is its hash; else the catalog's."""
    listed = known.file(name) if known else None
    promised = listed.sha256 if listed else None
    if known and promised and known.source.revision == commit:
        return promised
    return sha256_in_name(content) or promised


def _partials_of(root: Path) -> Iterator[PartialDownload]:
    for path in partials_of(root):
        if path.is_symlink():
            continue
        etag, ours = writer_of(path)
        try:
            status = path.stat()
        except OSError:  # it was finished meanwhile
            continue
        yield PartialDownload(repo_name(root), path, etag, status.st_size, status.st_mtime, ours)


def _times(path: Path) -> tuple[float | None, float]:
    """When the file was last read, None when it is unknown, and last written."""
    status = path.stat()
    no_atime = getattr(os, "ST_NOATIME", 0)
    if no_atime and os.statvfs(path).f_flag & no_atime:
        return None, status.st_mtime
    return (status.st_atime if status.st_atime > status.st_mtime else None), status.st_mtime
