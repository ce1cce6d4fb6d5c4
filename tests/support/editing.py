"""A person whose editor is a program: ``phi config edit`` and ``phi templates edit`` on a terminal."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def edited(environment: dict[str, str], *arguments: str, editor: str, **more: str) -> tuple[int, str]:
    """Exit code and screen of ``phi`` with ``arguments``; lines of the screen are joined where they were wrapped."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "phicli", *arguments],
        env=environment | {"EDITOR": editor, "VISUAL": ""} | more, stdin=theirs, stdout=theirs, stderr=theirs,
    ) as process:  # fmt: skip
        os.close(theirs)
        seen = b""
        while True:
            try:
                chunk = os.read(ours, 4096)
            except OSError:
                break
            if not chunk:
                break
            seen += chunk
    os.close(ours)
    return process.returncode, seen.decode().replace("\r\n", "\n").replace("\n  ", " ")
