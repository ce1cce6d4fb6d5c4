"""Where the server of this user is found: a folder of its own, with a socket, a state file and a lock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from phicli.paths import cache_dir


@dataclass(frozen=True, slots=True)
class Place:
    """The files in ``folder``, which only this user may enter (0700)."""

    folder: Path

    @property
    def socket(self) -> Path:
        """The Unix socket that the server listens on."""
        return self.folder / "serve.sock"

    @property
    def state(self) -> Path:
        """What the server says of itself (0600): address, key, version, start time."""
        return self.folder / "serve.json"

    @property
    def lock(self) -> Path:
        """Held by the server as long as it lives."""
        return self.folder / "serve.lock"


def place() -> Place:
    """The place of this user; nothing is created."""
    return Place(cache_dir() / "serve")
