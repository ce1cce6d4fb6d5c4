"""Processes of tests compile ``phi`` once, also where Python may write nothing beside its sources."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.bytecode import keep_bytecode


class Session:
    """What is asked of pytest."""

    def __init__(self) -> None:
        self.cleanups: list[Callable[[], None]] = []

    def add_cleanup(self, cleanup: Callable[[], None]) -> None:
        self.cleanups.append(cleanup)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", "")  # so that it is as before when the test has ended
    monkeypatch.delenv("PYTHONPYCACHEPREFIX")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Session()


@pytest.mark.process
def test_a_process_finds_what_another_has_compiled(
    session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    keep_bytecode(session)
    (folder,) = tmp_path.iterdir()
    command = [sys.executable, "-c", "import phicli.errors; print(phicli.errors.__cached__)"]
    cached = Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
    assert cached.is_relative_to(folder)
    assert cached.exists()
    for cleanup in session.cleanups:
        cleanup()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_done_where_python_writes_beside_the_sources(
    session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    keep_bytecode(session)
    assert "PYTHONPYCACHEPREFIX" not in os.environ
    assert list(tmp_path.iterdir()) == []
