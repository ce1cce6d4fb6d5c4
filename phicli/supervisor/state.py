"""What the server of this user says of itself in its state file."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from phicli.paths import read_small, write_atomically

SCHEMA: Final = 1
"""Of the state file and of the replies under ``/phi/``. A server with another one is asked only to end."""


@dataclass(frozen=True, slots=True)
class ServerState:
    """A server, from when it listens until it ends.

    Attributes:
        version: of ``phi``.
        started_at: in ISO 8601, UTC.
        pid: of its process, for people; nothing is decided by it.
        host: name of the machine: several can share one home folder.
        socket: path of its Unix socket; empty on Windows.
        loopback: on Windows, where it listens for this user's commands (``127.0.0.1:PORT``); otherwise empty.
        key: that ``loopback`` requires; otherwise empty.
        address: where it listens for other programs (``http://HOST:PORT``); empty if it does not.
        background: whether ``phi serve --background`` started it.
        command: the words of the command line behind ``phi``.
        schema: of this file.
    """

    version: str
    started_at: str
    pid: int
    host: str
    socket: str = ""
    loopback: str = ""
    key: str = ""
    address: str = ""
    background: bool = False
    command: tuple[str, ...] = ()
    schema: int = SCHEMA

    def public(self) -> dict[str, Any]:
        """What everybody may see of it."""
        hidden = {"schema", "loopback", "key"}
        return {name: value for name, value in asdict(self).items() if name not in hidden}


def read_state(path: Path) -> ServerState | None:
    """The state in a file; None where there is none, or none that can be understood.

    A file of another version of ``phi`` is read as far as it has what every version has: where the server listens.
    """
    try:
        data = json.loads(read_small(path))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(data, Mapping):
        return None
    kinds = {"pid": int, "schema": int, "background": bool}
    known: dict[str, Any] = {}
    for field in fields(ServerState):
        value = data.get(field.name)
        if field.name == "command" and isinstance(value, list):
            known["command"] = tuple(word for word in value if isinstance(word, str))
        elif isinstance(value, kinds.get(field.name, str)):
            known[field.name] = value
    with contextlib.suppress(TypeError):
        return ServerState(**known)
    return None


def write_state(path: Path, state: ServerState) -> int:
    """Write the state so that a reader sees all or nothing of it (0600); the number of the file (its inode).

    Raises:
        OSError: it cannot be written.
    """
    write_atomically(path, json.dumps(asdict(state), indent=2).encode() + b"\n")
    return os.stat(path).st_ino  # noqa: PTH116 (a number is wanted)
