"""The life of one process of the engine ctransformers, and the lines that go to it and come from it."""

from __future__ import annotations

import contextlib
import itertools
import json
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from phicli.engine.closable import Closing
from phicli.engine.engine_process import StartedProcess, bound, engine_environment
from phicli.engine.types import LoadSettings
from phicli.errors import EngineDiedError

_PROGRAM: Final = Path(__file__).with_name("ctransformers_worker.py")
_TICK_S: Final = 0.1
SILENCE_TIMEOUT_S: Final = 600.0
"""No line for this long is a hang: the process sends one after each batch of a prompt, and for each token."""

Message = Mapping[str, Any]
_Lines = queue.Queue[Message | None]
_OTHER_ENGINE: Final = "use the default engine, which runs the same file: --engine xllamacpp"


class CtransformersProcess(StartedProcess):
    """A process that runs ``ctransformers_worker.py``.

    Raises:
        EngineError: the process cannot be started.
    """

    def __init__(self, log_dir: Path | None = None) -> None:
        super().__init__(log_dir)
        self._first: Message | None = None
        self._replied, self._numbers, self._writing = threading.Event(), itertools.count(1), threading.Lock()
        self._open: dict[int, _Lines] = {}
        self._ended = False
        self._start(bound([sys.executable, "-P", str(_PROGRAM)]), engine_environment(), pipes=True)
        threading.Thread(target=self._read, daemon=True, name="phi-engine-reader").start()

    @property
    def loading(self) -> bool:
        """As :attr:`EngineProcess.loading`."""
        return not self._replied.is_set()

    def load(self, settings: LoadSettings) -> None:
        """Say which file to load and how; returns at once."""
        self._send(settings.to_data())

    def wait_ready(self, on_tick: Callable[[float], None] | None = None) -> str:
        """Wait until the model is loaded, and return the build of the engine; several threads may wait.

        Args:
            on_tick: called about ten times a second with the seconds waited so far; what it raises ends the wait.

        Raises:
            EngineDiedError: the process ended first, or does not answer.
        """
        began = time.monotonic()
        while not self._replied.wait(_TICK_S):
            waited = time.monotonic() - began
            if waited > SILENCE_TIMEOUT_S:
                raise self._hung()
            if on_tick is not None:
                on_tick(waited)
        first = self._first or {"error": ""}
        if "build" not in first:
            raise self.failure("the engine could not load the model", said=str(first["error"]))
        self.build = str(first["build"])
        return self.build

    @contextlib.contextmanager
    def request(self, body: Message, closing: Closing) -> Iterator[tuple[Callable[[], Message], Callable[[], None]]]:
        """Send a request; within the context the caller can wait for its messages or stop it.

        Leaving the context stops it. ``closing`` ends the wait for a message, which raises:

        Raises:
            EngineDiedError: the process ended, or does not answer.
        """
        number, lines = next(self._numbers), _Lines()
        self._open[number] = lines

        def following() -> Message:
            try:
                message = lines.get(timeout=SILENCE_TIMEOUT_S)
            except queue.Empty:
                raise self._hung() from None
            closing.check()
            if message is None:
                raise self.failure("the engine stopped in the middle of the answer")
            return message

        try:
            if self._ended:
                raise self.failure("the engine stopped")
            with closing.woken_by(lambda: lines.put(None)):
                self._send({**body, "number": number})
                yield following, lambda: self._send({"stop": number})
        finally:
            del self._open[number]
            self._send({"stop": number})

    def _hung(self) -> EngineDiedError:
        """The error for a process that does not answer; it is ended."""
        self._popen.kill()
        message = f"the engine did not answer for {SILENCE_TIMEOUT_S:.0f} seconds and was ended"
        return EngineDiedError(message, _OTHER_ENGINE, data={"engine_log": "", "crashed": False})

    def _send(self, message: Message) -> None:
        assert self._popen.stdin is not None  # noqa: S101 (a pipe was asked for)
        with self._writing, contextlib.suppress(OSError, ValueError):  # it ended: what waits for it says why
            self._popen.stdin.write(json.dumps(message) + "\n")
            self._popen.stdin.flush()

    def _read(self) -> None:
        assert self._popen.stdout is not None  # noqa: S101 (a pipe was asked for)
        with contextlib.suppress(ValueError):  # it was ended in the middle of a line
            for line in self._popen.stdout:
                self._take(json.loads(line))
        self._ended = True
        self._replied.set()
        for lines in list(self._open.values()):
            lines.put(None)

    def _take(self, message: Message) -> None:
        if self._first is None:
            self._first = message
            self.load_ms = (time.monotonic() - self._started) * 1000 if "build" in message else 0.0
            self._replied.set()
        elif lines := self._open.get(message["number"]):
            lines.put(message)

    def _advice(self, reason: str) -> str:  # noqa: ARG002 (the library gives no reason)
        return _OTHER_ENGINE
