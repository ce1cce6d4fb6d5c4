"""The format of an archive that carries a model to a machine without a network.

An uncompressed tar. Its first member is ``phi-archive.json``, which says what the model is and has size and SHA-256 of
every file; the files follow in that order under ``files/``. Nothing else is in it, so whatever else is found means
that somebody changed it. Headers are of the plain kind only: no links, no extended headers.
"""

from __future__ import annotations

import json
import re
import tarfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from phicli.errors import DoesNotFitError, IntegrityError, install_hint
from phicli.gguf_file.diagnose import unreadable
from phicli.hub.layout import is_hub_repo
from phicli.hub.store import free_bytes
from phicli.units import format_bytes

SCHEMA: Final = 1
MANIFEST: Final = "phi-archive.json"
BLOCK_BYTES: Final = 512
CHUNK_BYTES: Final = 1 << 20
END_BYTES: Final = 2 * BLOCK_BYTES
LARGEST_TEXT_BYTES: Final = 1 << 20
"""What is larger is no license or description, and the hub names it by its SHA-256."""

_LARGEST_MANIFEST_BYTES: Final = 1 << 20
_MOST_FILES: Final = 1000
_LONGEST_MEMBER_BYTES: Final = 100
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_ODD: Final = frozenset("\\:")
_QUANT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_LONGEST_PART_BYTES: Final = 200
_LONGEST_TEXT: Final = 200
_AGAIN: Final = "create it again on the machine it came from: phi cache export MODEL FILE.tar"
_Value = TypeVar("_Value", str, int)


@dataclass(frozen=True, slots=True)
class OpenArchive:
    """An archive that is read from its beginning to its end."""

    file: BinaryIO
    path: Path

    def read(self, count: int) -> bytes:
        """The next ``count`` bytes, fewer where it ends.

        Raises:
            IntegrityError: the disk does not give them.
        """
        try:
            return self.file.read(count)
        except OSError as error:
            raise unreadable(self.path, error) from None


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A file of the model, by the name it has in its repository (with folders)."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive holds.

    The first of ``files`` is what is opened: of a split model the first part. ``repo`` and ``revision`` (a commit) are
    None for a model that came from no repository. ``model`` is its id in the catalog, ``catalog`` the entry as it was
    where the archive was made: for people, never loaded.
    """

    name: str
    files: tuple[ArchivedFile, ...]
    model: str | None = None
    quant: str | None = None
    repo: str | None = None
    revision: str | None = None
    license: str | None = None
    catalog: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.files)

    def member(self, index: int) -> str:
        """The name in the tar of the file with that index."""
        name = f"files/{self.files[index].name}"
        return name if len(name.encode()) <= _LONGEST_MEMBER_BYTES else f"files/{index:05d}"


def encode_manifest(manifest: Manifest) -> bytes:
    """The text of ``phi-archive.json``."""
    data = {"format": "phi-archive", "schema": SCHEMA, **asdict(manifest)}
    return json.dumps(data, indent=1).encode() + b"\n"


def header_block(name: str, size_bytes: int) -> bytes:
    """The header of a regular file in a tar; sizes of 8 GiB and more are written in GNU's way."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size_bytes, 0o644
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")


def padding_bytes(size_bytes: int) -> int:
    """Zeros that follow a member of that size."""
    return -size_bytes % BLOCK_BYTES


def total_bytes(manifest: Manifest) -> int:
    """Size of the archive up to its end marks."""
    sizes = [len(encode_manifest(manifest)), *(file.size_bytes for file in manifest.files)]
    return sum(BLOCK_BYTES + size + padding_bytes(size) for size in sizes) + END_BYTES


def is_archive(path: Path) -> bool:
    """Whether ``path`` is meant as an archive: the file begins like a tar, or is called one and is not a GGUF file."""
    called_one = path.suffix.lower() == ".tar"
    try:
        if not path.is_file():
            return called_one and not path.is_dir()
        with path.open("rb") as file:
            start = file.read(BLOCK_BYTES)
    except OSError:  # whoever reads it next says why
        return called_one
    return start[257:262] == b"ustar" or (called_one and not start.startswith(b"GGUF"))


def read_manifest(archive: OpenArchive) -> Manifest:
    """The manifest that ``archive`` begins with; leaves it at the header of the first member behind.

    Raises:
        IntegrityError: the file is not an archive of ``phi``, or its manifest makes no sense.
    """
    info = read_member_header(archive, MANIFEST)
    if not 0 < info.size <= _LARGEST_MANIFEST_BYTES:
        raise broken(archive.path, f"its {MANIFEST} has {info.size:,} bytes")
    text = archive.read(info.size + padding_bytes(info.size))[: info.size]
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise broken(archive.path, f"its {MANIFEST} is damaged") from None
    if not isinstance(data, dict) or data.get("format") != "phi-archive":
        raise broken(archive.path, f"its {MANIFEST} was not written by phi")
    if data.get("schema") != SCHEMA:
        what = f"{archive.path} has schema {repr(data.get('schema'))[:40]}, but this phi supports {SCHEMA}"
        raise IntegrityError(what, f"install a newer phi, {install_hint()}")
    try:
        return _parse(data)
    except _WrongError as error:
        raise broken(archive.path, f"its {MANIFEST} has {error}") from None


