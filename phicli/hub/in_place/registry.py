"""Models that are used in place: the names that GGUF files have here, though they stay where they are.

One small JSON file a model under ``models`` in the data directory. Forgetting a model never touches its file.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from phicli.catalog.names import squash
from phicli.catalog.resolve import resolve
from phicli.errors import NotFoundError, UsageError
from phicli.gguf_file.names import whole_size
from phicli.paths import data_dir, read_small, write_atomically

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_LONGEST_PATH: Final = 4096
_LONGEST_PART: Final = 255
_LARGEST: Final = 1 << 63
CHOOSE: Final = "choose another name: phi cache import FILE --as NAME"


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A registered file; of a split model ``path`` is the first part and ``size_bytes`` the sum of all.

    ``variant_id`` is None for what the catalog does not know. ``sha256`` is that of the file at ``path`` as hashed
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


def remember(model: RegisteredModel) -> None:
    """Write the record of ``model``, in place of one of the same name.

    Raises:
        OSError: it cannot be written.
    """
    write_atomically(_record_path(model.name), json.dumps(asdict(model) | {"path": str(model.path)}).encode())


def registered() -> tuple[RegisteredModel, ...]:
    """All registered models by name, whether or not their files are still there; a damaged record is left out."""
    return tuple(model for file in _records() if (model := _load(file)) is not None)


def damaged_records() -> tuple[Path, ...]:
    """The records that :func:`registered` leaves out."""
    return tuple(file for file in _records() if _load(file) is None and file.exists())


def find(name: str) -> RegisteredModel | None:
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


def is_current(model: RegisteredModel) -> bool:
    """Whether the file (all parts of it) is still there, with the size it had."""
    return whole_size(model.path) == model.size_bytes


def imported_folder(model: RegisteredModel) -> Path | None:
    """The folder that the import of an archive made for ``model``: what ``phi`` may delete. None for others' files.

    What counts is where the file really is, whatever the record says about the way there.
    """
    home = Path(os.path.realpath(imports_dir()))
    real = Path(os.path.realpath(model.path))
    inside = real.relative_to(home).parts if real.is_relative_to(home) else ()
    if len(inside) < 2 or inside[0].startswith("."):
        return None
    folder = imports_dir() / inside[0]
    return folder if folder.is_dir() and not folder.is_symlink() else None


def shares_folder(model: RegisteredModel, folder: Path) -> bool:
    """Whether the file of ``model`` is really in ``folder``."""
    return Path(os.path.realpath(model.path)).is_relative_to(os.path.realpath(folder))


def imports_dir() -> Path:
    """Where models out of archives live that belong to no repository: one folder per model. It need not be there."""
    return (data_dir() / "imported").absolute()


def check_name(name: str) -> None:
    """Return if ``name`` can be the name of a registered model.

    Raises:
        UsageError: it reads like a path or a quantization, has odd signs, or belongs to the catalog.
    """
    if not _NAME.fullmatch(name) or name.lower().endswith((".gguf", ".tar")):
        what = "a name consists of letters, digits, dots, dashes and underscores, and does not end in .gguf"
        raise UsageError(f"{name[:80]!r} is not a valid name: {what}", CHOOSE)
    owner = _owner(name)
    if owner is not None:
        raise UsageError(f"the name {name} is already used in the catalog for {owner}", CHOOSE)


def free_name(wanted: str, suffix: str = "local", *, taken: Iterable[str] = ()) -> str:
    """``wanted`` as a name that nobody has: lower case, odd signs replaced, a suffix where it is ``taken``."""
    base = re.sub(r"[^a-z0-9._-]+", "-", wanted.lower())[:80].strip("-._") or "model"
    tries = [base, f"{base}-{suffix}", *(f"{base}-{suffix}-{number}" for number in range(2, 1000))]
    used = {squash(name) for name in (*taken, *(model.name for model in registered()))}
    return next(name for name in tries if _owner(name) is None and squash(name) not in used)


def _owner(name: str) -> str | None:
    """The variant of the catalog that ``name`` means."""
    try:
        return resolve(name).variant.id
    except NotFoundError:
        return None


def _record_path(name: str) -> Path:
    return data_dir() / "models" / f"{name}.json"


def _records() -> list[Path]:
    try:
        return sorted((data_dir() / "models").glob("*.json"))
    except OSError:
        return []


def _load(file: Path) -> RegisteredModel | None:
    try:
        values: dict[str, Any] = json.loads(read_small(file))
        model = RegisteredModel(**(values | {"path": Path(values["path"])}))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return model if file.stem == model.name and _is_sound(model) else None


def _is_sound(model: RegisteredModel) -> bool:
    """Whether the record can be what it says: it is a file that anybody may have edited."""
    texts = (model.variant_id, model.quant, model.origin)
    numbers = (model.size_bytes, model.mtime_ns)
    return (
        _NAME.fullmatch(model.name) is not None
        and all(text is None or (isinstance(text, str) and text.isprintable()) for text in texts)
        and model.origin is not None
        and all(isinstance(number, int) and -_LARGEST < number < _LARGEST for number in numbers)
        and model.size_bytes >= 0
        and (model.sha256 is None or (isinstance(model.sha256, str) and _SHA256.fullmatch(model.sha256) is not None))
        and _can_be(model.path)
    )


def _can_be(path: Path) -> bool:
    """Whether every system call may be given ``path``."""
    try:
        lengths = [len(part.encode("utf-8")) for part in path.parts]
    except UnicodeEncodeError:
        return False
    fits = max(lengths, default=0) <= _LONGEST_PART and sum(lengths) + len(lengths) <= _LONGEST_PATH
    return fits and path.is_absolute() and "\0" not in str(path)
