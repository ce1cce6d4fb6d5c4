"""A control group with a limit of memory for one child process, where the machine lets us make one."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from phicli.hardware.cgroup import groups_of


@dataclass(frozen=True, slots=True)
class LimitedGroup:
    """A control group of ours; ``version`` is that of the interface."""

    path: Path
    version: int

    def killed(self) -> int:
        """Processes that were killed in it as it was full."""
        text = (self.path / ("memory.oom_control" if self.version == 1 else "memory.events")).read_text("ascii")
        found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
        return int(found[1]) if found else 0

    def peak_bytes(self) -> int | None:
        """The most that was charged to it, None where the kernel does not keep that."""
        name = "memory.max_usage_in_bytes" if self.version == 1 else "memory.peak"
        try:
            return int((self.path / name).read_text("ascii"))
        except OSError:
            return None

    def join(self) -> None:
        """Put this process into it, and with it all that it starts."""
        (self.path / "cgroup.procs").write_text(str(os.getpid()), "ascii")


@contextmanager
def limited_group(limit_bytes: int) -> Iterator[LimitedGroup]:
    """A new control group with that limit; it is gone afterwards.

    Raises:
        OSError: there is no control group for memory here, or we may not make one below it.
    """
    found = groups_of("memory")
    if found is None or not found.levels:
        raise OSError("there is no control group for memory")
    # In version 2 a group with processes in it cannot have others below it, but for the root.
    above = found.levels[0] if found.version == 1 else found.levels[-1]
    group = LimitedGroup(above / f"phi-fits-{os.getpid()}", found.version)
    group.path.mkdir()
    try:
        name = "memory.limit_in_bytes" if found.version == 1 else "memory.max"
        (group.path / name).write_text(str(limit_bytes), "ascii")
        yield group
    finally:
        for _ in range(100):  # a killed process is in it for a moment yet
            try:
                group.path.rmdir()
                break
            except OSError:
                time.sleep(0.1)


def forget(path: Path) -> None:
    """Drop the file from the system's cache: pages that are there already are charged to whoever read them."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
