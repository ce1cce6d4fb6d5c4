"""Writes a model into an archive."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Final

from phicli.catalog.types import Variant
from phicli.errors import IntegrityError, NotFoundError, UsageError
from phicli.gguf_file.diagnose import unreadable
from phicli.gguf_file.header import read_header
from phicli.gguf_file.names import parts_of
from phicli.hub.archive.format import (
    CHUNK_BYTES,
    END_BYTES,
    LARGEST_TEXT_BYTES,
    MANIFEST,
    ArchivedFile,
    Manifest,
    check_space,
    encode_manifest,
    header_block,
    is_plain_name,
    padding_bytes,
    plain_name,
    total_bytes,
)
from phicli.hub.archive.unfinished import Partial, partial_of
from phicli.hub.in_place.matching import contradicts
from phicli.hub.layout import repo_name, sha256_in_name, snapshot_around
from phicli.hub.types import Progress, silent
from phicli.hub.verified import hash_once
from phicli.hub.write_errors import writing

_ABOUT: Final = ("license", "licence", "notice", "readme")


@dataclass(frozen=True, slots=True)
class Exported:
    """The archive that was written, and its own size."""

    path: Path
    manifest: Manifest
    size_bytes: int


def export_model(
    model_path: Path,
    target: Path,
    *,
    name: str,
    variant: Variant | None = None,
    quant: str | None = None,
    force: bool = False,
    on_progress: Progress = silent,
) -> Exported:
    """Write the model whose (first) file is ``model_path`` into the archive ``target``.

    From the cache the license and the description of its repository go along. ``name`` is what the model is called on
    the other machine when it comes from no repository. The target appears when it is complete.

    Raises:
        UsageError: the target exists and ``force`` is not given, it cannot be a file, or its folder cannot be written.
        DoesNotFitError: the disk is too small.
        IntegrityError: the model is damaged, or changes while it is read.
    """
    model_path = parts_of(model_path.absolute())[0]
    header = read_header(model_path)
    if variant is not None and contradicts(header, variant):  # only its name is that of a file of the catalog
        variant = None
    sources = _sources(model_path)
    _check_target(target, list(sources.values()), force=force)
    manifest = _manifest(model_path, sources, on_progress, name=name, variant=variant, quant=quant)
    folder = target.absolute().parent
    check_space(folder, total_bytes(manifest))
    with writing("the folder", folder, "choose a folder that you can write to"), partial_of(target) as partial:
        _write(partial, manifest, sources, on_progress)
        partial.file.flush()
        os.fsync(partial.file.fileno())
        _finish(partial, target, force=force)
    return Exported(target.absolute(), manifest, target.stat().st_size)


def _finish(partial: Partial, target: Path, *, force: bool) -> None:
    """Give the complete archive its name; one that somebody else took meanwhile is replaced only with ``force``."""
    if os.name == "nt":  # an open file has the name it has
        partial.file.close()
    if not force:
        try:
            os.link(partial.path, target)
            return
        except FileExistsError:
            raise _exists(target) from None
        except OSError:  # a file system without hard links
            if os.path.lexists(target):
                raise _exists(target) from None
    partial.path.replace(target)


def _sources(model_path: Path) -> dict[str, Path]:
    """What goes in: name in the repository → file here, the model first."""
    snapshot = snapshot_around(model_path)
    beside = parts_of(model_path)
    if missing := [path.name for path in beside if not path.is_file()]:
        raise NotFoundError(
            f"{model_path} is incomplete: the part {missing[0]} is missing", "all parts must be in one folder"
        )
    if snapshot is None:
        return {_gguf_name(path.name): path for path in beside}
    sources = {path.relative_to(snapshot).as_posix(): path for path in beside}
    if odd := [name for name in sources if not is_plain_name(name)]:
        raise UsageError(f"an archive cannot contain a file called {odd[0]!r}", "copy it under another name")
    return sources | {path.name: path for path in _about(snapshot)}


def _about(snapshot: Path) -> list[Path]:
    """The license and the description in a snapshot; of names that differ in case only the first."""
    found: dict[str, Path] = {}
    for path in sorted(snapshot.iterdir()):
        if not path.name.lower().startswith(_ABOUT) or not is_plain_name(path.name):
            continue
        if path.is_file() and 0 < path.stat().st_size <= LARGEST_TEXT_BYTES:
            found.setdefault(path.name.casefold(), path)
    return list(found.values())


def _gguf_name(name: str) -> str:
    """A name that ends in ``.gguf`` (Ollama's files have none) and that an archive takes."""
    return plain_name(name if name.lower().endswith(".gguf") else f"{name}.gguf")


def _manifest(
    model_path: Path,
    sources: dict[str, Path],
    on_progress: Progress,
    *,
    name: str,
    variant: Variant | None,
    quant: str | None,
) -> Manifest:
    files = []
    for filename, path in sources.items():
        try:
            sha256 = hash_once(path, on_progress)
        except OSError as error:
            raise unreadable(path, error) from None
        promised = sha256_in_name(path.resolve())
        if promised is not None and promised != sha256:
            raise IntegrityError(
                f"{path} is damaged: its SHA-256 is {sha256}, expected {promised}", "verify all files: phi cache verify"
            )
        files.append(ArchivedFile(filename, path.stat().st_size, sha256))
    snapshot = snapshot_around(model_path)
    return Manifest(
        name=name,
        files=tuple(files),
        model=variant.id if variant else None,
        quant=quant,
        repo=repo_name(snapshot.parent.parent) if snapshot else None,
        revision=snapshot.name if snapshot else None,
        license=variant.license if variant else None,
        catalog=_plain(variant) if variant else None,
    )


def _plain(value: Any) -> Any:
    """``value`` as JSON has it."""
    if is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _check_target(target: Path, sources: list[Path], *, force: bool) -> None:
    there = _is_there(target)
    if target.is_dir():
        raise UsageError(f"{target} is a folder", f"name a file: {shlex.quote(str(target / 'model.tar'))}")
    if not target.absolute().parent.is_dir():
        raise UsageError(
            f"the folder {target.absolute().parent} does not exist", "create it first, or choose another folder"
        )
    if any(os.path.realpath(target) == os.path.realpath(source) for source in sources):
        raise UsageError(f"{target} is the model file itself", "choose another file for the archive")
    if there and not force:
        raise _exists(target)
    if target.exists() and not target.is_file():
        raise UsageError(f"{target} is not a file but a device or a pipe", "choose another name")


def _is_there(target: Path) -> bool:
    """Whether the name is taken, by a link that leads nowhere too.

    Raises:
        UsageError: it can be no name.
    """
    try:
        target.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{str(target)[:80]!r} cannot be written: {reason}", "choose another name") from None
    return True


def _exists(target: Path) -> UsageError:
    what = "already exists" if target.exists() else "is a broken link"
    return UsageError(f"{target} {what}", "choose another name, or replace it with --force")


def _write(partial: Partial, manifest: Manifest, sources: dict[str, Path], on_progress: Progress) -> None:
    text, file = encode_manifest(manifest), partial.file
    file.write(header_block(MANIFEST, len(text)) + text + bytes(padding_bytes(len(text))))
    done_bytes = 0
    for index, entry in enumerate(manifest.files):
        file.write(header_block(manifest.member(index), entry.size_bytes))
        digest, left = hashlib.sha256(), entry.size_bytes
        for chunk in _chunks(sources[entry.name], entry.size_bytes):
            digest.update(chunk)
            file.write(chunk)
            left -= len(chunk)
            done_bytes += len(chunk)
            on_progress("writing", done_bytes, manifest.size_bytes)
        if left or digest.hexdigest() != entry.sha256:
            message = f"{sources[entry.name]} has changed since it was verified: SHA-256 {digest.hexdigest()}"
            raise IntegrityError(f"{message}, not {entry.sha256}", "verify all files: phi cache verify")
        file.write(bytes(padding_bytes(entry.size_bytes)))
    file.write(bytes(END_BYTES))


def _chunks(path: Path, size_bytes: int) -> Iterator[bytes]:
    """The first ``size_bytes`` of a file.

    Raises:
        NotFoundError, IntegrityError: it cannot be read.
    """
    try:
        with path.open("rb") as source:
            while size_bytes and (chunk := source.read(min(CHUNK_BYTES, size_bytes))):
                size_bytes -= len(chunk)
                yield chunk
    except OSError as error:
        raise unreadable(path, error) from None
