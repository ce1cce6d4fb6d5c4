"""Starts one engine process, waits until it listens, reports why it ended, and ends it."""

from __future__ import annotations

import abc
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from phicli.engine.exit_codes import KILLED, crashed, lacks_memory, signal_name
from phicli.engine.log_file import open_log
from phicli.engine.reasons import advice, first_reason
from phicli.engine.types import LoadSettings
from phicli.errors import THIS_COMMAND, EngineDiedError, EngineError

WORKER: Final = Path(__file__).with_name("worker.py")
LEAVE_TIMEOUT_S: Final = 5.0
_KILL: Final = getattr(signal, "SIGKILL", signal.SIGTERM)
_OF_MEMORY = "close other programs, or try a smaller --context, or a smaller model such as tiny-phi"


class EngineProcess(abc.ABC):
    """A process that runs the engine, whoever has started it: where it listens, how it ended, and why."""

    def __init__(self) -> None:
        self.api_key = ""
        """The key that it was started with."""
        self.load_ms = 0.0
        """From asking for the engine to the model's being ready; 0 while it loads."""
        self.started_at = 0.0
        """When it was started, in seconds since 1970; 0 where this program did not do that."""
        self.build = ""
        """The engine and its version; empty while that is not known."""
        self.bad_template = False
        """The file's own chat template was wanted and cannot be parsed; known when it is ready."""
        self.log_path: Path | None = None

    @property
    @abc.abstractmethod
    def pid(self) -> int:
        """The process id of the engine."""

    @property
    def loading(self) -> bool:
        """Whether the model is known to be loading; no call waits for that."""
        return False

    @property
    @abc.abstractmethod
    def ended(self) -> bool:
        """Whether it is known to have ended."""

    @abc.abstractmethod
    def wait_ready(self, on_tick: Callable[[float], None] | None = None) -> str:
        """Wait for the server and return its address (``http://127.0.0.1:PORT``); several threads may wait.

        Args:
            on_tick: called about ten times a second with the seconds waited so far; what it raises ends the wait.

        Raises:
            EngineDiedError: the process ended first; quotes the engine's own reason.
        """

    @abc.abstractmethod
    def failure(self, what: str, *, said: str = "") -> EngineDiedError:
        """The error for a process that ended (or is about to): which way it ended, and the engine's own reason."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of the process; safe to call twice."""

    def first_error(self) -> str:
        """The first error line of the log, which is the reason; empty when there is none."""
        return first_reason(self._log_text())

    @property
    def log_bytes(self) -> int:
        """How large the log is by now."""
        with contextlib.suppress(OSError):
            if self.log_path is not None:
                return self.log_path.stat().st_size
        return 0

    def log_after(self, size: int) -> str:
        """What was added to the log since it had ``size`` bytes."""
        with contextlib.suppress(OSError):
            if self.log_path is not None:
                return self.log_path.read_bytes()[size:].decode("utf-8", errors="replace")
        return ""

    def _log_text(self) -> str:
        with contextlib.suppress(OSError):
            if self.log_path is not None:
                return self.log_path.read_text(encoding="utf-8", errors="replace")
        return ""


