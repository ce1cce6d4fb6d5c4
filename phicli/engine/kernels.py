"""Native kernels that are saved: CPU modules of ggml that were built for this processor.

Each build has its own folder below :func:`kernels_folder`: the module, ``kernels.json`` with the facts about it, and,
if it could not be loaded, ``failed`` with the reason. Only the standard library is imported, because each chat looks
here at its start. If nothing was built, it reads the disk only once.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, get_args

from phicli.engine.package import ENGINE_PACKAGE
from phicli.errors import PhiError, disk_full, is_disk_full, reason_of
from phicli.paths import data_dir, read_small, write_atomically

Choice = Literal["auto", "native", "wheel"]
CHOICES: Final[tuple[Choice, ...]] = get_args(Choice)
"""``auto`` takes native kernels that were faster in their trial, ``native`` also others, ``wheel`` none."""

_failed: dict[Path, str] = {}
"""Modules that this process could not load, with the reason."""

_FOLDER: Final = "engines"
_CHOICE: Final = "use"
TOLD: Final = "told"
_MANIFEST: Final = "kernels.json"
_FAILED: Final = "failed"
_NAME: Final = re.compile(r"\w[\w.+-]*", re.ASCII)
_LARGEST_MODULE: Final = 1 << 28
_WORTH_PROMPTS: Final = 1.05
_WORTH_TOKENS: Final = 0.95


@dataclass(frozen=True, slots=True)
class Kernels:
    """A CPU module of ggml that was built for a processor.

    ``variant`` is ggml's name of it (``zen4``), ``engine`` the version of xllamacpp it belongs to, ``processor`` the
    :func:`processor_name` where it was built. ``instruction_sets`` are in the words of
    :class:`phicli.hardware.types.Cpu`. The ratios are its speed in the trial after the build, divided by that of the
    kernels in the wheel. ``sources_sha256`` is the hash of the archive of sources; empty where it is unknown.
    """

    path: Path
    variant: str
    engine: str
    processor: str
    instruction_sets: tuple[str, ...]
    size_bytes: int
    sha256: str
    prompt_ratio: float
    decode_ratio: float
    sources_sha256: str = ""

    @property
    def is_faster(self) -> bool:
        """Whether they process prompts at least 5 % faster than the wheel's, and generate at most 5 % slower."""
        return self.prompt_ratio >= _WORTH_PROMPTS and self.decode_ratio >= _WORTH_TOKENS


def kernels_folder() -> Path:
    """Where native kernels are saved. It need not exist."""
    return data_dir() / _FOLDER


def folder_of(engine: str, variant: str, processor: str) -> Path:
    """The folder of the kernels ``variant``, built for ``processor`` from the sources of ``engine`` (a version)."""
    import hashlib

    return kernels_folder() / f"{engine}-{variant}-{hashlib.sha256(processor.encode()).hexdigest()[:8]}"


def build_name(version: str, kernels: Kernels | None = None) -> str:
    """The engine's build in every record: ``xllamacpp 1.2.3``, or ``xllamacpp 1.2.3 (zen4 kernels)``."""
    return f"{ENGINE_PACKAGE} {version}" + (f" ({kernels.variant} kernels)" if kernels else "")


def saved_kernels() -> tuple[Kernels, ...]:
    """All native kernels here, by the name of their folder; those with a damaged manifest are left out."""
    return tuple(kernels for folder in build_folders() if (kernels := read_manifest(folder)) is not None)


def build_folders() -> tuple[Path, ...]:
    """The folders of all builds by name, also of damaged ones; without those of builds that are not finished."""
    try:
        paths = sorted(path for path in kernels_folder().iterdir() if not path.name.startswith("."))
    except OSError:
        return ()
    return tuple(path for path in paths if os.path.isdir(path))  # noqa: PTH112 (it never raises)


def folder_problem() -> str:
    """Why it is unknown what was built here, in words; empty where that is known."""
    try:
        next(kernels_folder().iterdir(), None)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"the folder {kernels_folder()} cannot be read: {reason_of(error)}"
    return ""


def read_manifest(folder: Path) -> Kernels | None:
    """The kernels in ``folder``; None where its manifest is missing or damaged. The module is not read."""
    try:
        data = json.loads(read_small(folder / _MANIFEST))
        return _from_data(data, folder)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError):
        return None


