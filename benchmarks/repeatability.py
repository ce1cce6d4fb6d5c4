"""How much the means of ``phi bench`` differ from one run to the next.

``python -m benchmarks.repeatability --model FILE`` runs ``phi bench FILE --json`` five times, each in a process of its
own with all its repetitions, and prints a Markdown table: the mean of each run, and how far they are apart. Run it on
an idle machine; options behind ``--`` go to ``phi bench``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PHI = str(Path(sys.executable).with_name("phi"))
QUANTITIES = {
    "prompt_tps": "prompt processing, tokens/s",
    "decode_tps": "generation, tokens/s",
    "ttft_ms": "first token, ms",
}


def bench(model: str, options: Sequence[str]) -> dict[str, Any]:
    """The first run that ``phi bench`` reports."""
    done = subprocess.run(
        [PHI, "bench", model, "--json", "--quiet", *options], capture_output=True, text=True, check=True
    )
    run: dict[str, Any] = json.loads(done.stdout)["data"]["runs"][0]
    return run


def row(name: str, means: Sequence[float]) -> str:
    """One line: all means, their spread, and the largest distance from the middle."""
    middle = statistics.median(means)
    spread = statistics.stdev(means) / statistics.fmean(means)
    furthest = max(abs(mean / middle - 1) for mean in means)
    return f"| {name} | {', '.join(f'{mean:.4g}' for mean in means)} | {spread:.1%} | {furthest:.1%} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", required=True, help="as for phi bench")
    parser.add_argument("--runs", type=int, default=5, help="runs of phi bench (default 5, at least 2)")
    parser.add_argument("options", nargs="*", help="options of phi bench, behind --")
    chosen = parser.parse_args()
    print(f"Load average {os.getloadavg()[0]:.1f} at the start.\n")
    found = [bench(chosen.model, chosen.options) for _ in range(max(chosen.runs, 2))]
    print("| | means of the runs | standard deviation | furthest from the median |\n|---|---|---|---|")
    for quantity, name in QUANTITIES.items():
        means = [run[quantity]["mean"] for run in found if run[quantity]]
        if len(means) == len(found):
            print(row(name, means))


if __name__ == "__main__":
    main()
