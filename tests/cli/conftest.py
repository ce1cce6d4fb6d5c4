"""Fixtures for tests that run ``phi`` as people do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.files import TINY_PHI
from tests.support.hub import LoopbackHub
from tests.support.pulling import FILE, REPO


@pytest.fixture
def home(tmp_path: Path, environment: dict[str, str]) -> Path:
    """A home with nothing in it, which the processes get."""
    folder = tmp_path / "home"
    folder.mkdir()
    environment |= {
        "HOME": str(folder),
        "USERPROFILE": str(folder),
        "OLLAMA_MODELS": str(folder / ".ollama" / "models"),
    }
    return folder


@pytest.fixture
def mini(hub: LoopbackHub) -> Any:
    """A repository of the catalogue whose model is tiny-phi."""
    return hub.add_repo(REPO, {FILE: TINY_PHI, "README.md": b"# a model"})


@pytest.fixture
def file(environment: dict[str, str]) -> Path:
    """The file of the settings, which is not there yet."""
    folder = Path(environment["PHI_HOME"]) / "config"
    folder.mkdir(parents=True)
    return folder / "config.toml"


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variables and no settings of ``phi``, for tests that call its ``main``."""
    for name in [name for name in os.environ if name.startswith("PHI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PHI_HOME", str(tmp_path))
