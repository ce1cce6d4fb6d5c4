"""What the system says about processes; Linux."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.support.waiting import wait_until


def gone(pid: int, within_s: float = 60.0) -> bool:
    """Whether the process ends (or is a zombie) in time; it is looked at once at least."""
    deadline = time.monotonic() + within_s
    while not _has_ended(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):  # the latter if it ends between opening and reading
        return True


def children(pid: int) -> list[int]:
    """Process ids of the children of ``pid``, whichever of its threads started them."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            found += map(int, (thread / "children").read_text().split())
    return found


def wait_for_child(pid: int) -> None:
    """Wait until ``pid`` has a child."""
    wait_until(lambda: bool(children(pid)))


def wait_for_engine(pid: int) -> int:
    """The id of the engine's process that ``pid`` starts, once it runs: before that it is a copy of its parent."""
    found: list[int] = []

    def runs() -> bool:
        for child in psutil.Process(pid).children():
            with contextlib.suppress(psutil.Error):
                found.extend([child.pid] if any("worker" in word for word in child.cmdline()) else [])
        return bool(found)

    wait_until(runs)
    return found[0]


def wait_for_work(pid: int, seconds: float = 0.5) -> int:
    """The id of the engine's process that ``pid`` started, once it has computed for so long since it was loaded.

    On a busy machine loading alone uses more processor time than a whole answer elsewhere. A client is connected when
    the model is loaded, and not before.
    """
    engine = psutil.Process(wait_for_engine(pid))

    def used_s() -> float:
        times = engine.cpu_times()
        return float(times.user + times.system)

    wait_until(lambda: any(one.status == psutil.CONN_ESTABLISHED for one in engine.net_connections()))
    before = used_s()
    wait_until(lambda: used_s() - before > seconds)
    return int(engine.pid)


def hesitating(folder: Path) -> dict[str, str]:
    """Variables with which every engine stands still as soon as it runs, until :func:`held` lets it go on.

    An engine that the test stops may be ready by then.
    """
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "if any(word.endswith('worker.py') for word in sys.orig_argv):\n"
        "    os.kill(os.getpid(), signal.SIGSTOP)\n"
    )
    return {"PYTHONPATH": str(folder)}


@contextlib.contextmanager
def held(pid: int) -> Iterator[int]:
    """Within the context the :func:`hesitating` engine that ``pid`` starts has not begun to load; gives its id."""
    engine = wait_for_engine(pid)
    wait_until(lambda: _all_stopped(engine))
    try:
        yield engine
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(engine, signal.SIGCONT)


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Within the context the process stands still, as one that hangs: all of its threads, from the first line on."""
    os.kill(pid, signal.SIGSTOP)
    while not _all_stopped(pid):  # the signal is asynchronous: a thread may still answer
        time.sleep(0.001)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _all_stopped(pid: int) -> bool:
    """Whether no thread of the process runs any more; only Linux tells the states of threads."""
    tasks = list(Path(f"/proc/{pid}/task").glob("*/stat"))
    if not tasks:
        return str(psutil.Process(pid).status()) == psutil.STATUS_STOPPED
    states = []
    for task in tasks:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            states.append(task.read_text().rpartition(")")[2].split()[0])
    return all(state == "T" for state in states)


def interrupt(pid: int) -> None:
    """Send Ctrl-C's signal to the process, and return once it has it: nothing that happens later can come first."""
    os.kill(pid, signal.SIGINT)
    if sys.platform.startswith("linux"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            wait_until(lambda: not _is_pending(pid, signal.SIGINT))


def _is_pending(pid: int, number: int) -> bool:
    """Whether the system still holds a signal back from the process; one that has ended gets none."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    if any(line.startswith("State:") and line.split()[1] in "ZX" for line in lines):
        return False
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd:", "ShdPnd:"))]
    return any(mask & 1 << (number - 1) for mask in masks)
