"""Writes the tables of ``docs/licenses.md`` from the metadata of the packages themselves.

``python .ci/licenses.py`` asks pip 25 or newer, which reads the metadata from its index and installs nothing.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "licenses.md"
BEGIN, END = "<!-- table of dependencies -->", "<!-- end of table -->"


def normalized(name: str) -> str:
    """The name of a package as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> dict[str, list[str]]:
    """Requirements by what they are for: ``phi`` itself, and each extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {"phi": project["dependencies"], **project["optional-dependencies"]}


def name_of(requirement: str) -> str:
    """The name in a requirement such as ``rich>=13.9``."""
    return normalized(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0])


def license_of(expression: str | None, text: str | None, classifiers: Sequence[str]) -> str:
    """What a package's metadata states: its SPDX expression, else a license in one line, else its classifiers."""
    if expression:
        return expression
    if text and "\n" not in text.strip() and len(text) <= 60:
        return text.strip()
    named = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: OSI Approved ::")]
    return ", ".join(named) or "not stated"


def installed_license(name: str) -> str:
    """The license of an installed package.

    Raises:
        importlib.metadata.PackageNotFoundError: it is not installed.
    """
    metadata: dict[str, Any] = importlib.metadata.metadata(name).json
    return license_of(metadata.get("license_expression"), metadata.get("license"), metadata.get("classifier", []))


def _asked(requirements: Sequence[str], *options: str) -> dict[str, str]:
    """Licenses by name of ``requirements`` and, without ``--no-deps``, of what they require."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    done = subprocess.run([*command, *options, *requirements], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    packages = [entry["metadata"] for entry in json.loads(done.stdout)["install"]]
    return {
        normalized(package["name"]): license_of(
            package.get("license_expression"), package.get("license"), package.get("classifier", [])
        )
        for package in packages
    }


def _table(purposes: Mapping[str, Sequence[str]], licenses: Mapping[str, str]) -> list[str]:
    """One row for each package."""
    rows = [f"| {name} | {', '.join(purposes[name])} | {licenses[name]} |" for name in sorted(purposes)]
    return ["| package | required by | license |", "|---|---|---|", *rows]


def main() -> None:
    """Write the file."""
    if int(importlib.metadata.version("pip").partition(".")[0]) < 25:
        sys.exit("an older pip does not report license expressions; run: python -m pip install --upgrade pip")
    groups = {group: [name_of(requirement) for requirement in listed] for group, listed in declared().items()}
    licenses: dict[str, str] = {}
    purposes: dict[str, list[str]] = {}
    for group, requirements in declared().items():
        licenses |= _asked(requirements, "--no-deps")
        for name in groups[group]:
            purposes.setdefault(name, []).append("phi" if group == "phi" else f"extra `{group}`")
    brought = _asked(declared()["phi"])
    for name in set(brought) - set(groups["phi"]):
        purposes.setdefault(name, []).append("a package that phi requires")
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    lines = [before + BEGIN, "", *_table(purposes, brought | licenses), "", END]
    DOCUMENT.write_text("\n".join(lines) + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
