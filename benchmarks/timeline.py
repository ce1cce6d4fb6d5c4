"""When what happens in ``phi chat FILE "prompt"``, from the start of its process to the first token.

``python -m benchmarks.timeline`` takes the file of ``benchmarks.cold_start``; ``python -m benchmarks.timeline FILE``
another one. ``--cold`` drops the file from the page cache before each run (Linux). The times are medians of several
runs, by the clock, and as the CPU time of the process until then, which other programs disturb less. Nothing of
``phi`` is changed for it: an audit hook in both interpreters notes imports, opened files, started processes and
connections, which costs 2 ms in all. When the weights are mapped is read from ``/proc`` (Linux).
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from benchmarks.models import synthetic_file
from benchmarks.sides import phi_of

PHI = phi_of(sys.executable)
PROMPT: Final = "Why is the sky blue?"
_LOOK_S: Final = 0.002
_HOOK: Final = """
import os, sys, time
log = os.open(os.environ["TIMELINE_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
def note(event, arguments):
    if event in ("import", "open", "subprocess.Popen", "socket.connect", "ctypes.dlopen"):
        times = f"{time.monotonic()}\\t{time.process_time()}"
        os.write(log, f"{times}\\t{os.getpid()}\\t{event}\\t{arguments[0]}\\n".encode())
sys.addaudithook(note)
"""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a process.

    ``at_s`` is in seconds since ``phi`` was started, ``cpu_s`` the CPU time of the process until then.
    """

    at_s: float
    cpu_s: float
    pid: int
    kind: str
    what: str


Times = dict[str, tuple[float, float]]
"""Step → seconds since ``phi`` was started, and CPU seconds of its process (nan where nobody counted)."""


def run(path: Path, prompt: str) -> Times:
    """The steps of one answer of one token.

    Raises:
        RuntimeError: ``phi`` failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "sitecustomize.py").write_text(_HOOK, encoding="utf-8")
        log = Path(folder, "log")
        log.touch()
        environment = {**os.environ, "PYTHONPATH": folder, "TIMELINE_LOG": str(log)}
        began = time.monotonic()
        process = subprocess.Popen(
            [PHI, "chat", str(path), prompt, "-n", "1", "-q", "--no-stdin"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment,
        )  # fmt: skip
        assert process.stdout is not None
        with _MappedWatch(path, log, process.pid) as watch:
            first = os.read(process.stdout.fileno(), 1)
            first_s = time.monotonic() - began
            process.stdout.read()
            process.wait()
            ended_s = time.monotonic() - began
        if process.returncode or not first:
            raise RuntimeError(f"phi chat ended with {process.returncode} and printed {first!r}")
        lines = (line.split("\t", 4) for line in log.read_text("utf-8", "replace").splitlines())
        events = [Event(float(at) - began, float(cpu), int(pid), kind, what) for at, cpu, pid, kind, what in lines]
    times = steps(events, path, process.pid)
    if watch.mapped_at:
        times["engine: the vocabulary is parsed, the weights are mapped"] = watch.mapped_at - began, math.nan
    return times | {
        "phi: the first token is printed": (first_s, math.nan),
        "phi: its process has ended": (ended_s, math.nan),
    }


def steps(events: Iterable[Event], path: Path, phi: int) -> Times:
    """The steps that are in the log of the process ``phi`` and its engine."""
    mine = [event for event in events if event.pid == phi]
    engine = [event for event in events if event.pid != phi]
    times: Times = {}

    def add(step: str, among: Sequence[Event], is_it: Callable[[Event], bool], number: int = 0) -> None:
        found = [(event.at_s, event.cpu_s) for event in among if is_it(event)]
        if len(found) > number:
            times[step] = found[number]

    add("phi: Python is up", mine, lambda event: event.what == "phicli.__main__")
    add("phi: Typer is imported next", mine, lambda event: event.what == "typer")
    add("phi: starts the engine's process", mine, lambda event: event.kind == "subprocess.Popen")
    add("engine: Python is up", engine, lambda event: event.kind == "ctypes.dlopen")
    add("engine: imports llama.cpp", engine, lambda event: event.what == "xllamacpp")
    add("phi: reads the header", mine, lambda event: event.kind == "open" and event.what == str(path))
    add("phi: has sent the settings", mine, lambda event: event.what == "phicli.engine.server_engine")
    loading = [event for event in engine if event.at_s > times.get("engine: imports llama.cpp", (0.0, 0.0))[0]]
    add(
        "engine: has the settings and loads",
        loading,
        lambda event: event.kind == "ctypes.dlopen" and event.what == "None",
    )
    add(
        "engine: is ready; phi connects for the tokens of the prompt",
        mine,
        lambda event: event.kind == "socket.connect",
    )
    add("phi: sends the prompt", mine, lambda event: event.kind == "socket.connect", 1)
    return times


class _MappedWatch(threading.Thread):
    """While it is entered, looks when the engine has the file in its address space; needs ``/proc``."""

    def __init__(self, path: Path, log: Path, phi: int) -> None:
        super().__init__(daemon=True)
        self._path, self._log, self._phi = str(path), log, phi
        self._left = threading.Event()
        self.mapped_at = 0.0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self.join()

    def run(self) -> None:
        """Look until the file is mapped, the engine is gone, or nobody waits for it: a zombie can be read for ever."""
        while not (engine := self._engine()):
            if self._left.wait(_LOOK_S):
                return
        with contextlib.suppress(OSError):
            maps = Path(f"/proc/{engine}/maps")
            while self._path not in maps.read_text("utf-8", "replace"):
                if self._left.wait(_LOOK_S):
                    return
            self.mapped_at = time.monotonic()

    def _engine(self) -> int:
        """The engine's process id, once it is in the log; 0 before."""
        pids = {int(line.split("\t")[2]) for line in self._log.read_text("utf-8", "replace").splitlines()}
        return next(iter(pids - {self._phi}), 0)


def drop_from_memory(path: Path) -> None:
    """Make the next reader of the file read it from the disk (Linux)."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("file", type=Path, nargs="?", help="a GGUF file (default: the one of benchmarks.cold_start)")
    parser.add_argument("--layers", type=int, help="fewer layers of the default file, for a quick look")
    parser.add_argument("--runs", type=int, default=7, help="counted runs (default 7)")
    parser.add_argument("--cold", action="store_true", help="read the file from the disk each time")
    options = parser.parse_args()
    path = (options.file or synthetic_file(options.layers)).absolute()
    run(path, PROMPT)  # not counted
    runs = []
    for _ in range(options.runs):
        if options.cold:
            drop_from_memory(path)
        runs.append(run(path, PROMPT))
    print(f"{path.name}, {options.runs} runs, load average {os.getloadavg()[0]:.1f}\n")
    print("| ms | since the step before | CPU ms of the process | step |\n| ---: | ---: | ---: | --- |")
    before = 0.0
    for step, at_s, cpu_s in medians(runs):
        cpu = "" if math.isnan(cpu_s) else f"{cpu_s * 1000:.0f}"
        print(f"| {at_s * 1000:.0f} | {(at_s - before) * 1000:.0f} | {cpu} | {step} |")
        before = at_s


def medians(runs: Sequence[Times]) -> list[tuple[str, float, float]]:
    """Each step with the medians of its two times, in the order of the first."""
    found = []
    for step in runs[0]:
        both = zip(*(times[step] for times in runs if step in times), strict=True)
        at_s, cpu_s = map(statistics.median, both)
        found.append((step, at_s, cpu_s))
    return sorted(found, key=lambda row: row[1])


if __name__ == "__main__":
    main()
