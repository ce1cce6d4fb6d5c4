"""Tells which model of the catalog a GGUF file is: by its hash, by the name of the file, by what its header says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from phicli.catalog.load import catalog
from phicli.catalog.quants import quant_of_filename
from phicli.catalog.resolve import known_by_name
from phicli.catalog.types import GgufFile, Variant
from phicli.gguf_file.diagnose import unreadable
from phicli.gguf_file.header import read_header
from phicli.gguf_file.types import GgufHeader
from phicli.hub.types import Progress, silent
from phicli.hub.verified import hash_once


@dataclass(frozen=True, slots=True)
class Match:
    """A file is ``variant``. ``how`` is ``hash``, ``name`` or ``header``; ``quant`` is in capitals, None if unknown."""

    variant: Variant
    quant: str | None
    how: str


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file is. ``sha256`` is None when there was no reason to hash it; ``note`` tells a person what is odd."""

    header: GgufHeader
    match: Match | None
    sha256: str | None = None
    note: str | None = None


def identify(path: Path, *, claimed_sha256: str | None = None, on_progress: Progress = silent) -> Identity:
    """What the GGUF file at ``path`` is (of a split model: its first part).

    It is hashed only when its size is that of a file of the catalog, and not even then when ``claimed_sha256`` tells
    the hash.

    Raises:
        NotFoundError, UsageError, IntegrityError: as :func:`phicli.gguf_file.header.read_header` raises them.
    """
    header = read_header(path)
    same_size = [pair for pair in _listed() if pair[1].sha256 and pair[1].size_bytes == header.file_size_bytes]
    sha256 = claimed_sha256
    if same_size and sha256 is None:
        try:
            sha256 = hash_once(path, on_progress)
        except OSError as error:
            raise unreadable(path, error) from None
    for variant, file in same_size:
        if file.sha256 == sha256:
            return Identity(header, Match(variant, file.quant, "hash"), sha256)
    return Identity(header, _by_name(path, header) or _by_header(path, header), sha256, _note(path, same_size))


def contradicts(header: GgufHeader, variant: Variant) -> bool:
    """Whether a file with ``header`` cannot be ``variant``: layers or width differ.

    Where the catalog has no dimensions the architecture decides.
    """
    if variant.dimensions is None:
        return header.architecture != variant.architecture
    told = ((header.block_count, variant.dimensions.layers), (header.embedding_length, variant.dimensions.hidden))
    return any(mine is not None and mine != theirs for mine, theirs in told)


def known_sha256(repo: str, filename: str, size_bytes: int) -> str | None:
    """The hash that the catalog promises for a file of that size in a repository, None where it promises none."""
    for variant in catalog().variants:
        for source in variant.sources:
            for file in source.files:
                if (source.repo, file.filename, file.size_bytes) == (repo, filename, size_bytes):
                    return file.sha256
    return None


def _listed() -> Iterator[tuple[Variant, GgufFile]]:
    for variant in catalog().variants:
        for source in variant.sources:
            for file in source.files:
                yield variant, file


def _by_name(path: Path, header: GgufHeader) -> Match | None:
    for variant, file in _listed():
        if file.filename.rpartition("/")[2] == path.name and not contradicts(header, variant):
            return Match(variant, file.quant, "name")
    return None


def _by_header(path: Path, header: GgufHeader) -> Match | None:
    variant = known_by_name(header.name)
    if variant is None or contradicts(header, variant):
        return None
    if header.architecture not in {variant.architecture, *(source.architecture for source in variant.sources)}:
        return None
    return Match(variant, header.quant or quant_of_filename(path.name), "header")


def _note(path: Path, same_size: list[tuple[Variant, GgufFile]]) -> str | None:
    """A file with name and size of a published one but another hash: perhaps damaged, perhaps another revision."""
    for _, file in same_size:
        if file.filename.rpartition("/")[2] == path.name:
            return f"it has the same name and size as the published {path.name}, but another hash: it may be damaged"
    return None
