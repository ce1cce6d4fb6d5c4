"""How long ``phi recommend`` takes, against ``phi --help``, and against ``llmfit recommend`` where that is on PATH.

``python -m benchmarks.recommend`` runs all of them in turn (A B C A B C …), with nothing installed and nothing
calibrated, and prints a Markdown table with the medians and what follows from them. The bytecode of the modules is kept
in a folder of its own, as an installed package has it. llmfit may look for other programs on this machine; ``phi``
probes how fast memory is read (about 0.25 s) and asks the engine for graphics processors where there is a sign of any.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from phicli.hardware.cpu import physical_cores

PHI = (sys.executable, "-m", "phicli")
SIDES: Mapping[str, tuple[str, ...]] = {
    "phi --help": (*PHI, "--help"),
    "phi chat --help": (*PHI, "chat", "--help"),
    "phi recommend": (*PHI, "recommend"),
    "phi recommend --json": (*PHI, "recommend", "--json"),
    "phi recommend --ram 16G --vram 8G": (*PHI, "recommend", "--ram", "16G", "--vram", "8G"),
    "phi recommend --ram 16G --json": (*PHI, "recommend", "--ram", "16G", "--json"),
}
LLMFIT = "llmfit recommend --json"
_MOST_S = 1.0
_TIMES_HELP = 3.0


def seconds(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """How long it takes, from its start to its end.

    Raises:
        RuntimeError: it failed.
    """
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    took = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.decode()[-1000:]}")
    return took


def measured(runs: int, llmfit: str | None) -> dict[str, list[float]]:
    """Seconds of the counted runs of every side."""
    sides = dict(SIDES)
    if llmfit is not None:
        sides[LLMFIT] = (llmfit, "recommend", "--json")
    found: dict[str, list[float]] = {name: [] for name in sides}
    with tempfile.TemporaryDirectory() as work:
        ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        ours |= {name: str(Path(work) / name) for name in ("PHI_HOME", "HF_HOME", "PYTHONPYCACHEPREFIX")}
        for run in range(runs + 1):  # the first warms up
            for name, command in sides.items():
                took = seconds(command, ours)
                if run:
                    found[name].append(took)
    return found


def table(found: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """Rows of the table; the ratio is the median of the ratios of one turn, which had the machine to themselves."""
    yield "| | median | fastest | against `phi --help` | target |\n|---|---|---|---|---|"
    for name, times in found.items():
        turns = zip(times, found["phi --help"], strict=True)
        ratio = statistics.median(one / other for one, other in turns)
        aim = ""
        if "--ram" in name:
            aim = f"≤ {_TIMES_HELP:g} x"
        elif name.startswith("phi recommend"):
            aim = f"≤ {_MOST_S:g} s"
        yield f"| `{name}` | {statistics.median(times):.3f} s | {min(times):.3f} s | {ratio:.2f} x | {aim} |"
    if LLMFIT in found:
        turns = zip(found["phi recommend --json"], found[LLMFIT], strict=True)
        ratio = statistics.median(one / other for one, other in turns)
        yield f"\n`phi recommend --json` takes **{ratio:.2f} x** the time of `{LLMFIT}` (median of the turns)."


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=15, help="counted runs of each side (default 15)")
    options = parser.parse_args()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    llmfit = shutil.which("llmfit")
    beside = "" if llmfit else ", no llmfit on PATH"
    print(
        f"{physical_cores()} cores, {platform.machine()}, Python {platform.python_version()}, load average {load:.1f} "
        f"at the start, {options.runs} runs{beside}\n"
    )
    for line in table(measured(options.runs, llmfit)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
