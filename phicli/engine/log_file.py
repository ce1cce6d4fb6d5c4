"""The file that an engine process writes its log to."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from pathlib import Path
from typing import IO, Final

from phicli.paths import temporary_dir

_STALE_LOG_S: Final = 7 * 24 * 3600


def open_log(log_dir: Path | None) -> tuple[Path | None, IO[bytes]]:
    """Open a log file of our own in ``log_dir``, else in the temporary folder, else nowhere."""
    name = f"phi-engine-{os.getpid()}-{secrets.token_hex(4)}.log"
    if log_dir is not None:
        _remove_stale_logs(log_dir)
    for folder in [log_dir, temporary_dir()]:
        if folder is None:
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = folder / name
            return path, path.open("xb")
        except OSError:
            continue
    return None, Path(os.devnull).open("wb")


def _remove_stale_logs(folder: Path) -> None:
    """Remove logs that killed processes left behind a week ago or earlier; none of a folder that cannot be read."""
    with contextlib.suppress(OSError):
        for path in folder.glob("phi-engine-*-*.log"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _STALE_LOG_S:
                    path.unlink()
