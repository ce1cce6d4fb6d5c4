"""Where the server of this user is found: a private folder with its lock and its state file, and its socket."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.errors import UsageError, disk_full, is_disk_full, reason_of
from phicli.paths import state_dir, temporary_dir

LONGEST_SOCKET_PATH: Final = 100
"""Bytes; Linux allows 107 for the path of a Unix socket, macOS 103."""

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Place:
    """The files in ``folder``, which only this user may enter (0700)."""

    folder: Path

    @property
    def socket(self) -> Path:
        """The Unix socket that a new server listens on; one that runs states its own in its state file.

        Where the path in ``folder`` is too long, it is in a private folder in ``XDG_RUNTIME_DIR`` or in the folder for
        temporary files, whose name depends on ``folder`` only.
        """
        inside = self.folder / "serve.sock"
        if len(os.fsencode(inside)) <= LONGEST_SOCKET_PATH:
            return inside
        import hashlib

        name = f"phi-{_user()}-{hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]}"
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        candidates = [Path(runtime) / name / "serve.sock"] if Path(runtime).is_absolute() else []
        short = [
            path for path in candidates if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH and path.parents[1].is_dir()
        ]
        return short[0] if short else temporary_dir() / name / "serve.sock"

    @property
    def state(self) -> Path:
        """What the server says of itself (0600)."""
        return self.folder / "serve.json"

    @property
    def lock(self) -> Path:
        """Held by the server as long as it lives."""
        return self.folder / "serve.lock"

    def make(self) -> None:
        """Create the folders of the files and of the socket.

        Raises:
            UsageError: one cannot be created, belongs to another user, or may be entered by others.
            DoesNotFitError: the disk is full.
        """
        for folder in dict.fromkeys((self.folder, self.socket.parent)):
            try:
                folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                folder.mkdir(exist_ok=True, mode=0o700)
            except OSError as error:
                if is_disk_full(error):
                    raise disk_full(folder) from error
                raise UsageError(
                    f"the folder {folder} cannot be created: {reason_of(error)}",
                    "set PHI_HOME to a folder that you can write to",
                ) from error
            check_private(folder)

    def check(self) -> None:
        """Make sure that what is in the folder can be trusted; a folder that does not exist holds nothing.

        Raises:
            UsageError: it belongs to another user, or may be entered by others.
        """
        if os.path.lexists(self.folder):
            check_private(self.folder)


def place() -> Place:
    """The place of this user; nothing is created."""
    return Place(state_dir().absolute() / "serve")


def check_private(folder: Path) -> None:
    """Make sure that ``folder`` is a folder of this user that nobody else may enter.

    Raises:
        UsageError: it is not.
    """
    try:
        status = folder.lstat()
    except OSError as error:
        raise UsageError(
            f"the folder {folder} cannot be used: {reason_of(error)}", "set PHI_HOME to a folder of your own"
        ) from error
    if not stat.S_ISDIR(status.st_mode):
        raise UsageError(f"{folder} is not a folder", "remove it, then run the command again")
    if sys.platform == "win32":  # the folder of a user's programs is private there, and modes say nothing
        return
    if status.st_uid != os.geteuid():
        raise UsageError(f"the folder {folder} belongs to another user", "set PHI_HOME to a folder of your own")
    if status.st_mode & _OTHERS:
        raise UsageError(f"the folder {folder} may be entered by other users", f"run: chmod 700 {folder}")


def _user() -> str:
    return str(os.geteuid()) if hasattr(os, "geteuid") else "user"
