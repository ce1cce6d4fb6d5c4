"""Fetches one file into a partial file that survives whatever happens, and hashes it on the way."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from phicli.errors import NetworkError
from phicli.hub.download.failures import TransientError, UnreachableError
from phicli.hub.download.remote import Location
from phicli.hub.download.streams import Stream, can_use_xet, http_stream, xet_stream
from phicli.hub.types import Observer, RemoteFile, RemoteRepo
from phicli.units import format_bytes

_FAILURES: Final = 5
_XET_FAILURES: Final = 2
_MOVED_ON_BYTES: Final = 1 << 20
_READ_BYTES: Final = 1 << 20


class Digest(Protocol):
    """The part of a hash object that is used."""

    def update(self, data: bytes, /) -> None:
        """Add data."""

    def hexdigest(self) -> str:
        """The hash so far, in hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A complete partial file: ``digest`` is its etag as computed, ``sha256`` its hash."""

    digest: str
    sha256: str
    downloaded_bytes: int
    resumed_from_bytes: int


def fetch(
    repo: RemoteRepo, file: RemoteFile, location: Location, partial: Path, observer: Observer,
    report: Callable[[int, int], None], pause: Callable[[float], None] = time.sleep,
) -> Fetched:  # fmt: skip
    """Complete ``partial``, going on where an earlier attempt ended.

    Args:
        repo: the repository at a commit.
        file: the file of it.
        location: where it is read.
        partial: what is there already, maybe nothing; it grows and is never cut, so that a later attempt goes on.
        observer: told about retries.
        report: told the bytes on disk, and how many of them were there before.
        pause: waits, in seconds.

    Raises:
        NetworkError: the hub refused, or failed again and again.
        OSError: the disk is full or not writable.
    """
    partial.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(partial, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0) as target:  # noqa: PTH123
        growing = _Growing(target, file)
        resumed = growing.read_what_is_there(observer)
        report(growing.size, resumed)
        _complete(growing, repo, location, observer, lambda: report(growing.size, resumed), pause)
        observer.phase("writing to disk")
        os.fsync(target.fileno())
    return Fetched(growing.etag(), growing.sha256.hexdigest(), growing.size - resumed, resumed)


class _Growing:
    """A partial file and the hashes of what it holds."""

    def __init__(self, target: io.FileIO, file: RemoteFile) -> None:
        self.file = file
        self.size = 0
        self.sha256: Digest = hashlib.sha256()
        # Git names a small file by the SHA-1 of a header and the content.
        self._git = hashlib.sha1(b"blob %d\0" % file.size_bytes, usedforsecurity=False)
        self._target = target

    def read_what_is_there(self, observer: Observer) -> int:
        """Hash what an earlier attempt left, and return its size in bytes; a file that is too large is emptied."""
        there = os.fstat(self._target.fileno()).st_size
        if there > self.file.size_bytes:
            self._target.truncate(0)
            return 0
        if there:
            observer.phase("reading the part already downloaded")
        while chunk := self._target.read(_READ_BYTES):
            self._hash(chunk)
        return self.size

    def append(self, chunk: bytes) -> None:
        """Add ``chunk``; what is beyond the end of the file is dropped."""
        view = memoryview(chunk)[: self.file.size_bytes - self.size]
        rest = view
        while rest:
            rest = rest[self._target.write(rest) or 0 :]
        self._hash(view)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return self.size >= self.file.size_bytes

    def etag(self) -> str:
        """The name of the content as the hub would give it."""
        return self.sha256.hexdigest() if self.file.sha256 is not None else self._git.hexdigest()

    def _hash(self, data: bytes | memoryview) -> None:
        self.sha256.update(data)  # type: ignore[arg-type]
        if self.file.sha256 is None:
            self._git.update(data)
        self.size += len(data)


def _complete(
    growing: _Growing, repo: RemoteRepo, location: Location, observer: Observer,
    report: Callable[[], None], pause: Callable[[float], None],
) -> None:  # fmt: skip
    """Append until nothing is missing: other attempts after failures.

    Xet is given up after two failures of its own, and at once when nothing arrived: networks that let the hub through
    often block the addresses of its storage, and hf_xet tries for minutes without a word.
    """
    stream: Stream = xet_stream if can_use_xet(location) else http_stream
    failures = xet_failures = 0
    while not growing.is_complete:
        began = growing.size
        try:
            for chunk in stream(repo, growing.file, location, growing.size):
                growing.append(chunk)
                report()
                if growing.is_complete:
                    break
            else:
                raise TransientError("the connection ended early", "try again")
        except (TransientError, UnreachableError) as error:
            failures = 1 if growing.size - began >= _MOVED_ON_BYTES else failures + 1
            xet_failures += 1 if growing.size > began else _XET_FAILURES
            if stream is xet_stream and xet_failures >= _XET_FAILURES:
                stream = http_stream
                observer.notice(f"{error.message}; continuing over plain HTTP")
                continue
            if failures >= _FAILURES:
                raise NetworkError(f"{error.message}, {failures} times in a row", _kept(growing)) from error
            _wait(error, failures, observer, pause)


def _wait(error: NetworkError, failures: int, observer: Observer, pause: Callable[[float], None]) -> None:
    asked = error.wait_s if isinstance(error, TransientError) else None
    wait_s = 2.0 ** (failures - 1) if asked is None else asked
    observer.notice(f"{error.message}; trying again in {wait_s:.0f} s")
    pause(wait_s)


def _kept(growing: _Growing) -> str:
    if not growing.size:
        return "check the network, then run the command again"
    return f"{format_bytes(growing.size)} are saved; run the command again to continue"
