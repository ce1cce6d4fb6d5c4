"""Gives an adapter a name here; one of PEFT is converted for that."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.adapters.converting import OnBytes, gguf_bytes, silent, write_adapter
from phicli.adapters.peft import PeftAdapter, folder_of, read_peft
from phicli.adapters.registry import (
    RegisteredAdapter,
    adapters_dir,
    check_name,
    check_path,
    find,
    free_name,
    registered,
    remember,
)
from phicli.adapters.searching import absent, adapter_below
from phicli.errors import DoesNotFitError, IntegrityError, NotAModelError, NotAnAdapterError, UsageError
from phicli.gguf_file.adapter import AdapterHeader, check_base, read_adapter
from phicli.gguf_file.names import is_gguf_name, stem_of
from phicli.gguf_file.types import GgufHeader
from phicli.hub.peft_files import CONFIG
from phicli.hub.store import free_bytes
from phicli.hub.write_errors import writing
from phicli.paths import data_dir, expand
from phicli.units import format_bytes

_STALE_S: Final = 3600.0
"""No conversion takes that long."""


@dataclass(frozen=True, slots=True)
class Base:
    """The model that an adapter is to be checked against: its name in messages, its name anywhere, and its header."""

    name: str
    reference: str
    header: GgufHeader


@dataclass(frozen=True, slots=True)
class Added:
    """What :func:`add` did: ``converted`` where a file was written, ``already`` where the name was its own before."""

    adapter: RegisteredAdapter
    header: AdapterHeader
    converted: bool
    already: bool


def add(
    path: Path, *, name: str | None = None, base: Base | None = None, source: str | None = None,
    label: str | None = None, on_bytes: OnBytes = silent,
) -> Added:  # fmt: skip
    """Remember the adapter at ``path``, a GGUF file or a folder of PEFT, under ``name`` or one made of its own.

    Args:
        path: of the file, which stays where it is, or of the folder, which is converted; the adapter may be further
            down in it.
        name: None for one made of the name of the file or folder.
        base: the model that it must fit; None leaves that to its first use.
        source: what it came from, where that is not ``path``.
        label: what a name is made of, rather than of the name of the file or folder.
        on_bytes: is told how far the conversion is.

    Raises:
        PhiError: it is not an adapter that can be used, does not fit, or cannot be kept here.
    """
    if name is not None:
        check_name(name)
    if not os.path.lexists(expand(str(path))):
        raise absent(path)
    path = Path(os.path.abspath(expand(str(path))))  # noqa: PTH100 (links stay, ".." goes)
    check_path(path)
    folder = folder_of(path)
    if folder is None and path.is_dir():
        folder = adapter_below(path, "phi adapters add")
    wish = _Wish(name, label, source or str(folder or path), base)
    return _add_file(path, wish) if folder is None else _add_folder(folder, wish, on_bytes)


def check_free(name: str, folder: Path) -> None:
    """Return if the adapter that will come to be in ``folder`` can get ``name``, before hours are spent on it.

    Raises:
        UsageError: it cannot be a name, or belongs to an adapter from another place.
    """
    check_name(name)
    _holder(name, os.path.abspath(folder))  # noqa: PTH100 (links stay, ".." goes)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is known about the adapter but for its place."""

    name: str | None
    label: str | None
    source: str
    base: Base | None

    def choose(self, before: RegisteredAdapter | None, *candidates: str) -> tuple[str, RegisteredAdapter | None]:
        """The name, and the adapter that it replaces: that of ``before``, which is the same one, if no other is asked.

        Raises:
            UsageError: the name belongs to another one.
        """
        named = self.name or (before.name if before else free_name((self.label or "", *candidates)))
        holder = _holder(named, self.source)
        return (named if holder is None else holder.name), holder


def _add_file(path: Path, wish: _Wish) -> Added:
    if path.suffix.lower() == ".safetensors" and path.is_file():
        raise NotAnAdapterError(
            f"{path} needs an {CONFIG} in the same folder, which has the scale of the adapter",
            "name the folder that PEFT saved (model.save_pretrained)",
        )
    try:
        header = read_adapter(path)
    except IntegrityError as error:
        if not is_gguf_name(path.name) and not isinstance(error, NotAModelError | NotAnAdapterError):
            error.hint = "name the folder that PEFT saved, or a GGUF file"
        raise
    real = os.path.realpath(path)
    same = (one for one in registered() if os.path.realpath(one.path) == real or one.source == wish.source)
    name, holder = wish.choose(next(same, None), header.name or "", stem_of(path.name), path.parent.name)
    _check(header, name, wish.base)
    adapter = _record(name, path, header, wish)
    _keep(adapter)
    return Added(adapter, header, converted=False, already=holder == adapter)


def _add_folder(folder: Path, wish: _Wish, on_bytes: OnBytes) -> Added:
    peft = read_peft(folder)
    same = (one for one in registered() if one.source == wish.source)
    name, holder = wish.choose(next(same, None), folder.name, folder.parent.name)
    target = adapters_dir() / f"{name}.gguf"
    _check_disk(peft, target)
    with writing("the folder", data_dir(), "set PHI_HOME to a folder that you can write to"):
        header = _written(peft, target, name, wish.base, on_bytes)
    adapter = _record(name, target, header, wish)
    _keep(adapter)
    return Added(adapter, header, converted=True, already=holder is not None)


def _written(peft: PeftAdapter, target: Path, name: str, base: Base | None, on_bytes: OnBytes) -> AdapterHeader:
    """Write the file, and read what was written; one that does not fit ``base`` does not replace another."""
    trial = target.with_name(f".{target.name}.trial")
    for left in target.parent.glob(f".{target.name}.trial*"):  # of a process that was killed
        if left.stat().st_mtime < time.time() - _STALE_S:
            left.unlink(missing_ok=True)
    try:
        write_adapter(peft, trial, name=name, on_bytes=on_bytes)
        _check(read_adapter(trial), name, base)
        trial.replace(target)
    finally:
        trial.unlink(missing_ok=True)
    return read_adapter(target)


def _check(header: AdapterHeader, name: str, base: Base | None) -> None:
    if base is not None:
        check_base(header, base.header, name=name, model=base.name)


def _check_disk(peft: PeftAdapter, target: Path) -> None:
    needed, free = gguf_bytes(peft), free_bytes(target.parent)
    if needed > free:
        raise DoesNotFitError(
            f"the adapter needs {format_bytes(needed)}, but only {format_bytes(free)} are free on the disk of "
            f"{target.parent}",
            "free some space and run the command again",
        )


def _holder(name: str, source: str) -> RegisteredAdapter | None:
    """The adapter that has this name and may be replaced, since it came from the same place or is gone.

    Raises:
        UsageError: the name belongs to another one.
    """
    holder = find(name)
    if holder is not None and holder.source != source and holder.is_current:
        raise UsageError(
            f"the name {holder.name} is already used for {holder.source}",
            f"choose another name: --as NAME; or remove that one first: phi adapters rm {holder.name}",
        )
    return holder


def _record(name: str, path: Path, header: AdapterHeader, wish: _Wish) -> RegisteredAdapter:
    found = path.stat()
    return RegisteredAdapter(
        name=name,
        path=path,
        source=wish.source,
        base_name=header.base_name,
        base_model=None if wish.base is None else wish.base.reference,
        size_bytes=found.st_size,
        mtime_ns=found.st_mtime_ns,
    )


def _keep(adapter: RegisteredAdapter) -> None:
    with writing("the folder", data_dir(), "set PHI_HOME to a folder that you can write to"):
        remember(adapter)
