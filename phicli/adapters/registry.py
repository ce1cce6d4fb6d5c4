"""The names that adapters have here: one small JSON file for each, under ``adapters`` in the data directory.

A GGUF file that somebody has is used where it is. What was converted lies beside its record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from phicli.catalog.names import squash
from phicli.errors import IntegrityError, NotFoundError, PhiError, UsageError
from phicli.paths import data_dir, read_small, write_atomically

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LARGEST: Final = 1 << 63
HOW_TO_ADD: Final = "phi adapters add FOLDER-OR-FILE.gguf"
_GENERIC: Final = re.compile(
    r"(?:checkpoint-?\d*|adapter(?:_model)?|final|best|last|output|lora|out|model)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class RegisteredAdapter:
    """An adapter with a name.

    Attributes:
        name: its name here.
        path: of the GGUF file.
        source: the file, folder or repository that it came from.
        base_name: the model that it was made for, as its source says; None where that does not.
        base_model: the model here that it was checked against; None where it was not.
        size_bytes: of the GGUF file.
        mtime_ns: when that file was last changed.
    """

    name: str
    path: Path
    source: str
    base_name: str | None
    base_model: str | None
    size_bytes: int
    mtime_ns: int

    @property
    def is_current(self) -> bool:
        """Whether the file is still there, with the size it had."""
        try:
            return self.path.stat().st_size == self.size_bytes
        except OSError:
            return False

    @property
    def is_ours(self) -> bool:
        """Whether the file is one that was converted here, which goes with its name."""
        return self.path.parent == adapters_dir()


def adapters_dir() -> Path:
    """Where records and converted adapters are. Not created here."""
    return (data_dir() / "adapters").absolute()


def registered() -> tuple[RegisteredAdapter, ...]:
    """All adapters by name, whether or not their files are still there; a damaged record is left out."""
    return tuple(adapter for file in _records() if (adapter := _load(file)) is not None)


def damaged_records() -> tuple[Path, ...]:
    """The records that :func:`registered` leaves out."""
    return tuple(file for file in _records() if _load(file) is None and file.exists())


def find_damaged(name: str) -> RegisteredAdapter | None:
    """What is left of the adapter called ``name`` whose record is damaged: the file that was converted, or the record.

    None where there is no such record.
    """
    record = next((file for file in damaged_records() if squash(file.stem) == squash(name)), None)
    if record is None:
        return None
    converted = record.with_suffix(".gguf")
    path = converted if converted.is_file() else record
    return RegisteredAdapter(record.stem, path, "", None, None, path.stat().st_size, 0)


def find(name: str) -> RegisteredAdapter | None:
    """The adapter called ``name`` (case and separators do not matter), or None."""
    wanted = squash(name)
    return next((adapter for adapter in registered() if squash(adapter.name) == wanted), None)


def require(name: str) -> RegisteredAdapter:
    """The adapter called ``name``, whose file is there.

    Raises:
        NotFoundError: there is none, or its file is gone; the hint has close names.
    """
    adapter = find(name)
    if adapter is None:
        raise unknown(name)
    if not adapter.is_current:
        raise NotFoundError(
            f"the adapter {adapter.name} was added, but {adapter.path} has been deleted or changed",
            f"add it again: phi adapters add PATH --as {adapter.name}; or remove it: phi adapters rm {adapter.name}",
        )
    return adapter


def name_of(path: Path) -> str:
    """What the adapter in the file ``path`` is called here: its name, else the path."""
    return next((adapter.name for adapter in registered() if adapter.path == path), str(path))


def unknown(name: str) -> PhiError:
    """The error for an adapter that is not here, or has a damaged record; names that come close are in its hint."""
    if (damaged := find_damaged(name)) is not None:
        return IntegrityError(
            f"the record of the adapter {damaged.name} is damaged: {_record(damaged.name)}",
            f"add the adapter again: {HOW_TO_ADD} --as {damaged.name}; or remove it: phi adapters rm {damaged.name}",
        )
    names = [adapter.name for adapter in registered()]
    close = get_close_matches(name.lower(), names, n=3, cutoff=0.6)
    if close:
        hint = f"did you mean {' or '.join(close)}? See: phi adapters list"
    else:
        hint = f"see your adapters: phi adapters list; add one: {HOW_TO_ADD}" if names else f"add one: {HOW_TO_ADD}"
    return NotFoundError(f"adapter {name[:80]!r} not found", hint)


def remember(adapter: RegisteredAdapter) -> None:
    """Write the record of ``adapter``, in place of one of the same name.

    Raises:
        OSError: it cannot be written.
    """
    data = asdict(adapter) | {"path": str(adapter.path)}
    write_atomically(_record(adapter.name), json.dumps(data).encode())


def forget(adapter: RegisteredAdapter) -> None:
    """Delete the record, and the file where it was converted here.

    Raises:
        OSError: one cannot be deleted.
    """
    _record(adapter.name).unlink(missing_ok=True)
    if adapter.is_ours:
        adapter.path.unlink(missing_ok=True)


def check_name(name: str) -> None:
    """Return if ``name`` can be the name of an adapter.

    Raises:
        UsageError: it cannot.
    """
    if not _NAME.fullmatch(name) or name.lower().endswith((".gguf", ".json")):
        what = "a name consists of letters, digits, dots, dashes and underscores, and does not end in .gguf"
        raise UsageError(f"{name[:80]!r} is not a valid name: {what}", "choose another name: --as NAME")


def check_path(path: Path) -> None:
    """Return if an adapter at ``path`` can be remembered.

    Raises:
        UsageError: the path has characters that cannot be shown.
    """
    if not str(path).isprintable():
        raise UsageError(
            f"the path of the adapter has characters that cannot be shown: {str(path)!r}", "rename the file or folder"
        )


def free_name(candidates: Iterable[str]) -> str:
    """A name that no adapter has, out of the first of ``candidates`` that says something."""
    used = {squash(adapter.name) for adapter in registered()}
    cleaned = [re.sub(r"[^a-z0-9._-]+", "-", one.lower())[:80].strip("-._") for one in candidates]
    base = next((one for one in cleaned if one and not _GENERIC.fullmatch(one)), "") or next(
        filter(None, cleaned), "adapter"
    )
    tries = (base, *(f"{base}-{number}" for number in range(2, 10_000)))
    return next(name for name in tries if squash(name) not in used)


def _records() -> list[Path]:
    try:
        return sorted(adapters_dir().glob("*.json"))
    except OSError:
        return []


def _record(name: str) -> Path:
    return adapters_dir() / f"{name}.json"


def _load(file: Path) -> RegisteredAdapter | None:
    try:
        values = json.loads(read_small(file))
        adapter = RegisteredAdapter(**(values | {"path": Path(values["path"])}))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return adapter if file.stem == adapter.name and _is_sound(values) and adapter.path.is_absolute() else None


def _is_sound(values: Mapping[str, object]) -> bool:
    """Whether the record can be what it says: it is a file that anybody may have edited."""
    texts = [values[key] for key in ("path", "source", "base_name", "base_model")]
    numbers = [values[key] for key in ("size_bytes", "mtime_ns")]
    return (
        isinstance(values["name"], str)
        and _NAME.fullmatch(values["name"]) is not None
        and all(text is None or (isinstance(text, str) and "\0" not in text and text.isprintable()) for text in texts)
        and texts[0] is not None
        and texts[1] is not None
        and all(type(number) is int and -_LARGEST < number < _LARGEST for number in numbers)
    )