def write_manifest(kernels: Kernels) -> None:
    """Write the manifest next to the module, and delete the records of earlier failures and notices.

    Raises:
        OSError: it cannot be written.
    """
    data = asdict(kernels) | {"path": kernels.path.name, "instruction_sets": list(kernels.instruction_sets)}
    write_atomically(kernels.path.with_name(_MANIFEST), (json.dumps(data, indent=1) + "\n").encode())
    _forget_failures(kernels.path.parent)


def read_choice() -> Choice:
    """The choice made with ``phi engine use``; ``auto`` if no choice can be read."""
    with contextlib.suppress(OSError, ValueError):
        text = read_small(kernels_folder() / _CHOICE).decode().strip()
        return next((choice for choice in CHOICES if choice == text), "auto")
    return "auto"


def write_choice(choice: Choice) -> None:
    """Save which kernels are used from now on. Kernels that failed are tried again, unless the choice is ``wheel``.

    Raises:
        PhiError: the choice cannot be written.
    """
    path = kernels_folder() / _CHOICE
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(path, f"{choice}\n".encode())
    except OSError as error:
        if is_disk_full(error):
            raise disk_full(path) from error
        message = f"the choice of kernels cannot be written to {path}: {reason_of(error)}"
        raise PhiError(message, "check the folder, or set PHI_HOME to another one") from error
    if choice != "wheel":
        for kernels in saved_kernels():
            _forget_failures(kernels.path.parent)


def failure_of(kernels: Kernels) -> str:
    """Why these kernels could not be loaded earlier; empty if they never failed."""
    if kernels.path in _failed:
        return _failed[kernels.path]
    with contextlib.suppress(OSError):
        return read_small(kernels.path.with_name(_FAILED)).decode(errors="replace").strip()
    return ""


def damage_of(kernels: Kernels) -> str:
    """What is wrong with the file of these kernels, in words; empty where it is intact."""
    try:
        status = kernels.path.stat()
        intact = (status.st_size, _hash(kernels.path, status.st_mtime_ns)) == (kernels.size_bytes, kernels.sha256)
    except OSError as error:
        return f"{kernels.path.name}: {reason_of(error)}"
    return "" if intact else f"{kernels.path.name} is damaged"


@cache
def _hash(path: Path, _modified_ns: int) -> str:
    """The hash of a module, which is read once as long as it does not change.

    Raises:
        OSError: it cannot be read, is not a regular file, or is too large for a module.
    """
    import hashlib

    return hashlib.sha256(read_small(path, _LARGEST_MODULE)).hexdigest()


def remember_failure(kernels: Kernels, reason: str) -> bool:
    """Do not use these kernels until they are built or chosen again. Return whether this could be saved.

    If not, it applies to this process only.
    """
    _failed[kernels.path] = reason
    with contextlib.suppress(OSError):
        write_atomically(kernels.path.with_name(_FAILED), f"{reason}\n".encode())
        return True
    return False


def _forget_failures(folder: Path) -> None:
    for module in [module for module in _failed if module.parent == folder]:
        del _failed[module]
    for path in (folder / _FAILED, kernels_folder() / TOLD):
        with contextlib.suppress(OSError):
            path.unlink()


def _from_data(data: Mapping[str, Any], folder: Path) -> Kernels:
    """Kernels from the manifest. Raises ValueError, TypeError or KeyError if a value is missing or invalid."""
    names = (str(data["path"]), str(data["variant"]), str(data["engine"]))
    processor = str(data["processor"])
    if not (all(map(_NAME.fullmatch, names)) and processor.isprintable()):
        raise ValueError(names)
    return Kernels(
        path=folder / names[0],
        variant=names[1],
        engine=names[2],
        processor=processor,
        instruction_sets=tuple(str(name) for name in data["instruction_sets"]),
        size_bytes=int(data["size_bytes"]),
        sha256=str(data["sha256"]),
        prompt_ratio=float(data["prompt_ratio"]),
        decode_ratio=float(data["decode_ratio"]),
        sources_sha256=str(data.get("sources_sha256", "")),
    )
