"""A home and a cache of its own for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.archived import pack_model, put_model


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``PHI_HOME``."""
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    return tmp_path / "phi"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The folder of a Hugging Face cache that is not there yet."""
    return tmp_path / "hub"


@pytest.fixture
def cached(tmp_path: Path) -> Path:
    """A model in another cache."""
    return put_model(tmp_path / "hf")


@pytest.fixture
def packed(cached: Path, tmp_path: Path) -> Path:
    """The archive of that model."""
    return pack_model(cached, tmp_path / "phi.tar")
