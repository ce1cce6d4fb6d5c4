"""The default engine's process: loads a file, starts again without native kernels that crash, reports why it failed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from phicli.engine.engine_process import LEAVE_TIMEOUT_S, WORKER, StartedProcess, engine_environment
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
_LEAVES_S: Final = 3.0
_LEAVES: Final = json.dumps({"leaves": True})
_KERNELS_S: Final = 30.0
"""Loading native kernels takes about a hundredth of a second; a slow disk may take longer."""
_OUT_OF_TIME: Final = -int(getattr(signal, "SIGALRM", 0))


class WorkerProcess(StartedProcess):
    """The engine in a process of this interpreter (``worker.py``).

    Construct it early: the interpreter and the engine's library load while the caller still reads the model's header.
    Then :meth:`load` says which file, and :meth:`wait_ready` waits for the address.

    Where it ends or hangs while it loads the usual native kernels, or crashes while it loads a model with them, it
    starts again with those of the wheel. If the model loads then, the kernels are not used again.

    Args:
        log_dir: as for :class:`StartedProcess`.
        kernels: a CPU module to try; None for the kernels of the wheel; ``usual`` for those that are in use here.
        kernels_limit_s: seconds that loading native kernels may take.

    Raises:
        EngineError: the process cannot be started.
    """

    def __init__(
        self,
        log_dir: Path | None = None,
        *,
        kernels: Path | Literal["usual"] | None = "usual",
        kernels_limit_s: float = _KERNELS_S,
    ) -> None:
        super().__init__(log_dir)
        self.kernels: str | None = None
        """The variant of the native kernels that it computes with, None for those of the wheel; known when ready."""
        self.kernels_failed = ""
        """Why native kernels are not used though they were to be; empty where all is well. Known when ready."""
        self._asked, self._limit_s, self._closed = kernels, kernels_limit_s, False
        self._usual: Kernels | None = None
        self._ending, self._config = threading.Lock(), dict[str, Any]()
        self._reply, self._replied, self._renamed = dict[str, Any](), threading.Event(), False
        self._leaves = threading.Event()
        self._start_worker()
        threading.Thread(target=self._read_reply, daemon=True).start()

    @property
    def loading(self) -> bool:
        """As :attr:`EngineProcess.loading`."""
        return not self._replied.is_set()

    def load(self, settings: LoadSettings) -> None:
        """Say which file to load and how; returns at once."""
        self._renamed = settings.model_name is not None
        usual = installed_kernels().kernels if self._asked == "usual" else None
        path = usual.path if usual else self._asked if isinstance(self._asked, Path) else None
        about = {"kernels": str(path) if path else None, "kernels_limit_s": self._limit_s}
        self._config = settings.to_data() | {"api_key": self.api_key} | about
        self._usual = usual  # last: from now on it can be started again
        self._send_config()

    def leave(self, order: Mapping[str, Any]) -> bool:
        """Have the process save its state and end by itself, later than this one; return whether it has begun.

        After that :meth:`close` waits no longer. ``order`` is that of :func:`phicli.engine.leaving.leave`.
        """
        if not self.load_ms or self._popen.poll() is not None:
            return False
        self._send(order)
        deadline = time.monotonic() + _LEAVES_S
        while not self._leaves.wait(_TICK_S):
            if self._popen.poll() is not None or time.monotonic() > deadline:
                return False
        return True

    def close(self) -> None:
        """End the process, wait for it, remove its log unless it failed; safe to call twice."""
        with self._ending:
            self._closed = True
        if self._leaves.is_set():
            self._remove_log()
            return
        super().close()

    def wait_ready(self, on_tick: Callable[[float], None] | None = None) -> str:
        """As :meth:`EngineProcess.wait_ready`."""
        began = time.monotonic()
        while not self._replied.wait(_TICK_S):
            if on_tick is not None:
                on_tick(time.monotonic() - began)
        reply = self._reply
        if "address" not in reply:
            if reply.get("logged"):
                self._await_reason()
            self._ask_to_leave()
            raise self.failure("the engine could not load the model", said=str(reply.get("error", "")))
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
        self._send(self._config)

    def _send(self, data: Mapping[str, Any]) -> None:
        assert self._popen.stdin is not None  # noqa: S101 (a pipe was asked for)
        with contextlib.suppress(OSError, ValueError):  # it died already, or was closed: the caller notices
            self._popen.stdin.write(json.dumps(data) + "\n")
            self._popen.stdin.flush()

    def _read_reply(self) -> None:
        try:
            self._reply = self._next_reply()
            if not self._reply and self._start_without_kernels():
                self._reply = self._next_reply()
            if "address" in self._reply:
                self.load_ms = (time.monotonic() - self._started) * 1000
                failed = self.kernels_failed or str(self._reply.get("kernels_failed", ""))
                if failed and self._usual:
                    remember_failure(self._usual, failed)
        finally:
            self._replied.set()  # whatever happens: others wait for it
        for line in self._lines():  # a full pipe would stop the engine
            if line.strip() == _LEAVES:
                self._leaves.set()

    def _next_reply(self) -> dict[str, Any]:
        """The worker's reply; empty where it ended without one. Lines of other code in its process are skipped."""
        for line in self._lines():
            with contextlib.suppress(ValueError, RecursionError):
                reply = json.loads(line)
                if isinstance(reply, dict) and reply.keys() & {"address", "error"}:
                    return reply
        return {}

    def _lines(self) -> Iterator[str]:
        assert self._popen.stdout is not None  # noqa: S101 (a pipe was asked for)
        return iter(self._popen.stdout)

    def _start_without_kernels(self) -> bool:
        """Start again with the kernels of the wheel, if this process has ended by itself with the usual native ones."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(LEAVE_TIMEOUT_S)
        with self._ending, contextlib.suppress(EngineError):
            code = self._popen.poll()
            how = None if code is None else self._how_kernels_failed(code)
            if self._closed or self._usual is None or how is None:
                return False
            failed, log = how, self.log_path
            self._start_worker()
            self.kernels_failed, self._config["kernels"] = failed, None
            self._send_config()
            with contextlib.suppress(OSError):
                if log is not None:
                    log.unlink()
            return True
        return False

    def _how_kernels_failed(self, code: int) -> str | None:
        """What a process did that ended with ``code`` and no reply; None where it was ended from outside."""
        if crashed(code):
            return f"the engine {how_it_crashed(code)} while it loaded a model"
        if code == _OUT_OF_TIME != 0:
            return f"loading them took longer than {self._limit_s:.0f} s"
        return None if code < 0 else f"the engine ended with exit code {code} while it loaded a model"
