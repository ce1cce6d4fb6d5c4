"""Models that are used where they lie: the names that GGUF files have here, though they stay where they are.

One small JSON file a model under ``models`` in the data directory. Forgetting a model never touches its file.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from phicli.catalog.names import squash
from phicli.catalog.resolve import resolve
from phicli.errors import NotFoundError, UsageError
from phicli.gguf_file.names import whole_size
from phicli.paths import data_dir, write_atomically

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
CHOOSE: Final = "choose another name: phi cache import FILE --as NAME"


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A registered file; of a split model ``path`` is the first part and ``size_bytes`` the sum of all.

    ``variant_id`` is None for what the catalogue does not know. ``sha256`` is that of the file at ``path`` as hashed
    here, or as Ollama claims it; None when nobody hashed it. ``origin`` is ``import``, ``ollama``
    or ``lm-studio``.
    """

    name: str
    path: Path
    variant_id: str | None
    quant: str | None
    size_bytes: int
    mtime_ns: int
    sha256: str | None
    origin: str


def remember(model: LocalModel) -> None:
    """Write the record of ``model``, in place of one of the same name.

    Raises:
        OSError: it cannot be written.
    """
    write_atomically(_record_path(model.name), json.dumps(asdict(model) | {"path": str(model.path)}).encode())


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
    return whole_size(model.path) == model.size_bytes


def imported_folder(model: LocalModel) -> Path | None:
    """The folder that the import of an archive made for ``model``: what ``phi`` may delete. None for others' files."""
    home = imports_dir()
    if not model.path.is_relative_to(home) or ".." in model.path.parts:
        return None
    folder = home / model.path.relative_to(home).parts[0]
    return folder if folder.is_dir() and not folder.is_symlink() and folder != model.path else None


def imports_dir() -> Path:
    """Where models out of archives live that belong to no repository: a folder a model. It need not be there."""
    return (data_dir() / "imported").absolute()


def check_name(name: str) -> None:
    """Return if ``name`` can be the name of a registered model.

    Raises:
        UsageError: it reads like a path or a quantisation, has odd signs, or belongs to the catalogue.
    """
    if not _NAME.fullmatch(name) or name.lower().endswith((".gguf", ".tar")):
        what = "a name has letters, digits, dots, dashes and underscores, and does not end in .gguf"
        raise UsageError(f"{name[:80]!r} cannot be a name: {what}", CHOOSE)
    owner = _owner(name)
    if owner is not None:
        raise UsageError(f"the name {name} belongs to the catalogue: it is {owner}", CHOOSE)


def free_name(wanted: str, suffix: str = "local") -> str:
    """``wanted`` as a name that nobody has: lower case, odd signs replaced, a suffix where it is taken."""
    base = re.sub(r"[^a-z0-9._-]+", "-", wanted.lower())[:80].strip("-._") or "model"
    tries = [base, f"{base}-{suffix}", *(f"{base}-{suffix}-{number}" for number in range(2, 1000))]
    taken = {squash(model.name) for model in registered()}
    return next(name for name in tries if _owner(name) is None and squash(name) not in taken)


def _owner(name: str) -> str | None:
    """The variant of the catalogue that ``name`` means."""
    try:
        return resolve(name).variant.id
    except NotFoundError:
        return None


def _record_path(name: str) -> Path:
    return data_dir() / "models" / f"{name}.json"


def _load(file: Path) -> LocalModel | None:
    try:
        values: dict[str, Any] = json.loads(file.read_text("utf-8"))
        model = LocalModel(**(values | {"path": Path(values["path"])}))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    texts = (model.variant_id, model.quant, model.sha256)
    sound = file.stem == model.name and isinstance(model.size_bytes, int) and isinstance(model.origin, str)
    sound = sound and "\0" not in str(model.path) and all(isinstance(text, str | None) for text in texts)
    return model if sound else None
