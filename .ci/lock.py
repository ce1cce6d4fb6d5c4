"""Writes ``requirements/dev.lock``: every package of the gate, with its version and the hashes of all its files.

It needs uv (``pip install uv``), which resolves for all systems and Python versions at once. ``python .ci/lock.py``
keeps the versions that the file has where they still fit; ``--upgrade`` takes the newest.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "dev.lock"
HEAD = """\
# The packages of the gate: names, versions, and the hashes of all their files, for Linux, macOS and Windows and every
# supported Python. It names no index: pip takes the files from where it is told to, and the hashes say that they are
# the right ones. Use it: .ci/run --locked. Renew it: ./tasks.sh lock (see .ci/lock.py). Not locked: what builds phi
# itself (hatchling), and the extra "training".
"""


def main() -> int:
    """Write the file; returns uv's exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    command = [
        "uv", "pip", "compile", "pyproject.toml", "--extra", "dev", "--universal", "--python-version", "3.11",
        "--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate", "--quiet",
        "--output-file", str(LOCK.relative_to(ROOT)), *(["--upgrade"] if parser.parse_args().upgrade else []),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, cwd=ROOT, check=False)
    except FileNotFoundError:
        sys.exit("uv is not installed; run: pip install uv")
    if done.returncode == 0:
        LOCK.write_text(HEAD + LOCK.read_text(encoding="utf-8"), encoding="utf-8")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
