"""Gives a GGUF file a name here, wherever it is."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from phicli.catalog.quants import quant_of_filename
from phicli.errors import IntegrityError, UsageError
from phicli.gguf_file.names import parts_of, stem_of, whole_size
from phicli.hub.in_place.matching import Identity, identify
from phicli.hub.in_place.registry import (
    CHOOSE,
    RegisteredModel,
    check_name,
    find,
    free_name,
    is_current,
    registered,
    remember,
    unregister,
)
from phicli.hub.types import Progress, silent
from phicli.hub.write_errors import writing
from phicli.paths import data_dir, expand


@dataclass(frozen=True, slots=True)
class Registration:
    """What :func:`register` did: ``already`` when the same file had this name before."""

    model: RegisteredModel
    identity: Identity
    already: bool


def register(
    path: Path,
    *,
    name: str | None = None,
    origin: str = "import",
    label: str | None = None,
    identity: Identity | None = None,
    on_progress: Progress = silent,
) -> Registration:
    """Remember the GGUF file at ``path`` under ``name``, or under a name made of ``label`` or of the file's own.

    Any part of a split model stands for all of it. ``identity`` saves looking at the file again.

    Raises:
        UsageError: the name cannot be one, belongs to the catalog or to another file that is still there.
        NotFoundError, IntegrityError: there is no such file, it is not a model, is damaged, or lacks parts.
        UnwritableError: the name cannot be kept here.
    """
    path = parts_of(Path(os.path.abspath(expand(str(path)))))[0]  # noqa: PTH100 (links stay, ".." goes)
    _require_utf8(path)
    if name is not None:
        check_name(name)
    identity = identity or identify(path, on_progress=on_progress)
    size_bytes = whole_size(path)
    if size_bytes is None:
        raise IntegrityError(
            f"{path} is one part of a model, and the other parts are not in the same folder",
            "put all parts into one folder",
        )
    before = _same_file(path)
    chosen = name or (before.name if before else _free_name(path, label, origin))
    holder = find(chosen)
    if holder is not None and not _same(holder.path, path) and is_current(holder):
        raise UsageError(f"the name {chosen} is already used for {holder.path}", CHOOSE)
    kept_origin = holder.origin if holder is not None and _same(holder.path, path) else origin
    model = _model(chosen, path, size_bytes, identity, kept_origin)
    already = holder is not None and replace(holder, path=path, sha256=model.sha256) == model
    _keep(model, instead_of=holder)
    return Registration(model, identity, already)


def _keep(model: RegisteredModel, *, instead_of: RegisteredModel | None) -> None:
    with writing("the folder", data_dir(), "set PHI_HOME to a folder that you can write to"):
        if instead_of is not None and instead_of.name != model.name:
            unregister(instead_of.name)
        remember(model)


def _model(name: str, path: Path, size_bytes: int, identity: Identity, origin: str) -> RegisteredModel:
    match = identity.match
    return RegisteredModel(
        name=name,
        path=path,
        variant_id=match.variant.id if match else None,
        quant=match.quant if match else identity.header.quant or quant_of_filename(path.name),
        size_bytes=size_bytes,
        mtime_ns=path.stat().st_mtime_ns,
        sha256=identity.sha256,
        origin=origin,
    )


def _free_name(path: Path, label: str | None, origin: str) -> str:
    return free_name(label or stem_of(path.name), "local" if origin == "import" else origin)


def _same_file(path: Path) -> RegisteredModel | None:
    return next((model for model in registered() if _same(model.path, path)), None)


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _require_utf8(path: Path) -> None:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        shown = str(path).encode("utf-8", "replace").decode()
        raise UsageError(f"the path {shown} is not UTF-8, which the engine needs", "rename the file") from None
