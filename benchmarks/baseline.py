"""An older version of ``phi`` in an environment of its own, with the packages of this one."""

from __future__ import annotations

import importlib.metadata
import io
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.models import cache_folder

ROOT = Path(__file__).parents[1]
_OURS = {"phi-local", "phicli"}


def installed(commit: str) -> Path:
    """The ``python`` of an environment with the ``phi`` of ``commit``; made on the first call, kept in a cache folder.

    Every package that both need has the version that is installed here, xllamacpp above all. The first call takes
    these packages from the package index.
    """
    full = full_commit(commit)
    engine, python = importlib.metadata.version("xllamacpp"), f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache_folder() / f"phi-{full[:7]}-xllamacpp-{engine}-python-{python}"
    program = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    complete = folder / "complete"
    if not complete.exists():
        print(f"installing phi {full[:7]} into {folder} …", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        _install(full, folder, program)
        complete.touch()
    return program


def full_commit(commit: str, root: Path = ROOT) -> str:
    """The whole hash of ``commit`` in the checkout at ``root``; ends the program where it is not there."""
    command = ["git", "-C", str(root), "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        sys.exit("git not found\n→ install git: the older version comes from the history of the checkout")
    if done.returncode != 0:
        sys.exit(
            f"commit {commit} not found in {root}: it is not a checkout, or a shallow one\n"
            "→ download its history: git fetch --unshallow"
        )
    return done.stdout.strip()


def constraints() -> Iterator[str]:
    """The installed version of every package here but our own, as pip reads it."""
    for package in importlib.metadata.distributions():
        name = package.metadata["Name"]
        if name.lower() not in _OURS:
            yield f"{name}=={package.version}"


def _install(commit: str, folder: Path, program: Path) -> None:
    source, versions = folder / "source", folder / "constraints.txt"
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", "--format=tar", commit], stdout=subprocess.PIPE, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        packed.extractall(source, filter="data")
    versions.write_text("\n".join(sorted(constraints())), encoding="utf-8")
    command: list[str | Path] = [program, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*command, "-c", versions, source], check=False).returncode != 0:
        sys.exit("the older version cannot be installed: pip gives the reason above")
