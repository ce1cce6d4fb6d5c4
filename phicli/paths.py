"""Where ``phi`` keeps what is its own. Models are not among it: they live in the Hugging Face cache.

``PHI_HOME`` moves all of it into one folder; otherwise the platform's conventions apply.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_APP = "phicli"


def expand(path: str) -> Path:
    """``path`` with ``~`` replaced; one of a user that does not exist stays as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def is_there(path: str) -> bool:
    """Whether something is at ``path``; what cannot be a path is nowhere."""
    try:
        return expand(path).exists()
    except (OSError, ValueError):
        return False


def log_dir() -> Path:
    """Logs of engines that failed."""
    return state_dir() / "logs"


def data_dir() -> Path:
    """What ``phi`` must not forget: hashes of verified files, models registered in place. Not created here."""
    if home := os.environ.get("PHI_HOME"):
        return expand(home) / "data"
    import platformdirs

    return platformdirs.user_data_path(_APP, appauthor=False)


def state_dir() -> Path:
    """Logs, the REPL's history, the last used model. Not created here, and maybe not writable."""
    if home := os.environ.get("PHI_HOME"):
        return expand(home) / "state"
    import platformdirs

    return platformdirs.user_state_path(_APP, appauthor=False)


def cache_dir() -> Path:
    """What can be made again: files that are written for a measurement. Not created here."""
    if home := os.environ.get("PHI_HOME"):
        return expand(home) / "cache"
    import platformdirs

    return platformdirs.user_cache_path(_APP, appauthor=False)


def read_small(path: Path, most_bytes: int = 1 << 20) -> bytes:
    """The content of a small file that anybody may have put there: never waits for a pipe, never fills the memory.

    Raises:
        OSError: it cannot be read, is no regular file, or has more than ``most_bytes``.
    """
    import errno
    import stat

    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    if status.st_size > most_bytes:
        raise OSError(errno.EFBIG, "it is too large", str(path))
    with path.open("rb") as file:
        return file.read(most_bytes)


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` so that whoever reads ``path`` sees all of it or what was there before; folders are made.

    Raises:
        OSError: it cannot be written; what was there before is still there.
    """
    import tempfile

    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
