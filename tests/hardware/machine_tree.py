"""Folders that look like a machine's ``/proc`` and ``/sys``."""

from __future__ import annotations

from pathlib import Path

GIB = 1 << 30
MEMINFO = (
    "MemTotal:       {total} kB\nMemFree:         1000 kB\nMemAvailable:   {available} kB\nSwapTotal: 99999999 kB\n"
)
V2_MOUNT = "30 23 0:26 {root} /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"
V1_MOUNT = "35 31 0:32 {root} /sys/fs/cgroup/{name} rw,relatime - cgroup cgroup rw,{options}"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def host(root: Path, total_gib: float = 16, available_gib: float = 12) -> Path:
    kib = 1 << 20
    text = MEMINFO.format(total=int(total_gib * kib), available=int(available_gib * kib))
    return write(root, {"proc/meminfo": text})


def v2(root: Path, own: str, files: dict[str, str], mounted: str = "/") -> Path:
    mount = V2_MOUNT.format(root=mounted) + "\n"
    base = {
        "proc/self/cgroup": f"0::{own}\n",
        "proc/self/mountinfo": mount,
        "sys/fs/cgroup/cgroup.controllers": "memory",
    }
    return write(root, base | {f"sys/fs/cgroup/{name}": text for name, text in files.items()})


def v1(root: Path, name: str, options: str, own: str, files: dict[str, str], mounted: str = "/") -> Path:
    base = {
        "proc/self/cgroup": f"5:{options}:{own}\n1:name=systemd:/x\n0::/ignored\n",
        "proc/self/mountinfo": "no sense\n" + V1_MOUNT.format(root=mounted, name=name, options=options) + "\n",
    }
    return write(root, base | {f"sys/fs/cgroup/{name}/{file}": text for file, text in files.items()})


def cores(root: Path, siblings: list[str]) -> Path:
    """Logical processors by the list of their siblings, for example ``["0,4", "1,5", …]``."""
    where = "sys/devices/system/cpu/cpu{}/topology/core_cpus_list"
    return write(root, {where.format(number): text + "\n" for number, text in enumerate(siblings)})
