"""One file of a hub on the loopback interface, fetched into one partial file."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.hub.download.remote import list_repo, locate_file
from phicli.hub.download.transfer import Fetched, fetch
from phicli.hub.types import RemoteFile, RemoteRepo
from tests.support.hub import LoopbackHub
from tests.support.pulling import Watcher

REPO = "some/models"
DATA = bytes(range(256)) * 12_000  # 3 MB


class Download:
    """A file on a hub, and attempts to fetch it into one partial file."""

    def __init__(self, hub: LoopbackHub, partial: Path, *, xet: bool = False) -> None:
        self.repo = hub.add_repo(REPO, {"m.gguf": DATA, "README.md": b"small"}, xet=xet)
        self.partial = partial
        self.pauses: list[float] = []
        self.watcher = Watcher()
        self.listing: RemoteRepo = list_repo(REPO)

    def file(self, name: str = "m.gguf") -> RemoteFile:
        return next(file for file in self.listing.files if file.name == name)

    def run(self, name: str = "m.gguf") -> Fetched:
        location = locate_file(self.listing, name)
        return fetch(
            self.listing, self.file(name), location, self.partial, self.watcher,
            lambda done, resumed: self.watcher.progress(done, len(DATA), resumed), self.pauses.append,
        )  # fmt: skip


@pytest.fixture
def download(hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Download:
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "1")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return Download(hub, tmp_path / "blobs" / "m.phi.incomplete")
