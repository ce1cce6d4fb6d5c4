"""Finds the control groups of this process, which is how Linux containers are limited.

Version 1 has a hierarchy for each controller, version 2 one for all, and hybrid machines have both: then a controller
is limited where ``/proc/self/cgroup`` has a line with its name. A limit on any level up to the root counts.
Sources: cgroups(7), the kernel's ``cgroup-v1/memory.rst`` and ``cgroup-v2.rst``, proc_pid_mountinfo(5).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

ROOT: Final = Path("/")
NO_LIMIT: Final = 1 << 60
"""A number of bytes that no machine has: the kernel writes such where there is no limit."""


@dataclass(frozen=True, slots=True)
class Groups:
    """The directories of one controller for this process, innermost first, and the version of the interface."""

    version: int
    levels: tuple[Path, ...]


def groups_of(controller: str, root: Path = ROOT) -> Groups | None:
    """The control groups that limit this process by ``controller`` (``memory``, ``cpu``); None without any.

    Args:
        controller: the kernel's name of it.
        root: where ``/proc`` and ``/sys`` are found; tests give a folder of their own.
    """
    own = _own_paths(root)
    for version in (1, 2) if controller in own else (2,):
        path = own.get(controller if version == 1 else "")
        mount = _mount(controller, version, root)
        if path is None or mount is None:
            continue
        place, mounted = mount
        return Groups(version, tuple(_levels(root, place, _below(path, mounted))))
    return None


def read_number(path: Path) -> int | None:
    """The number in a control file; None for ``max``, negative or absurd values, garbage, or no file."""
    text = read_text(path)
    try:
        number = int(text.strip())
    except ValueError:
        return None
    return number if 0 <= number < NO_LIMIT else None


def read_text(path: Path) -> str:
    """The content of a small file; empty when it cannot be read."""
    try:
        return path.read_text("utf-8", "replace")
    except (OSError, ValueError):
        return ""


def _own_paths(root: Path) -> dict[str, str]:
    """Controller → path in its hierarchy; the one of version 2 is under the empty name."""
    paths: dict[str, str] = {}
    for line in read_text(root / "proc/self/cgroup").splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            for controller in parts[1].split(","):
                paths[controller] = parts[2]
    return paths


def _mount(controller: str, version: int, root: Path) -> tuple[str, str] | None:
    """Where the hierarchy is mounted, and which of its directories is the root of that mount."""
    for line in read_text(root / "proc/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if len(fields) < 5 or len(kind) < 3:
            continue
        if version == 2 and kind[0] == "cgroup2":
            return fields[4], fields[3]
        if version == 1 and kind[0] == "cgroup" and controller in kind[2].split(","):
            return fields[4], fields[3]
    for usual in (f"/sys/fs/cgroup/{controller}",) if version == 1 else ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        marker = "cgroup.procs" if version == 1 else "cgroup.controllers"
        if (root / usual.lstrip("/") / marker).exists():
            return usual, "/"
    return None


def _below(path: str, mounted: str) -> str:
    """``path`` as seen from a mount whose root is ``mounted`` (containers without a namespace of their own)."""
    if mounted != "/" and (path == mounted or path.startswith(mounted.rstrip("/") + "/")):
        return path[len(mounted.rstrip("/")) :]
    return path


def _levels(root: Path, mount: str, path: str) -> list[Path]:
    """The directories from the process's own up to the mount; only the mount when the own one is not to be seen."""
    top = root / mount.lstrip("/")
    parts = [part for part in PurePosixPath(path).parts if part != "/"]
    if ".." in parts or not top.joinpath(*parts).is_dir():
        parts = []
    return [top.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]
