"""Where ``phi`` keeps what is its own. Models are not among it: they live in the Hugging Face cache.

``PHI_HOME`` moves all of it into one folder; otherwise the platform's conventions apply.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

_APP = "phicli"
NOWHERE: Final = Path(os.devnull).absolute() / _APP
"""Stands for a folder of ours where neither the environment nor the system names a home: nothing can be made in it."""

NO_HOME_HINT: Final = "set HOME, or PHI_HOME to a folder"


def expand(path: str) -> Path:
    """``path`` with ``~`` replaced; one of a user that does not exist stays as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def is_there(path: str) -> bool:
    """Whether something is at ``path``; False for a text that cannot be a path."""
    try:
        return expand(path).exists()
    except (OSError, ValueError):
        return False


def log_dir() -> Path:
    """Logs of engines that failed."""
    return state_dir() / "logs"


def config_dir() -> Path:
    """The folder of the settings. Not created here."""
    if home := os.environ.get("PHI_HOME"):
        return expand(home) / "config"
    import platformdirs

    return _at_home(platformdirs.user_config_path)


def settings_file() -> Path:
    """The file of the settings. It need not exist."""
    return config_dir() / "config.toml"


def remotes_file() -> Path:
    """The file of the remotes. It need not exist."""
    return config_dir() / "remotes.toml"


def data_dir() -> Path:
    """What ``phi`` must not forget: hashes of verified files, models registered in place. Not created here."""
    if home := os.environ.get("PHI_HOME"):
        return expand(home) / "data"
    import platformdirs

    return _at_home(platformdirs.user_data_path)


def state_dir() -> Path:
    """Logs, the REPL's history, the last used model. Not created here, and maybe not writable."""
    if home := os.environ.get("PHI_HOME"):
        return expand(home) / "state"
    import platformdirs

    return _at_home(platformdirs.user_state_path)


def cache_dir() -> Path:
    """What can be made again: files that are written for a measurement. Not created here."""
    if home := os.environ.get("PHI_HOME"):
        return expand(home) / "cache"
    import platformdirs

    return _at_home(platformdirs.user_cache_path)


def temporary_dir() -> Path:
    """The system's folder for temporary files; :data:`NOWHERE` if none can be written, as when every disk is full."""
    import tempfile

    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        return NOWHERE


def own_folders() -> tuple[Path, ...]:
    """All folders of ``phi``; ``PHI_HOME`` moves them."""
    return config_dir(), data_dir(), state_dir(), cache_dir()


def read_small(path: Path, most_bytes: int = 1 << 20) -> bytes:
    """The content of a small file that anybody may have put there: never waits for a pipe, never fills the memory.

    Raises:
        OSError: it cannot be read, is not a regular file, or has more than ``most_bytes``.
    """
    import errno
    import stat

    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    if status.st_size > most_bytes:
        raise OSError(errno.EFBIG, "it is too large", str(path))
    with path.open("rb") as file:
        return file.read(most_bytes)


def write_atomically(path: Path, content: bytes, *, shared: bool = False) -> None:
    """Write ``content`` so that whoever reads ``path`` sees all of it or what was there before; folders are made.

    Nobody else may read it, unless it is ``shared``: then the umask says who may.

    Raises:
        OSError: it cannot be written; what was there before is still there.
    """
    import secrets

    path.parent.mkdir(parents=True, exist_ok=True)
    with _about(path):
        new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        mode = 0o666 if shared else 0o600
        with _in_place_of(path, new), os.fdopen(os.open(new, flags, mode), "wb") as file:
            file.write(content)


def write_output(path: Path, content: bytes) -> None:
    """The same for a file that somebody named: a link stays one, and others may read what the umask lets them.

    Raises:
        OSError: it cannot be written, or it is not a regular file; what was there before is still there.
    """
    import secrets
    import stat

    target = output_target(path)
    with _about(path):
        new = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        with _in_place_of(target, new), new.open("xb") as file:
            file.write(content)
            if target.exists():
                new.chmod(stat.S_IMODE(target.stat().st_mode))


def output_target(path: Path) -> Path:
    """The file that :func:`write_output` writes for ``path``: the one behind its links. It need not exist.

    Raises:
        OSError: it is a folder, a device or a pipe, its folder is not there, or its links lead nowhere.
    """
    import errno
    import stat

    target = Path(os.path.realpath(path))
    with contextlib.suppress(FileNotFoundError):
        mode = path.stat().st_mode  # not of the target: that of /dev/stdout may have no path
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is a device or a pipe, not a regular file", str(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "the folder does not exist", str(target.parent))
    return target


def _at_home(folder: Callable[..., Path]) -> Path:
    """What platformdirs says; older versions of it leave a ``~`` for which there is no home, newer ones complain."""
    try:
        found = folder(_APP, appauthor=False)
    except RuntimeError:
        return NOWHERE
    return NOWHERE if found.parts[:1] == ("~",) else found


@contextlib.contextmanager
def _about(path: Path) -> Iterator[None]:
    """Errors name ``path``: the name of a temporary file helps nobody, and an error of a full disk has no name."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


@contextlib.contextmanager
def _in_place_of(path: Path, new: Path) -> Iterator[None]:
    """The file ``new`` becomes ``path`` when it was written; when that fails it is gone.

    It is created within the context: an interruption may come as soon as it is there.
    """
    try:
        yield
        new.replace(path)
    except FileExistsError:  # it is somebody else's
        raise
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
