"""Which operating system this is, and whether it runs inside another one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from phicli.hardware.cgroup import ROOT, read_text

# Words in the names of control groups → who made the container.
_NAMES: Final = {
    "kubepods": "kubernetes", "docker": "docker", "libpod": "podman", "lxc": "lxc", "machine.slice/machine-": "systemd",
    "containerd": "containerd", "garden": "garden", "buildkit": "buildkit", "/ecs/": "ecs",
}  # fmt: skip


def system_name(root: Path = ROOT, platform: str = sys.platform) -> str:
    """Name and version of the system in words, such as ``Ubuntu 24.04.1 LTS, Linux 6.8.0-45-generic``."""
    if platform == "linux":
        facts = dict(line.partition("=")[::2] for line in read_text(root / "etc/os-release").splitlines())
        name = facts.get("PRETTY_NAME", "").strip("\"' ")
        kernel = " ".join(["Linux", read_text(root / "proc/sys/kernel/osrelease").strip()]).strip()
        return ", ".join(part for part in (name, kernel) if part)
    import platform as system

    if platform == "darwin":
        return f"macOS {system.mac_ver()[0]}".strip()
    return f"{system.system()} {system.release()} {system.version()}".strip()


def is_wsl(root: Path = ROOT) -> bool:
    """Whether this is the Windows Subsystem for Linux: its kernels have Microsoft in their name."""
    return "microsoft" in read_text(root / "proc/sys/kernel/osrelease").lower()


def container_kind(root: Path = ROOT) -> tuple[str | None, str]:
    """``docker``, ``podman``, ``kubernetes``, ``lxc``, … and what gave it away; None outside of containers."""
    if (root / "var/run/secrets/kubernetes.io").exists():
        return "kubernetes", "/var/run/secrets/kubernetes.io"
    groups = _group_names(root)
    for word, kind in _NAMES.items():
        if word in groups:
            return kind, "/proc/self/cgroup"
    for file, kind in (("run/.containerenv", "podman"), (".dockerenv", "docker")):
        if (root / file).exists():
            return kind, f"/{file}"
    told = read_text(root / "run/systemd/container").strip()
    if told and told != "wsl":
        return told.split()[0][:40], "/run/systemd/container"
    return None, "none found"


def _group_names(root: Path) -> str:
    """The paths of the control groups without the parts that are services: ``docker.service`` makes containers."""
    paths = (line.split(":", 2)[-1] for line in read_text(root / "proc/self/cgroup").splitlines())
    return "\n".join("/".join(part for part in path.split("/") if not part.endswith(".service")) for path in paths)
