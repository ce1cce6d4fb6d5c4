"""Starts the server of this user in the background: a process in a new session, which outlives the terminal.

The process is the same command again, with :data:`DETACHED` in its environment and ``--json`` on its command line: its
first line of standard output says that it is ready, or what went wrong. Then it no longer writes there.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from phicli.errors import EngineError, PhiError, UsageError
from phicli.interruptions import interrupted_afterwards
from phicli.paths import log_dir
from phicli.supervisor.client import NoServerError, Server, find
from phicli.supervisor.folders import absolute_folders
from phicli.supervisor.looking import PATIENCE_S
from phicli.supervisor.place import place
from phicli.supervisor.state import ServerState

DETACHED: Final = "_PHI_SERVE_DETACHED"
"""In the environment of the process in the background."""

_WINDOWS_FLAGS: Final = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
_LARGEST_LOG: Final = 1 << 20
_SHOWN: Final = 500
"""Characters of the end of the log in an error."""
_END_IT: Final = "end it with: phi stop --all; then run the command again"
_SIGNAL_S: Final = 1.0
"""Ctrl-C just before a wait begins does not end that wait: Python sees it after it."""
_NOT_COMPARED: Final = frozenset({"serve", "--background"})


@dataclass(frozen=True, slots=True)
class Started:
    """The server of this user, which answers.

    Attributes:
        state: of the server.
        log: where it writes what happens; None where no log could be opened.
        already: it ran before.
        differs: the command line of the server, if this command asked for something else; otherwise empty.
        other_key: whether its key is not the one that this command has.
    """

    state: ServerState
    log: Path | None
    already: bool = False
    differs: str = ""
    other_key: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the server must be like.

    Attributes:
        words: of the command line behind ``phi``.
        port: to listen on, 0 for any; None for none.
        key: that programs must send there; empty for none.
    """

    words: Sequence[str]
    port: int | None = None
    key: str = ""


def start(wanted: Wanted, *, version: str) -> Started:
    """Start the server in the background, and wait until it answers; one that answers already stays.

    Args:
        wanted: the server.
        version: of this ``phi``.

    Raises:
        UsageError: one of another version, or without the port, runs, or the folder for it cannot be used.
        PhiError: it did not start; its own reason.
    """
    place().check()
    running = _answering()
    if running is not None:
        return _already(running, wanted, version)
    log, reply = _run(wanted.words)
    error = reply.get("error")
    running = _answering()
    if error is None and running is not None:
        return Started(running, log)
    if running is not None and isinstance(error, Mapping) and error.get("code") == "server_runs":
        return _already(running, wanted, version)
    if "data" in reply:
        raise EngineError("phi serve ended as soon as it was ready", f"see its log: {log}")
    raise _failure(error, reply.get("exit_code", 1), log)


def take_detached_mark() -> bool:
    """Whether this process is the one in the background; the mark is removed, so that its children have none."""
    return os.environ.pop(DETACHED, None) is not None


def settle() -> None:
    """Leave the folder and the output of the command that started this process, which is ready."""
    os.chdir(Path(os.sep))
    sys.stdout.flush()
    with contextlib.suppress(OSError):
        os.dup2(2, 1)


def _answering() -> ServerState | None:
    """The state of the server that answers now.

    Raises:
        NetworkError: one runs, but it does not answer in time.
    """
    server = find()
    if server is None:
        return None
    with contextlib.suppress(NoServerError):
        _look_at(server)
        return server.state
    return None


def _look_at(server: Server) -> None:
    with contextlib.suppress(UsageError):  # of another version, which may refuse
        server.ask("GET", "/phi/state", timeout_s=PATIENCE_S)


def _already(running: ServerState, wanted: Wanted, version: str) -> Started:
    if running.version != version:
        raise UsageError(
            f"phi serve of version {running.version} runs, but this is version {version}",
            _END_IT,
        )
    _require_port(running, wanted.port)
    asked, other = _compared(wanted.words), _compared(running.command)
    differs = "" if not asked or asked == other else " ".join(["phi serve", *other])
    return Started(running, _log_path(), already=True, differs=differs, other_key=_has_other_key(running, wanted.key))


def _require_port(running: ServerState, port: int | None) -> None:
    """Return if the server listens on ``port``, or if none is wanted."""
    its = running.address.rpartition(":")[2]
    if port is not None and not (its if port == 0 else its == str(port)):
        where = f"listens on {running.address}" if its else "has no port"
        raise UsageError(f"phi serve already runs, and {where}", _END_IT)


def _has_other_key(running: ServerState, key: str) -> bool:
    """Whether programs need another key than ``key``; it is asked over the socket of this user."""
    if not key or not running.address:
        return False
    with contextlib.suppress(PhiError):
        reply = Server(running).ask("POST", "/phi/key", {"key": key}, timeout_s=PATIENCE_S)
        return bool(reply == {"same": False})
    return False


def _compared(words: Sequence[str]) -> list[str]:
    return [word for word in words if word not in _NOT_COMPARED]


def _run(words: Sequence[str]) -> tuple[Path | None, dict[str, Any]]:
    """Start the process; its log, and what it said first: ``data`` or ``error``, with its ``exit_code``."""
    end = list(words).index("--") if "--" in words else len(words)
    command = [sys.executable, "-P", "-m", "phicli", *words[:end], "--json", *words[end:]]
    environment = {**os.environ, **absolute_folders(os.environ), DETACHED: "1", "PYTHONUTF8": "1"}
    path, log = _open_log()
    process: subprocess.Popen[bytes] | None = None
    try:
        with log, interrupted_afterwards():
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                env=environment, start_new_session=True, creationflags=_WINDOWS_FLAGS,
            )  # fmt: skip
        reply = _object(_first_line(process))
        if "data" not in reply:
            reply["exit_code"] = process.wait()
    except BaseException:  # an interruption: what this command started ends with it
        if process is not None:
            process.terminate()
        raise
    process.returncode = 0  # it goes on without this process, which does not wait for it
    return path, reply


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None  # noqa: S101 (a pipe was asked for)
    with process.stdout:
        while sys.platform != "win32" and not select.select([process.stdout], [], [], _SIGNAL_S)[0]:
            pass
        return process.stdout.readline()


def _object(line: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        data = json.loads(line)
        if isinstance(data, dict):
            return data
    return {}


def _failure(error: Any, code: int, log: Path | None) -> PhiError:
    """The error that ended the process, as it would have been without a background."""
    if isinstance(error, Mapping):
        kind = type("StartError", (PhiError,), {"code": str(error.get("code")), "exit_code": code or 1})
        failure: PhiError = kind(str(error.get("message")), str(error.get("hint") or ""))
        return failure
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    said = _end_of(log)
    where = f"see its log: {log}" if log else "run it without --background to see why"
    return EngineError(f"phi serve {how} before it was ready" + (f"; its log ends with: {said}" if said else ""), where)


def _end_of(log: Path | None) -> str:
    with contextlib.suppress(OSError):
        if log is not None:
            lines = log.read_text(encoding="utf-8", errors="replace")[-_SHOWN:].strip().splitlines()
            return lines[-1] if lines else ""
    return ""


def _log_path() -> Path:
    return log_dir() / "serve.log"


def _open_log() -> tuple[Path | None, IO[bytes]]:
    """The log, to write at its end; a large one is renamed first."""
    path = _log_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size > _LARGEST_LOG:
                path.replace(path.with_suffix(".old.log"))
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return path, os.fdopen(handle, "ab", buffering=0)
    except OSError:
        return None, Path(os.devnull).open("wb", buffering=0)
