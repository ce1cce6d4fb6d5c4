"""A home of their own for tests of remotes."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of ``phi``, with nothing in it; no key is set."""
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "")
    for name in ("PHI_API_KEY", "OPENAI_API_KEY", "LAB_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "phi"


@pytest.fixture
def file(home: Path) -> Path:
    """The file of the remotes, which is not there yet."""
    (home / "config").mkdir(parents=True)
    return home / "config" / "remotes.toml"
