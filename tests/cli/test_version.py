"""``phi --version``: two lines, and no engine is started or loaded for them."""

from __future__ import annotations

import importlib.metadata
import importlib.util

import pytest

import phicli
from phicli.app import main
from tests.support.running import Phi


def test_phi_and_its_engine(phi: Phi) -> None:
    done = phi("--version")
    assert done.code == 0
    assert done.out == f"phi {phicli.__version__}\nengine: xllamacpp {importlib.metadata.version('xllamacpp')}\n"


def test_without_the_engine(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def missing(_: str) -> str:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "version", missing)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"phi {phicli.__version__}\nengine: xllamacpp (not installed)\n"
