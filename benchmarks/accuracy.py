"""How true the predictions of ``phi recommend`` are on this machine.

``python -m benchmarks.accuracy buffers`` compares the memory model with the buffers that the engine allocates,
``resident`` with the memory of its process, ``speed`` the speed model with tokens a second. Each prints the Markdown
tables of ``docs/accuracy.md``; ``--help`` behind a part tells how to make it shorter.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform

from phicli.hardware.cpu import physical_cores

PARTS = ("buffers", "resident", "speed")


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    chosen = parser.add_subparsers(dest="part", required=True)
    for name in PARTS:
        module = importlib.import_module(f"benchmarks.accuracy_{name}")
        part = chosen.add_parser(name, description=(module.__doc__ or "").split("\n\n")[0])
        module.add_options(part)
        part.set_defaults(run=module.run)
    options = parser.parse_args()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{physical_cores()} cores, {platform.machine()}, load average {load:.1f} at the start\n", flush=True)
    options.run(options)


if __name__ == "__main__":
    main()
