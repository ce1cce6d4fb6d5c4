"""Fixtures for the tests of the supervisor: a place of its own, in a folder whose path is short."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from phicli.supervisor.place import Place, place


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
