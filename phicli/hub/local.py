"""Models that are used where they lie: a name for a GGUF file that stays where it is.

One small JSON file a model under ``models`` in the data directory. Forgetting a model never touches its file.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from phicli.catalog.names import squash
from phicli.catalog.resolve import resolve
from phicli.errors import IntegrityError, NotFoundError, UsageError
from phicli.hub.cache import quant_of_filename, whole_size
from phicli.hub.matching import Identity, Progress, identify, silent
from phicli.paths import data_dir, expand, write_atomically

ORIGINS: Final = ("import", "ollama", "lm-studio")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PART: Final = re.compile(r"-(\d{5})-of-(\d{5})(?=\.gguf$)", re.IGNORECASE)
_CHOOSE: Final = "choose another name: phi cache import FILE --as NAME"


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A registered file; of a split model ``path`` is the first part and ``size_bytes`` the sum of all.

    ``variant_id`` is None for what the catalogue does not know. ``sha256`` is that of the file at ``path`` as hashed
    here, or as Ollama claims it; None when nobody hashed it. ``origin`` is one of ``ORIGINS``.
    """

    name: str
    path: Path
    variant_id: str | None
    quant: str | None
    size_bytes: int
    mtime_ns: int
    sha256: str | None
    origin: str


@dataclass(frozen=True, slots=True)
class Registration:
    """What :func:`register` did: ``already`` when the same file had this name before."""

    model: LocalModel
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

    Any part of a split model stands for all of it. ``identity`` saves looking at the file once more.

    Raises:
        UsageError: the name cannot be one, belongs to the catalogue or to another file that is still there.
        NotFoundError, IntegrityError: there is no such file, or it is no GGUF, is damaged, or lacks parts.
    """
    path = first_part(Path(os.path.abspath(expand(str(path)))))  # noqa: PTH100 (links stay, ".." goes)
    _require_utf8(path)
    if name is not None:
        check_name(name)
    identity = identity or identify(path, on_progress=on_progress)
    size_bytes = whole_size(path.parent, path.name)
    if size_bytes is None:
        raise IntegrityError(f"{path} is one part of a model whose other parts are not beside it", "bring all parts")
    before = _same_file(path)
    chosen = name or (before.name if before else _free_name(path, label, origin))
    holder = find(chosen)
    if holder is not None and not _same(holder.path, path) and is_current(holder):
        raise UsageError(f"the name {chosen} belongs to {holder.path}", _CHOOSE)
    match = identity.match
    model = LocalModel(
        name=chosen,
        path=path,
        variant_id=match.variant.id if match else None,
        quant=match.quant if match else identity.header.quant or quant_of_filename(path.name),
        size_bytes=size_bytes,
        mtime_ns=path.stat().st_mtime_ns,
        sha256=identity.sha256,
        origin=holder.origin if holder is not None and _same(holder.path, path) else origin,
    )
    already = holder is not None and replace(holder, path=path, sha256=model.sha256) == model
    if holder is not None and holder.name != chosen:
        unregister(holder.name)
    write_atomically(_record_path(chosen), json.dumps(asdict(model) | {"path": str(path)}).encode())
    return Registration(model, identity, already)


def registered() -> tuple[LocalModel, ...]:
    """All registered models by name, whether or not their files are still there; a damaged record is left out."""
    try:
        files = sorted((data_dir() / "models").glob("*.json"))
    except OSError:
        return ()
    return tuple(model for file in files if (model := _load(file)) is not None)


def find(name: str) -> LocalModel | None:
    """The model registered as ``name`` (case and separators do not matter), or None."""
    wanted = squash(name)
    return next((model for model in registered() if squash(model.name) == wanted), None)


def unregister(name: str) -> bool:
    """Forget the model registered as ``name``; its file stays. False when there is none."""
    model = find(name)
    if model is None:
        return False
    _record_path(model.name).unlink(missing_ok=True)
    return True


def is_current(model: LocalModel) -> bool:
    """Whether the file (all parts of it) is still there, with the size it had."""
    return whole_size(model.path.parent, model.path.name) == model.size_bytes


def imported_folder(model: LocalModel) -> Path | None:
    """The folder that the import of an archive made for ``model``: what ``phi`` may delete. None for others' files."""
    folder = model.path.parent
    return folder if folder.parent == (data_dir() / "imported").absolute() else None


def first_part(path: Path) -> Path:
    """The first part of a split model, ``path`` itself for any other file."""
    return path.with_name(_PART.sub(lambda part: f"-00001-of-{part[2]}", path.name))


def check_name(name: str) -> None:
    """Return if ``name`` can be the name of a registered model.

    Raises:
        UsageError: it reads like a path or a quantisation, has odd signs, or belongs to the catalogue.
    """
    if not _NAME.fullmatch(name) or name.lower().endswith((".gguf", ".tar")):
        what = "a name has letters, digits, dots, dashes and underscores, and does not end in .gguf"
        raise UsageError(f"{name[:80]!r} cannot be a name: {what}", _CHOOSE)
    owner = _owner(name)
    if owner is not None:
        raise UsageError(f"the name {name} belongs to the catalogue: it is {owner}", _CHOOSE)


def free_name(wanted: str, suffix: str = "local") -> str:
    """``wanted`` as a name that nobody has: lower case, odd signs replaced, a suffix where it is taken."""
    base = re.sub(r"[^a-z0-9._-]+", "-", wanted.lower())[:80].strip("-._") or "model"
    tries = [base, f"{base}-{suffix}", *(f"{base}-{suffix}-{number}" for number in range(2, 1000))]
    taken = {squash(model.name) for model in registered()}
    return next(name for name in tries if _owner(name) is None and squash(name) not in taken)


def _free_name(path: Path, label: str | None, origin: str) -> str:
    stem = _PART.sub("", path.name)
    stem = stem[:-5] if stem.lower().endswith(".gguf") else stem
    return free_name(label or stem, "local" if origin == "import" else origin)


def _owner(name: str) -> str | None:
    """The variant of the catalogue that ``name`` means."""
    try:
        return resolve(name).variant.id
    except NotFoundError:
        return None


def _same_file(path: Path) -> LocalModel | None:
    return next((model for model in registered() if _same(model.path, path)), None)


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _require_utf8(path: Path) -> None:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError("the path of the model is not UTF-8, which the engine needs", "rename the file") from None


def _record_path(name: str) -> Path:
    return data_dir() / "models" / f"{name}.json"


def _load(file: Path) -> LocalModel | None:
    try:
        values: dict[str, Any] = json.loads(file.read_text("utf-8"))
        model = LocalModel(**(values | {"path": Path(values["path"])}))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    sound = isinstance(model.name, str) and isinstance(model.size_bytes, int) and file.stem == model.name
    return model if sound else None