def read_member_header(archive: OpenArchive, expected: str) -> tarfile.TarInfo:
    """The header of the next member, which must be the regular file ``expected``.

    Raises:
        IntegrityError: it is something else, or the archive is cut or damaged there.
    """
    block = archive.read(BLOCK_BYTES)
    if len(block) < BLOCK_BYTES or not any(block):
        raise broken(archive.path, f"it ends before {expected}")
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, ValueError):
        raise broken(archive.path, f"the header of {expected} is damaged") from None
    if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        kind = (
            "a link" if info.issym() or info.islnk() else "a device or pipe" if info.isdev() else "not a regular file"
        )
        raise broken(archive.path, f"{info.name[:200]!r} is {kind}; expected {expected}")
    if info.name != expected:
        raise broken(archive.path, f"it contains {info.name[:200]!r} instead of {expected}")
    return info


def is_plain_name(name: str) -> bool:
    """Whether ``name`` (with folders) can be the name of a file in an archive, on any system that unpacks it."""
    parts = name.split("/")
    odd = any(part in ("", ".", "..") or any(map(_is_odd, part)) for part in parts)
    return not odd and all(len(part.encode()) <= _LONGEST_PART_BYTES for part in parts)


def plain_name(name: str) -> str:
    """``name``, that of one file, with what an archive does not take replaced, and not longer than it takes."""
    text = "".join("-" if _is_odd(character) else character for character in name)
    return text.encode()[-_LONGEST_PART_BYTES:].decode(errors="ignore")


def _is_odd(character: str) -> bool:
    return character in _ODD or not character.isprintable()


def broken(archive: Path, what: str) -> IntegrityError:
    """The error for an archive that is not as it was written."""
    return IntegrityError(f"{archive} is not a valid phi archive: {what}", _AGAIN)


def check_space(folder: Path, needed_bytes: int) -> None:
    """Return if the disk of ``folder``, which need not exist yet, has room.

    Raises:
        DoesNotFitError: the disk is too small.
    """
    there_is = free_bytes(folder)
    if there_is < needed_bytes:
        sums = f"{format_bytes(needed_bytes)} are needed, but only {format_bytes(there_is)} are free"
        data = {"needed_bytes": needed_bytes, "free_bytes": there_is, "folder": str(folder)}
        raise DoesNotFitError(f"the disk of {folder} is too full: {sums}", "free some space: phi cache list", data=data)


class _WrongError(Exception):
    """What is wrong in a manifest."""


def _parse(data: dict[str, Any]) -> Manifest:
    listed = data.get("files")
    if not isinstance(listed, list) or not 0 < len(listed) <= _MOST_FILES:
        raise _WrongError("no list of files, or too many files")
    files = tuple(_file(entry) for entry in listed)
    if len({file.name.casefold() for file in files}) != len(files):
        raise _WrongError("the same file twice")
    if not files[0].name.lower().endswith(".gguf"):
        raise _WrongError("a first file that is not a GGUF file")
    repo, revision = _maybe(data, "repo"), _maybe(data, "revision")
    if (repo is None) != (revision is None):
        raise _WrongError("a repository without a revision, or a revision without a repository")
    if repo is not None and not is_hub_repo(repo):
        raise _WrongError(f"an invalid repository {repo[:100]!r}")
    if revision is not None and not _COMMIT.fullmatch(revision):
        raise _WrongError(f"an invalid revision {revision[:100]!r}")
    quant, catalog = _maybe(data, "quant"), data.get("catalog")
    if quant is not None and not _QUANT.fullmatch(quant):
        raise _WrongError("no valid quantization")
    return Manifest(
        name=_need(data, "name", str),
        files=files,
        model=_maybe(data, "model"),
        quant=quant,
        repo=repo,
        revision=revision,
        license=_maybe(data, "license"),
        catalog=catalog if isinstance(catalog, dict) else None,
    )


def _file(entry: Any) -> ArchivedFile:
    if not isinstance(entry, dict):
        raise _WrongError("an entry that is not a file")
    file = ArchivedFile(_need(entry, "name", str), _need(entry, "size_bytes", int), _need(entry, "sha256", str))
    if not is_plain_name(file.name):
        raise _WrongError(f"a file name that leads out of its folder: {file.name[:100]!r}")
    if file.size_bytes <= 0 or not _SHA256.fullmatch(file.sha256):
        raise _WrongError(f"no valid size or hash for {file.name[:100]!r}")
    return file


def _need(data: dict[str, Any], key: str, kind: type[_Value]) -> _Value:
    value = data.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _WrongError(f"no valid {key}")
    return value


def _maybe(data: dict[str, Any], key: str) -> str | None:
    """A short text to be shown, or None."""
    if data.get(key) is None:
        return None
    text = _need(data, key, str)
    if not text.isprintable() or len(text) > _LONGEST_TEXT:
        raise _WrongError(f"no valid {key}")
    return text
