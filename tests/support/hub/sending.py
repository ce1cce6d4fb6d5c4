"""The body of an answer, in pieces: straight from the file where all is well, altered where a fault says so."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Self

from .content import Reply, Segment
from .faults import Fault

_SLICE = 16 * 1024 * 1024
_ALTERED_SLICE = 64 * 1024
_PACES = 20


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a body: bytes, or a place in an open file."""

    data: memoryview | BinaryIO
    start: int
    length: int

    def send(self, connection: socket.socket) -> None:
        """Send it all."""
        if isinstance(self.data, memoryview):
            connection.sendall(self.data[self.start : self.start + self.length])
        else:
            connection.sendfile(self.data, self.start, self.length)


class BodyReader:
    """The pieces of a body up to where the fault ends it; files are open while it is entered."""

    def __init__(self, reply: Reply, fault: Fault) -> None:
        marks = [mark for mark in (fault.cut_after, fault.stall_after) if mark is not None]
        self._reply = reply
        self._end = min([reply.length, *marks])
        self._mark = fault.action_after if fault.action is not None else 0
        self._flips = fault.flip_at
        self._limit = _SLICE
        if fault.flip_at:
            self._limit = _ALTERED_SLICE
        if fault.bytes_per_second is not None:
            self._limit = max(1, min(_ALTERED_SLICE, fault.bytes_per_second // _PACES))
        self._stack = ExitStack()
        self._files: dict[object, BinaryIO] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[Piece]:
        position = 0
        for segment in self._reply.body:
            done = 0
            while done < segment.length and position < self._end:
                length = min(self._limit, segment.length - done, self._end - position)
                if position < self._mark:
                    length = min(length, self._mark - position)
                yield self._piece(Segment(segment.source, segment.start + done, length), position)
                done += length
                position += length

    def _piece(self, segment: Segment, position: int) -> Piece:
        if self._flips:
            data = bytearray(self._read(segment))
            offset = self._reply.offset + position
            for flip in self._flips:
                if 0 <= flip - offset < len(data):
                    data[flip - offset] ^= 0xFF
            return Piece(memoryview(data), 0, len(data))
        if isinstance(segment.source, bytes):
            return Piece(memoryview(segment.source), segment.start, segment.length)
        return Piece(self._open(segment), segment.start, segment.length)

    def _open(self, segment: Segment) -> BinaryIO:
        source = segment.source
        if source not in self._files and not isinstance(source, bytes):
            self._files[source] = self._stack.enter_context(source.open("rb"))
        return self._files[source]

    def _read(self, segment: Segment) -> bytes:
        if isinstance(segment.source, bytes):
            return segment.source[segment.start : segment.start + segment.length]
        file = self._open(segment)
        file.seek(segment.start)
        return file.read(segment.length)
