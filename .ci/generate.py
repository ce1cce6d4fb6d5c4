"""Writes the files that are made from the code: ``completions/``, the help pages in the README, the table of settings.

``python .ci/generate.py`` writes them, ``--check`` compares and exits with 1 on a difference.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHELLS = {"bash": "phi.bash", "zsh": "_phi", "fish": "phi.fish", "powershell": "phi.ps1"}
PAGES = (
    "phi", "phi recommend", "phi list", "phi show", "phi pull", "phi chat",
    "phi bench", "phi eval", "phi autotune",
    "phi runs", "phi runs list", "phi runs show", "phi runs export", "phi runs rm", "phi rm",
    "phi cache", "phi cache list", "phi cache verify",
    "phi cache prune", "phi cache import", "phi cache scan", "phi cache export",
    "phi config", "phi config list", "phi config get", "phi config set", "phi config unset", "phi config edit",
)  # fmt: skip


def run_phi(*arguments: str, **environment: str) -> str:
    """What ``phi`` prints, at a fixed width and without what the caller's environment would change."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PHI_", "_PHI", "COLUMNS"))}
    done = subprocess.run(
        [sys.executable, "-m", "phicli", *arguments],
        env={**kept, "COLUMNS": "100", "TERMINAL_WIDTH": "100", **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines()) + "\n"


def completions() -> dict[Path, str]:
    """Path to text of each shell's completion file."""
    return {
        ROOT / "completions" / name: run_phi(
            _PHI_COMPLETE=f"source_{shell}", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1"
        )
        for shell, name in SHELLS.items()
    }


def readme() -> str:
    """The README with its help pages renewed."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in PAGES:
        begin, end = f"<!-- help: {page} -->", "<!-- end of help -->"
        body = f"{begin}\n```text\n$ {page} --help\n{run_phi(*page.split()[1:], '--help')}```\n{end}"
        before, found, rest = text.partition(begin)
        if not found:
            raise SystemExit(f"README.md has no place for the help of {page!r}")
        text = before + body + rest.partition(end)[2]
    return text


def settings() -> str:
    """``docs/settings.md`` with its table renewed."""
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as empty:
        rows = json.loads(run_phi("config", "list", "--all", "--json", PHI_HOME=empty))["data"]["settings"]
    lines = ["| key | option | variable | default | meaning |", "|---|---|---|---|---|"]
    for row in rows:
        default = "" if row["default"] is None else f"`{json.dumps(row['default']).strip(chr(34))}`"
        cells = [f"`{row['key']}`", f"`{row['option']}`", f"`{row['variable']}`", default, row["help"]]
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    begin, end = "<!-- table of settings -->", "<!-- end of table -->"
    before, _, rest = text.partition(begin)
    return "\n".join([before + begin, *lines, end]) + rest.partition(end)[2]


def main() -> int:
    """Write or check; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 on a difference")
    given = parser.parse_args()
    made = {**completions(), ROOT / "README.md": readme(), ROOT / "docs" / "settings.md": settings()}
    stale = [path for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if given.check:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what the code makes; run: python .ci/generate.py")
        return 1 if stale else 0
    for path in stale:
        path.write_text(made[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
