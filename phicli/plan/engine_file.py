"""The file that an engine gets for a model: the model's own, or one that is written for the engine.

A file that is written for an engine is saved in the cache folder, under the SHA-256 of the model file, so it is written
only once. It can be removed at any time.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import time
from pathlib import Path
from typing import Final

from phicli.engine.abilities import abilities_of_sampling
from phicli.engine.starting import DEFAULT_ENGINE, ENGINES, can
from phicli.engine.types import Sampling
from phicli.errors import DoesNotFitError, PhiError, UnsupportedModelError
from phicli.gguf_file.header import read_header
from phicli.gguf_file.types import GgufHeader
from phicli.hub.types import Progress, silent
from phicli.paths import cache_dir
from phicli.units import format_bytes

_ABANDONED_S: Final = 24 * 3600
_FORM: Final = 1
"""Number of the way in which files are written: another one does not take over what this one wrote."""


def require_runs(engine: str, header: GgufHeader) -> None:
    """Return if the engine called ``engine`` can run the file with ``header``, as far as the file says.

    Raises:
        UnsupportedModelError: the engine cannot run the file; the hint names an engine that can.
    """
    if not ENGINES[engine].reads_llama:
        return
    from phicli.gguf_file.llama_form import why_not_llama

    reason = why_not_llama(header)
    if reason is not None:
        message = f"{engine} cannot run {header.path.name}: {reason}; it runs only Phi-3-mini-4k and Phi-3-medium-4k"
        raise UnsupportedModelError(message, f"use the default engine: --engine {DEFAULT_ENGINE}")


def sampling_notices(engine: str, sampling: Sampling) -> tuple[str, ...]:
    """Notices about what the engine called ``engine`` ignores of ``sampling``."""
    lacking = (ability for ability in abilities_of_sampling(sampling) if not can(engine, ability))
    return tuple(f"{engine} cannot {ability.value}: this has no effect" for ability in lacking)


def file_for_engine(engine: str, header: GgufHeader, on_progress: Progress = silent) -> Path:
    """The file to load into the engine called ``engine``; it is written if it does not exist yet.

    Args:
        engine: one of :data:`~phicli.engine.starting.ENGINES`.
        header: of the model file.
        on_progress: is told how far hashing and writing are.

    Raises:
        UnsupportedModelError: the engine cannot run the file.
        DoesNotFitError: the disk is too small.
        PhiError: the file cannot be read, or the other one not be written.
    """
    require_runs(engine, header)
    if not ENGINES[engine].reads_llama:
        return header.path
    sha256 = _sha256_of(header.path, on_progress)
    target = cache_dir() / engine / f"{sha256[:32]}-{_FORM}.gguf"
    if not _is_whole(target, sha256):
        _write(header, target, sha256, on_progress)
    return target


def _sha256_of(path: Path, on_progress: Progress) -> str:
    from phicli.gguf_file.diagnose import unreadable
    from phicli.hub.verified import hash_once

    try:
        return hash_once(path, on_progress)
    except OSError as error:
        raise unreadable(path, error) from None


def _is_whole(path: Path, sha256: str) -> bool:
    """Whether ``path`` has everything of a file that was written for the model file with that hash."""
    from phicli.gguf_file.llama_file import SOURCE

    if not path.is_file():
        return False
    try:
        return read_header(path).metadata.get(SOURCE) == sha256
    except PhiError:
        return False


def _write(header: GgufHeader, target: Path, sha256: str, on_progress: Progress) -> None:
    from phicli.gguf_file.llama_file import write_llama_file
    from phicli.hub.write_errors import writing

    partial = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    what = f"writing {header.path.name} for {target.parent.name}"
    try:
        with writing("the folder", target.parent, "set PHI_HOME to a folder that can be written"):
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _remove_abandoned(target.parent)
            _check_disk(header, target.parent)
            write_llama_file(
                header, partial, source_sha256=sha256, on_bytes=lambda done, total: on_progress(what, done, total)
            )
            partial.replace(target)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _check_disk(header: GgufHeader, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < header.file_size_bytes:
        raise DoesNotFitError(
            f"the file for the engine needs {format_bytes(header.file_size_bytes)} on disk, "
            f"but {folder} has only {format_bytes(free)}",
            "free some space, or set PHI_HOME to a folder on a larger disk",
            data={"needed_bytes": header.file_size_bytes, "free_bytes": free, "folder": str(folder)},
        )


def _remove_abandoned(folder: Path) -> None:
    """Remove the files that killed processes left behind."""
    for path in folder.glob("*.part"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                path.unlink()
