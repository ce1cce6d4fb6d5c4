"""How long ``phi pull`` takes against other ways to get the same file, with nothing in between but the machine.

``python -m benchmarks.pull`` serves a file of 1 GB from a hub on the loopback interface and downloads it in turn
(A B C A B C …) with ``phi pull``, with ``hf download``, and with ``curl`` followed by ``sha256sum``; it prints a
Markdown table with the medians. ``phi`` hashes what it downloads and waits until the disk has it; ``hf`` does neither.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import Measured, measure
from phicli.hardware.cpu import physical_cores
from tests.support.hub import LoopbackHub

MB = 10**6
NAME = "model-Q4_K_M.gguf"
HERE = Path(sys.executable).parent
TINY = Path(__file__).parents[1] / "phicli" / "data" / "tiny-phi.gguf"


def write_model(path: Path, size: int) -> None:
    """A readable model of ``size`` bytes: tiny-phi, and noise behind it that no tensor uses."""
    chance = random.Random(1)  # noqa: S311
    with path.open("wb") as file:
        file.write(TINY.read_bytes())
        while (left := size - file.tell()) > 0:
            file.write(chance.randbytes(min(left, MB)))


def hash_seconds(path: Path) -> float:
    """How long this Python takes to hash the file, which is in memory by then."""
    began = time.perf_counter()
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")
    return time.perf_counter() - began


@contextmanager
def online(hub: LoopbackHub, cache: Path) -> Iterator[None]:
    """The environment in which the hub is the hub and the cache is empty."""
    shutil.rmtree(cache, ignore_errors=True)
    before = dict(os.environ)
    own = {"HF_HOME": str(cache), "PHI_HOME": str(cache / "phi"), "HF_HUB_OFFLINE": "", "HF_HUB_DISABLE_TELEMETRY": "1"}
    os.environ.update(hub.environment | own)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def measure_sides(size: int, runs: int, work: Path) -> dict[str, list[Measured]]:
    """Every side's runs, in turn."""
    model = work / NAME
    write_model(model, size)
    with LoopbackHub() as hub:
        plain = hub.add_repo("some/plain", {NAME: model})
        hub.add_repo("some/xet", {NAME: model}, xet=True)
        url = f"{hub.endpoint}/some/plain/resolve/{plain.commit}/{NAME}"
        copy = work / "copy.gguf"
        sides: dict[str, list[str]] = {
            "phi": [str(HERE / "phi"), "pull", "some/plain"],
            "hf": [str(HERE / "hf"), "download", "some/plain", NAME],
            "curl": ["sh", "-c", f"curl -sSL -o '{copy}' '{url}' && sha256sum '{copy}'"],
            "phi over Xet": [str(HERE / "phi"), "pull", "some/xet"],
            "hf over Xet": [str(HERE / "hf"), "download", "some/xet", NAME],
        }
        if shutil.which("curl") is None or shutil.which("sha256sum") is None:
            del sides["curl"]
        found: dict[str, list[Measured]] = {name: [] for name in sides}
        for run in range(runs + 1):  # the first warms up
            for name, command in sides.items():
                os.sync()
                with online(hub, work / "cache"):
                    measured = measure(command)
                if run:
                    found[name].append(measured)
        found["hash"] = [Measured(0.0, hash_seconds(model), 0) for _ in range(runs)]
    return found


def table(found: dict[str, list[Measured]]) -> Iterator[str]:
    """Rows of the table."""

    def median(name: str, of: Callable[[Measured], float] = lambda run: run.total_s) -> float:
        return statistics.median(of(run) for run in found[name])

    def row(what: str, ours: float, theirs: float, unit: str, aim: str) -> str:
        return f"| {what} | {ours:.2f} {unit} | {theirs:.2f} {unit} | **{ours / theirs:.2f} x** | {aim} |"

    yield "| | `phi pull` | the other side | ratio | target |\n|---|---|---|---|---|"
    yield row("against `hf download`", median("phi"), median("hf"), "s", "")
    allowed = 1.10 * median("hf") + median("hash")
    yield row("against 1.10 x `hf download` plus one hash of the file", median("phi"), allowed, "s", "≤ 1 x")
    if "curl" in found:
        yield row("against `curl` and `sha256sum`", median("phi"), median("curl"), "s", "")
    xet = 1.10 * median("hf over Xet") + median("hash")
    yield row("over Xet, against 1.10 x `hf download` plus one hash", median("phi over Xet"), xet, "s", "≤ 1 x")
    for name, other in (("phi", "hf"), ("phi over Xet", "hf over Xet")):
        peaks = [median(side, lambda run: run.peak_rss_bytes / MB) for side in (name, other)]
        yield row(
            f"peak resident memory, all processes, {name.removeprefix('phi').strip() or 'HTTP'}",
            *peaks,
            "MB",
            "≤ 250 MB",
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--size", type=int, default=1000, help="megabytes of the file (default 1000)")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each side (default 5)")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    options = parser.parse_args()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(
        f"{physical_cores()} cores, {platform.machine()}, load average {load:.1f} at the start, {options.runs} runs, "
        f"{options.size} MB\n"
    )
    with tempfile.TemporaryDirectory(dir=options.folder) as work:
        for line in table(measure_sides(options.size * MB, options.runs, Path(work))):
            print(line, flush=True)


if __name__ == "__main__":
    main()
