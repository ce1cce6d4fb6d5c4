"""How true the predictions of ``phi recommend`` are on this machine.

``python -m benchmarks.accuracy buffers`` compares the memory model with the buffers that the engine allocates,
``resident`` with the memory of its process, ``fits`` tries whether what is said to fit does, ``speed`` compares the
speed model with tokens a second. Each prints Markdown for ``docs/accuracy.md``; ``--help`` behind a part tells how to
make it shorter.
"""

from __future__ import annotations

import importlib
import sys

PARTS = ("buffers", "resident", "fits", "speed")


def main() -> None:
    """Run the part that the first argument names."""
    part = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if part not in PARTS:
        print(__doc__)
        sys.exit(0 if part in ("-h", "--help") else 2)
    sys.argv = [f"benchmarks.accuracy {part}", *sys.argv[2:]]
    importlib.import_module(f"benchmarks.accuracy_{part}").main()


if __name__ == "__main__":
    main()
