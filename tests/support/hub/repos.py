"""The repositories of a loopback hub: commits, branches and what the API says about them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from .content import Content, Source

Gated = Literal[False, "auto", "manual"]

_DATE = "2025-01-01T00:00:00.000Z"


class Repo:
    """A model repository with a history: every commit stays available by its id."""

    def __init__(
        self,
        name: str,
        files: Mapping[str, Source],
        *,
        license_name: str | None,
        gated: Gated,
        private: bool,
        tags: Sequence[str],
        xet: bool,
        info: Mapping[str, Any],
    ) -> None:
        self.name = name
        self.license = license_name
        self.gated: Gated = gated
        self.private = private
        self.tags = list(tags)
        self.info = dict(info)
        self._xet = xet
        self._lock = threading.Lock()
        self._commits: dict[str, dict[str, Content]] = {}
        self._branches: dict[str, str] = {}
        self._tags: dict[str, str] = {}
        self._record({path: self._content(path, source) for path, source in files.items()})

    @property
    def commit(self) -> str:
        """The commit the branch main is at."""
        return self._branches["main"]

    def update(self, files: Mapping[str, Source | None]) -> str:
        """Move main to a new commit with these files added or replaced (None: removed); return its id."""
        changed = {path: self._content(path, source) for path, source in files.items() if source is not None}
        kept = {path: content for path, content in self.files(self.commit).items() if path not in files}
        return self._record(kept | changed)

    def add_branch(self, name: str, commit: str | None = None) -> None:
        """Create a branch, at the commit main is at unless told otherwise."""
        self._branches[name] = commit or self.commit

    def add_tag(self, name: str, commit: str | None = None) -> None:
        """Create a tag, at the commit main is at unless told otherwise."""
        self._tags[name] = commit or self.commit

    def advertise(self, path: str, *, sha256: str | None = None, size: int | None = None) -> None:
        """Make the hub lie about a file of the current commit, in the API and in the headers alike."""
        content = self.files(self.commit)[path]
        content.lie_sha256, content.lie_size = sha256, size
        content.__dict__.pop("oid", None)

    def files(self, commit: str) -> dict[str, Content]:
        """Return the files of a commit."""
        return self._commits[commit]

    def all_files(self) -> list[Content]:
        """Return every version of every file."""
        with self._lock:
            return [content for files in self._commits.values() for content in files.values()]

    def find(self, revision: str) -> str | None:
        """Return the commit that a branch, a tag or a commit id names."""
        with self._lock:
            named = self._branches.get(revision) or self._tags.get(revision) or revision
            return named if named in self._commits else None

    def refs_json(self) -> dict[str, Any]:
        """What ``/refs`` answers."""
        kinds = (("branches", "heads", self._branches), ("tags", "tags", self._tags))
        return {"converts": []} | {
            kind: [{"name": name, "ref": f"refs/{folder}/{name}", "targetCommit": at} for name, at in refs.items()]
            for kind, folder, refs in kinds
        }

    def info_json(self, commit: str, *, blobs: bool) -> dict[str, Any]:
        """What the model endpoint answers."""
        card = {} if self.license is None else {"license": self.license}
        files = sorted(self.files(commit).values(), key=lambda content: content.path)
        return {
            "_id": hashlib.sha256(self.name.encode()).hexdigest()[:24],
            "id": self.name,
            "modelId": self.name,
            "author": self.name.split("/")[0],
            "sha": commit,
            "createdAt": _DATE,
            "lastModified": _DATE,
            "private": self.private,
            "gated": self.gated,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [*self.tags, *(f"license:{name}" for name in card.values())],
            "cardData": card,
            "siblings": [sibling_json(content) if blobs else {"rfilename": content.path} for content in files],
            **self.info,
        }

    def tree_json(self, commit: str, folder: str, *, recursive: bool) -> list[dict[str, Any]] | None:
        """What the tree endpoint answers for a folder (empty: the root); None where there is no such folder."""
        prefix = f"{folder}/" if folder else ""
        entries: dict[str, dict[str, Any]] = {}
        for path, content in sorted(self.files(commit).items()):
            if not path.startswith(prefix):
                continue
            parents = path.removeprefix(prefix).split("/")[:-1]
            for depth in range(len(parents) if recursive else min(1, len(parents))):
                name = prefix + "/".join(parents[: depth + 1])
                oid = hashlib.sha1(f"{commit}{name}".encode(), usedforsecurity=False).hexdigest()
                entries[name] = {"type": "directory", "oid": oid, "size": 0, "path": name}
            if recursive or not parents:
                entries[path] = entry_json(content)
        return list(entries.values()) if entries or not folder else None

    def _content(self, path: str, source: Source) -> Content:
        return Content(path, source, xet=self._xet)

    def _record(self, files: dict[str, Content]) -> str:
        with self._lock:
            seed = f"{self.name} {len(self._commits)} {sorted(files)}".encode()
            commit = hashlib.sha1(seed, usedforsecurity=False).hexdigest()
            self._commits[commit] = files
            self._branches["main"] = commit
            return commit


def sibling_json(content: Content) -> dict[str, Any]:
    """Describe a file as the model endpoint does with ``blobs=true``."""
    told: dict[str, Any] = {"rfilename": content.path, "blobId": content.oid, "size": content.told_size}
    if content.lfs:
        size = content.told_size
        told["lfs"] = {"sha256": content.told_sha256, "size": size, "pointerSize": len(content.pointer)}
    return told


def entry_json(content: Content) -> dict[str, Any]:
    """Describe a file as the tree endpoint does."""
    told: dict[str, Any] = {"type": "file", "oid": content.oid, "size": content.told_size, "path": content.path}
    if content.lfs:
        size = content.told_size
        told["lfs"] = {"oid": content.told_sha256, "size": size, "pointerSize": len(content.pointer)}
    if content.xet:
        told["xetHash"] = content.xet_hash
    return told
