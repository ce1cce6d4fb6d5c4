"""What the tests of downloads share: a hub with models, ``phi`` online with it, and looks into the cache."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from tests.support.hub import LoopbackHub
from tests.support.running import Phi

REPO = "bartowski/microsoft_Phi-4-mini-instruct-GGUF"
FILE = "microsoft_Phi-4-mini-instruct-Q4_K_M.gguf"


class Watcher:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.phases: list[str] = []
        self.steps: list[tuple[int, int, int]] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def phase(self, text: str) -> None:
        self.phases.append(text)

    def progress(self, done_bytes: int, total_bytes: int, resumed_from_bytes: int) -> None:
        self.steps.append((done_bytes, total_bytes, resumed_from_bytes))


@pytest.fixture
def online(phi: Phi, hub: LoopbackHub) -> Phi:
    """``phi`` with the loopback hub as its hub."""
    return functools.partial(phi, HF_HUB_OFFLINE="", **hub.environment)


@pytest.fixture
def folder(environment: dict[str, str]) -> Path:
    """The cache that ``phi`` uses in this test."""
    return Path(environment["HF_HOME"]) / "hub"


def final_files(folder: Path) -> dict[str, Path]:
    """Whatever is found under a final name in the cache: blobs by name, and files of snapshots by path."""
    found = {path.name: path for path in folder.glob("models--*/blobs/*") if not path.name.endswith(".incomplete")}
    return found | {str(path): path for path in folder.glob("models--*/snapshots/*/**/*") if path.is_file()}


def partial_files(folder: Path) -> list[Path]:
    """Partial downloads in the cache."""
    return sorted(folder.glob("models--*/blobs/*.incomplete"))
