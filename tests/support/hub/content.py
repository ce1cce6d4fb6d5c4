"""The bytes a loopback hub serves, and the ranges of them that a client asks for."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

Source = bytes | Path

LFS_SUFFIXES = frozenset({".bin", ".gguf", ".h5", ".model", ".msgpack", ".onnx", ".pt", ".pth", ".safetensors", ".zip"})
LFS_SIZE = 10 * 1024 * 1024
BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of bytes inside a source."""

    source: Source
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to a request: a status, headers and the bytes that follow them.

    ``offset`` is the position of the first byte sent inside the whole resource, which is not 0 for a range.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Sequence[Segment] = ()
    offset: int = 0

    @property
    def length(self) -> int:
        """How many bytes the body has."""
        return sum(segment.length for segment in self.body)


class Content:
    """One version of one file: bytes in memory or a file on disk.

    ``sha256`` and ``size`` are what is true; ``told_sha256`` and ``told_size`` what the hub says about it.
    """

    def __init__(self, path: str, source: Source, *, xet: bool = False) -> None:
        self.path = path
        self.source = source
        self.size = len(source) if isinstance(source, bytes) else source.stat().st_size
        self.lfs = PurePosixPath(path).suffix in LFS_SUFFIXES or self.size >= LFS_SIZE
        self.xet = xet and self.lfs
        self.lie_sha256: str | None = None
        self.lie_size: int | None = None

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the content, in hex."""
        return self._digest(hashlib.sha256())

    @cached_property
    def oid(self) -> str:
        """The git object id of what git holds: the file itself, or its LFS pointer."""
        if self.lfs:
            return hashlib.sha1(b"blob %d\0" % len(self.pointer) + self.pointer, usedforsecurity=False).hexdigest()
        return self._digest(hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False))

    @property
    def pointer(self) -> bytes:
        """The text of the LFS pointer file."""
        head = "version https://git-lfs.github.com/spec/v1"
        return f"{head}\noid sha256:{self.told_sha256}\nsize {self.told_size}\n".encode()

    @property
    def xet_hash(self) -> str:
        """The name of the file in Xet storage (any 64 hex digits will do, clients cannot check it)."""
        return hashlib.sha256(b"xet" + self.sha256.encode()).hexdigest()

    @property
    def told_sha256(self) -> str:
        """The SHA-256 the hub advertises."""
        return self.lie_sha256 or self.sha256

    @property
    def told_size(self) -> int:
        """The size the hub advertises."""
        return self.size if self.lie_size is None else self.lie_size

    @property
    def media_type(self) -> str:
        """The Content-Type the hub serves it with: text files of all kinds are plain text."""
        if self.lfs:
            return mimetypes.guess_type(self.path)[0] or "application/octet-stream"
        return "text/plain; charset=utf-8"

    def _digest(self, digest: hashlib._Hash) -> str:
        if isinstance(self.source, bytes):
            digest.update(self.source)
            return digest.hexdigest()
        with self.source.open("rb", buffering=0) as file:
            while block := file.read(BLOCK):
                digest.update(block)
        return digest.hexdigest()


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Read ``bytes=N-``, ``bytes=N-M`` or ``bytes=-N`` as start and end (exclusive) within ``size`` bytes.

    None where there is no range to honour; ``start >= end`` where the range lies beyond the end.
    """
    if header is None or not header.startswith("bytes=") or "," in header:
        return None
    first, _, last = header.removeprefix("bytes=").partition("-")
    try:
        if not first:
            return max(0, size - int(last)), size
        return int(first), min(size, int(last) + 1) if last else size
    except ValueError:
        return None


def text_reply(status: int, text: str, media_type: str = "text/plain; charset=utf-8", **headers: str) -> Reply:
    """Answer with a text; header names are given with ``_`` for ``-``."""
    body = text.encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"Content-Type": media_type, **named}, [Segment(body, 0, len(body))])


def ranged_reply(body: Sequence[Segment], asked: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
    """Serve ``body``, or the range of it that the request headers ask for (206, or 416 beyond the end)."""
    size = sum(segment.length for segment in body)
    wanted = parse_range(asked.get("range"), size)
    if "if-range" in asked and asked["if-range"] != headers.get("ETag"):
        wanted = None
    headers = {"Accept-Ranges": "bytes", **headers}
    if wanted is None:
        return Reply(200, headers, body)
    start, end = wanted
    if start >= end:
        return Reply(416, {**headers, "Content-Range": f"bytes */{size}"})
    return Reply(206, {**headers, "Content-Range": f"bytes {start}-{end - 1}/{size}"}, cut(body, start, end), start)


def cut(body: Sequence[Segment], start: int, end: int) -> list[Segment]:
    """Take the bytes from ``start`` to ``end`` (exclusive) of a run of segments."""
    taken, position = [], 0
    for segment in body:
        low, high = max(start, position), min(end, position + segment.length)
        if low < high:
            taken.append(Segment(segment.source, segment.start + low - position, high - low))
        position += segment.length
    return taken
