"""The default engine's process: loads a file, starts again without native kernels that crash, reports why it failed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

from phicli.engine.engine_process import LEAVE_TIMEOUT_S, WORKER, EngineProcess, engine_environment
from phicli.engine.exit_codes import crashed, how_it_crashed
from phicli.engine.kernels import Kernels, remember_failure
from phicli.engine.reasons import first_reason
from phicli.engine.types import LoadSettings
from phicli.engine.used_kernels import installed_kernels
from phicli.errors import EngineError

_REASON_S: Final = 20.0
"""For the reason to be in the log of a worker that waits with its error; on a busy machine that takes a while."""
_REASON_TICK_S: Final = 0.01
_TICK_S: Final = 0.1


class WorkerProcess(EngineProcess):
    """The engine in a process of this interpreter (``worker.py``).

    Construct it early: the interpreter and the engine's library load while the caller still reads the model's header.
    Then :meth:`load` says which file, and :meth:`wait_ready` waits for the address.

    Where it crashes while it loads a model with the usual native kernels, it starts again with those of the wheel.
    If the model loads then, the kernels are not used again.

    Args:
        log_dir: as for :class:`EngineProcess`.
        kernels: a CPU module to try; None for the kernels of the wheel; ``usual`` for those that are in use here.

    Raises:
        EngineError: the process cannot be started.
    """

    def __init__(self, log_dir: Path | None = None, *, kernels: Path | Literal["usual"] | None = "usual") -> None:
        super().__init__(log_dir)
        self.kernels: str | None = None
        """The variant of the native kernels that it computes with, None for those of the wheel; known when ready."""
        self.kernels_failed = ""
        """Why native kernels are not used though they were to be; empty where all is well. Known when ready."""
        self._asked, self._closed = kernels, False
        self._usual: Kernels | None = None
        self._ending, self._config = threading.Lock(), dict[str, Any]()
        self._reply, self._replied, self._renamed = "", threading.Event(), False
        self._start_worker()
        threading.Thread(target=self._read_reply, daemon=True).start()

    def load(self, settings: LoadSettings) -> None:
        """Say which file to load and how; returns at once."""
        self._renamed = settings.model_name is not None
        usual = installed_kernels().kernels if self._asked == "usual" else None
        path = usual.path if usual else self._asked if isinstance(self._asked, Path) else None
        self._config = settings.to_data() | {"api_key": self.api_key, "kernels": str(path) if path else None}
        self._usual = usual  # last: from now on it can be started again
        self._send_config()

    def close(self) -> None:
        """End the process, wait for it, remove its log unless it failed; safe to call twice."""
        with self._ending:
            self._closed = True
        super().close()

    def wait_ready(self, on_tick: Callable[[float], None] | None = None) -> str:
        """As :meth:`EngineProcess.wait_ready`."""
        began = time.monotonic()
        while not self._replied.wait(_TICK_S):
            if on_tick is not None:
                on_tick(time.monotonic() - began)
        reply = json.loads(self._reply) if self._reply.strip() else {"error": ""}
        if "address" not in reply:
            if reply.get("logged"):
                self._await_reason()
            self._ask_to_leave()
            raise self.failure("the engine could not load the model", said=reply["error"])
        self.build = str(reply.get("build", ""))
        self.bad_template = bool(reply.get("bad_template"))
        self.kernels = reply.get("kernels")
        self.kernels_failed = self.kernels_failed or reply.get("kernels_failed", "")
        return str(reply["address"])

    def _advice(self, reason: str) -> str:
        if self.kernels and crashed(self._popen.poll()):
            return "run the command again; if it crashes again, use the kernels of the wheel: phi engine use wheel"
        if self._renamed:
            return (
                "its general.name says Phi-3, but its vocabulary is not Phi-3's: use a file with another general.name"
            )
        return super()._advice(reason)

    def _await_reason(self) -> None:
        """Return when the log has a complete line with the reason; llama.cpp writes it in a thread of its own."""
        deadline = time.monotonic() + _REASON_S
        while self.log_path and self._popen.poll() is None and time.monotonic() < deadline:
            complete, newline, _ = self._log_text().rpartition("\n")
            if newline and first_reason(complete):
                return
            time.sleep(_REASON_TICK_S)

    def _start_worker(self) -> None:
        command = [sys.executable, "-P", str(WORKER), str(os.getpid())]
        self._start(command, engine_environment(), pipes=True)

    def _send_config(self) -> None:
        assert self._popen.stdin is not None  # noqa: S101 (a pipe was asked for)
        with contextlib.suppress(OSError):  # it died already: wait_ready says why
            self._popen.stdin.write(json.dumps(self._config) + "\n")
            self._popen.stdin.flush()

    def _read_reply(self) -> None:
        self._reply = self._read_line()
        if not self._reply and self._start_without_kernels():
            self._reply = self._read_line()
        if '"address"' in self._reply:
            self.load_ms = (time.monotonic() - self._started) * 1000
            failed = self.kernels_failed or json.loads(self._reply).get("kernels_failed")
            if failed and self._usual:
                remember_failure(self._usual, failed)
        self._replied.set()
        assert self._popen.stdout is not None  # noqa: S101 (a pipe was asked for)
        for _ in self._popen.stdout:  # a full pipe would stop the engine
            pass

    def _read_line(self) -> str:
        assert self._popen.stdout is not None  # noqa: S101 (a pipe was asked for)
        return self._popen.stdout.readline()

    def _start_without_kernels(self) -> bool:
        """Start again with the kernels of the wheel, if this process has crashed with the usual native ones."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(LEAVE_TIMEOUT_S)
        with self._ending, contextlib.suppress(EngineError):
            code = self._popen.poll()
            if self._closed or self._usual is None or code is None or not crashed(code):
                return False
            failed, log = f"the engine {how_it_crashed(code)} while it loaded a model", self.log_path
            self._start_worker()
            self.kernels_failed, self._config["kernels"] = failed, None
            self._send_config()
            with contextlib.suppress(OSError):
                if log is not None:
                    log.unlink()
            return True
        return False
