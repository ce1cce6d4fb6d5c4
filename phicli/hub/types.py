"""What a repository on the hub has, as plain data, and who is told how work on files goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a repository.

    ``size_bytes`` and ``sha256`` (64 hexadecimal digits) are the hub's own; a small file kept in Git has no hash.
    ``etag`` is the name of its blob in the cache: the hash of a large file, Git's object id of a small one. Without
    ``can_verify`` it is neither, but whatever a mirror calls the content.
    """

    name: str
    size_bytes: int
    etag: str
    sha256: str | None = None
    can_verify: bool = True


@dataclass(frozen=True, slots=True)
class RemoteRepo:
    """A repository at one commit: ``revision`` is what was asked for (a branch, tag or commit), ``files`` are all."""

    repo: str
    revision: str
    commit: str
    license: str | None
    gated: bool
    files: tuple[RemoteFile, ...]


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """One model of a repository: ``files`` are its parts in order, mostly a single one.

    ``quant`` is in capitals, None if the name of the file does not contain it.
    """

    repo: RemoteRepo
    quant: str | None
    files: tuple[RemoteFile, ...]

    @property
    def name(self) -> str:
        """The file that is opened: of a split model the first part."""
        return self.files[0].name

    @property
    def size_bytes(self) -> int:
        """All parts together."""
        return sum(file.size_bytes for file in self.files)


class Observer(Protocol):
    """Receives the progress of a download."""

    def notice(self, text: str) -> None:
        """Something a person may want to know: a retry, a wait."""

    def phase(self, text: str) -> None:
        """What is happening now, while no bytes arrive."""

    def progress(self, done_bytes: int, total_bytes: int, resumed_from_bytes: int) -> None:
        """How much is on disk, of how much, and how much of it was there before; never less than said before."""


Progress = Callable[[str, int, int], None]
"""Called with what is being done, the bytes done and the bytes to do."""


def silent(what: str, done_bytes: int, total_bytes: int) -> None:
    """A progress that is not shown."""