class StartedProcess(EngineProcess):
    """An engine's process that this program has started, and its log: it ends with this program.

    Args:
        log_dir: where the engine's log goes while the process lives; the system's temporary folder stands in
            when it cannot be written.
    """

    _popen: subprocess.Popen[str]

    def __init__(self, log_dir: Path | None = None) -> None:
        super().__init__()
        self.api_key = secrets.token_urlsafe(24)
        self._log_dir = log_dir
        self._keep_log = False

    @property
    def pid(self) -> int:
        """The process id of the engine."""
        return self._popen.pid

    @property
    def ended(self) -> bool:
        """As :attr:`EngineProcess.ended`."""
        return self._popen.poll() is not None

    @abc.abstractmethod
    def load(self, settings: LoadSettings) -> None:
        """Say which file to load and how; returns at once."""

    def _start(self, command: Sequence[str], environment: Mapping[str, str], *, pipes: bool) -> None:
        """Start ``command`` in a session of its own, its errors in a log of its own.

        With ``pipes`` its standard input and output are ours, otherwise they are the null device. The process is the
        child of a thread that lasts as long as it does: Linux ends it with the thread that started it.

        Raises:
            EngineError: it cannot be started.
        """
        self._started, self.started_at = time.monotonic(), time.time()
        self.log_path, log = open_log(self._log_dir)
        began, failed = threading.Event(), list[OSError]()

        def run() -> None:
            try:
                self._popen = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                    stdout=subprocess.PIPE if pipes else subprocess.DEVNULL,
                    stderr=log,
                    env=environment,
                    text=True,
                    encoding="utf-8",
                    errors="replace",
                    start_new_session=True,
                    creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                )
            except OSError as error:
                failed.append(error)
                return
            finally:
                log.close()
                began.set()
            _await_end(self._popen.pid)

        threading.Thread(target=run, daemon=True, name="phi-engine-parent").start()
        began.wait()
        if failed:
            message = f"the engine's process cannot be started: {failed[0]}"
            raise EngineError(message, "try again, or reinstall") from failed[0]

    def failure(self, what: str, *, said: str = "") -> EngineDiedError:
        """The error for a process that ended (or is about to): which way it ended, and the engine's own reason."""
        self._keep_log = True
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(LEAVE_TIMEOUT_S)
        code = self._popen.poll()
        reason = self.first_error() or ("" if code is not None and code < 0 else said)
        if code is None:
            message = f"{what}: it no longer answers"
        elif code == KILLED:
            message = f"{what}: its process was killed, most likely because the system ran out of memory"
        elif code < 0:
            message = f"{what}: its process crashed with {signal_name(-code)}"
        else:
            message = what
        if reason:
            message += f"; the engine says: {reason}"
        hint = _OF_MEMORY if lacks_memory(code, reason) else self._advice(reason)
        return EngineDiedError(message, hint, data={"engine_log": str(self.log_path or ""), "crashed": crashed(code)})

    def close(self) -> None:
        """End the process, wait for it, remove its log unless it failed; safe to call twice.

        The log is removed also where Ctrl-C ends the wait.
        """
        self._ask_to_leave()
        if not self.load_ms:  # while it loads it would not notice
            self._signal(_KILL)
        try:
            self._popen.wait(LEAVE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._signal(_KILL)
            self._popen.wait()
        finally:
            self._remove_log()

    def _remove_log(self) -> None:
        with contextlib.suppress(OSError):
            if self.log_path is not None and not (self._keep_log and self.log_path.stat().st_size):
                self.log_path.unlink()

    def _advice(self, reason: str) -> str:
        """What to do about a failure that is not one of memory."""
        upgrade = "pip install --upgrade xllamacpp"
        return advice(
            reason,
            too_old=f"this engine is too old or cannot run this kind of model; try: {upgrade}",
            other_build=upgrade,
            otherwise=f"check that the engine works: {THIS_COMMAND} tiny-phi; if it does, try another file",
        )

    def _ask_to_leave(self) -> None:
        """Ask a process that is ready to end; by default, close its standard input."""
        if self._popen.stdin is not None:
            with contextlib.suppress(OSError):
                self._popen.stdin.close()

    def _signal(self, number: int) -> None:
        """Signal the process and all that it has started: a program can be a script that starts the real one."""
        if sys.platform == "win32":
            self._popen.terminate()
        elif self._popen.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._popen.pid, number)


def bound(command: Sequence[str]) -> list[str]:
    """``command`` as a command that ends with this process, even if that is killed; only Linux has such a thing."""
    if not sys.platform.startswith("linux"):
        return list(command)
    return [sys.executable, "-I", "-S", str(WORKER), str(os.getpid()), *command]


def _await_end(pid: int) -> None:
    """Return when a child process has ended, without taking its exit code; at once where nothing depends on that."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def engine_environment() -> dict[str, str]:
    """The child's environment.

    llama.cpp's threads meet after each operation and spin while they wait. Spinning as long as the runtime likes
    makes an answer much slower when another program keeps a core busy, and not spinning at all
    (``OMP_WAIT_POLICY=PASSIVE``) makes it slower on an idle machine. A short spin has neither fault:
    ``benchmarks/cold_start.py`` compares it with the runtime's default in both cases. The setting is that of GNU's
    OpenMP, which the wheels for Linux use. Without ``GGML_NO_BACKTRACE`` an abort starts a debugger.
    """
    spin = {} if "OMP_WAIT_POLICY" in os.environ else {"GOMP_SPINCOUNT": "1000"}
    return {**spin, **os.environ, "GGML_NO_BACKTRACE": "1", "PYTHONUTF8": "1"}
