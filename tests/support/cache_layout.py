"""Builds Hugging Face caches, and photographs folders to see what changed."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from tests.support.files import TINY_PHI, sha256

OLD, NEW, OTHER = "1" * 40, "2" * 40, "3" * 40


@dataclass(frozen=True)
class Repo:
    """A repository in the cache ``cache``; ``kind`` is ``models`` or ``datasets``."""

    cache: Path
    name: str
    kind: str = "models"

    @property
    def root(self) -> Path:
        return self.cache / f"{self.kind}--{self.name.replace('/', '--')}"

    def blob(self, content: bytes, etag: str | None = None) -> Path:
        path = self.root / "blobs" / (etag or sha256(content))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def link(self, commit: str, filename: str, target: Path) -> Path:
        path = self.root / "snapshots" / commit / filename
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(os.path.relpath(target, path.parent))
        return path

    def put(self, commit: str, filename: str, content: bytes, etag: str | None = None) -> Path:
        """A file of a snapshot and its blob."""
        return self.link(commit, filename, self.blob(content, etag))

    def ref(self, commit: str, name: str = "main") -> None:
        path = self.root / "refs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(commit)

    def partial(self, name: str, size_bytes: int = 10, *, age_s: float = 0.0) -> Path:
        path = self.blob(bytes(size_bytes), f"{name}.incomplete")
        stamp = path.stat().st_mtime - age_s
        os.utime(path, (stamp, stamp))
        return path

    def shared_blob(self, content: bytes, xet_hash: str) -> Path:
        """A blob that huggingface_hub itself has moved into the store that repositories share."""
        from huggingface_hub.utils import _shared_blobs

        blob = self.blob(content)
        assert _shared_blobs.publish_blob_to_shared_store(
            blob_path=str(blob), xet_hash=xet_hash, cache_dir=self.cache, expected_size=len(content)
        )
        assert blob.is_symlink()
        return blob


def put_in_cache(cache: Path, repo: str, filename: str, content: bytes | None = None) -> Path:
    """``filename`` as the main revision ``NEW`` of ``repo``; by default a copy of tiny-phi."""
    Repo(cache, repo).ref(NEW)
    return Repo(cache, repo).put(NEW, filename, TINY_PHI.read_bytes() if content is None else content)


def photograph(folder: Path, *, folders: bool = True) -> dict[str, tuple[str, str | bytes]]:
    """Everything below ``folder``, its folders too unless told otherwise: kind and content by name."""
    found: dict[str, tuple[str, str | bytes]] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))  # noqa: PTH115 - as it is written
        elif path.is_dir():
            if folders:
                found[name] = ("folder", "")
        else:
            found[name] = ("file", path.read_bytes())
    return found


def problems_of_hub(cache: Path) -> list[str]:
    """What huggingface_hub has to say against the cache."""
    from huggingface_hub import scan_cache_dir

    return [str(warning) for warning in scan_cache_dir(cache).warnings]


def register_by_hand(home: Path, name: str, path: Path, size_bytes: int) -> None:
    """The record of a registered model, in the home ``PHI_HOME``."""
    record = {
        "name": name, "path": str(path), "variant_id": None, "quant": None, "size_bytes": size_bytes,
        "mtime_ns": 0, "sha256": None, "origin": "import",
    }  # fmt: skip
    (home / "data" / "models").mkdir(parents=True, exist_ok=True)
    (home / "data" / "models" / f"{name}.json").write_text(json.dumps(record))
