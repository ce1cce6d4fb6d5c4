"""``python -m phicli.finetune.worker FOLDER``: the process that trains. It says on standard output how far it is.

Every line is a JSON object with an ``event``: ``waiting``, ``loaded``, ``measured``, ``step``, ``validation``,
``saved``, ``done``, ``stopped`` or ``failed``. After ``measured`` it waits for the line ``go``. The line ``stop``, or
the end of standard input, makes it save a checkpoint and end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from phicli.errors import PhiError
from phicli.finetune.failures import kind_of
from phicli.finetune.run_folder import RunFolder
from phicli.jobs.locking import LockFile

if TYPE_CHECKING:
    from collections.abc import Mapping


class Orders:
    """What the other process wants: read in a thread, so that training need not wait for it."""

    def __init__(self, source: TextIO) -> None:
        self.stop, self._go = threading.Event(), threading.Event()
        threading.Thread(target=self._read, args=(source,), daemon=True).start()

    def wait(self) -> None:
        """Wait for ``go`` or ``stop``."""
        self._go.wait()

    def end(self) -> None:
        """Stop, whoever says so."""
        self.stop.set()
        self._go.set()

    def _read(self, source: TextIO) -> None:
        for line in source:
            if line.strip() == "stop":
                break
            self._go.set()
        self.end()


class Reporter:
    """Says what happens on a stream of its own: libraries that print go to the log."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def say(self, event: str, **facts: Any) -> None:
        """One line; a reader that left is not an error, since the end of standard input says so too."""
        try:
            print(json.dumps({"event": event, **facts}), file=self._out, flush=True)
        except BrokenPipeError:
            return


def main(path: str) -> int:
    """Train the run in the folder ``path``."""
    for name in ("SIGINT", "SIGHUP"):  # the other process gets them as well, and says what to do
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    reporter, orders, folder = Reporter(), Orders(sys.stdin), RunFolder(Path(path))
    signal.signal(signal.SIGTERM, lambda *_: orders.end())  # sent to all processes where a system goes down
    lock = LockFile(folder.worker_lock)
    try:
        if not _held(lock, reporter, orders):
            return 0
        return _train(folder, reporter, orders)
    finally:
        lock.release()


def _held(lock: LockFile, reporter: Reporter, orders: Orders) -> bool:
    """Whether this process has the folder, perhaps after one that still saved its last checkpoint."""
    if lock.take():
        return True
    reporter.say("waiting")
    while not orders.stop.is_set():
        if lock.take():
            return True
    return False


def _train(folder: RunFolder, reporter: Reporter, orders: Orders) -> int:
    try:
        run: Mapping[str, Any] = folder.read() or {}
        from phicli.finetune.sitting import train

        train(folder, run, reporter.say, orders)
    except PhiError as error:
        reporter.say("failed", kind="file", reason=error.message)
        return 1
    except (OSError, MemoryError, RuntimeError) as error:
        reporter.say("failed", kind=kind_of(error), reason=(str(error) or type(error).__name__).splitlines()[0])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
