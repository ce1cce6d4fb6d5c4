"""Small file systems of a test's own."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


def make_read_only(folder: Path) -> None:
    """Forbid every change of the file system at ``folder``, for the superuser too."""
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)


@contextlib.contextmanager
def small_file_system(folder: Path, options: str) -> Iterator[Path]:
    """A file system in memory at ``folder``, with options such as ``size=1m``.

    The test is skipped where none can be made.
    """
    folder.mkdir()
    if sys.platform != "linux" or shutil.which("mount") is None:
        pytest.skip("no tmpfs here")
    command = ["mount", "-t", "tmpfs", "-o", options, "phi-test", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("not allowed to mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
