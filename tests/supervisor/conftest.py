"""Fixtures for the tests of the supervisor: a place of its own, in a folder whose path is short."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from phicli.supervisor.place import Place, place
from tests.support.running import Phi


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """``PHI_HOME`` of this test: its path is short enough for a socket, unlike those of ``tmp_path``."""
    folder = Path(tempfile.mkdtemp(prefix="phi-test-"))
    monkeypatch.setenv("PHI_HOME", str(folder))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def here(home: Path) -> Place:
    """The place in :func:`home`."""
    return place()


@pytest.fixture
def phi_home(environment: dict[str, str]) -> Path:
    return Path(environment["PHI_HOME"])


@pytest.fixture
def state(phi_home: Path) -> Callable[[], dict[str, Any]]:
    """Reads the state file of the server."""
    return lambda: json.loads((phi_home / "state" / "serve" / "serve.json").read_text())


@pytest.fixture
def phi(phi: Phi, phi_home: Path) -> Iterator[Phi]:
    """``phi`` as a process; what it starts in the background ends with the test."""
    yield phi
    phi("stop", "--all", "--force")
    file = phi_home / "state" / "serve" / "serve.json"
    if file.exists():
        pid = json.loads(file.read_text())["pid"]
        with contextlib.suppress(psutil.Error, ProcessLookupError):  # it has ended, or is about to
            if "serve" in psutil.Process(pid).cmdline():
                os.kill(pid, signal.SIGKILL)
