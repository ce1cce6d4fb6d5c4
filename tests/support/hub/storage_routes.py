"""The storage behind the hub: signed downloads, and the Xet content store."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from .content import Content, Reply, Segment, ranged_reply, text_reply
from .hub_routes import json_reply
from .log import RecordedRequest

CHUNK = 128 * 1024
CHUNK_HEADER = 8
CHUNKS_PER_XORB = 64 * 1024 * 1024 // (CHUNK + CHUNK_HEADER)
XORB = CHUNK * CHUNKS_PER_XORB


class Storage:
    """Everything that has been signed for, by the path it is served under."""

    def __init__(self) -> None:
        self.link_lifetime = 3600.0
        self.xet_token = f"xet_{secrets.token_hex(8)}"
        self._secret = secrets.token_bytes(16)
        self._lock = threading.Lock()
        self._served: dict[str, tuple[Callable[[], list[Segment]], str]] = {}

    def sign(self, base: str, content: Content) -> str:
        """Return an address of a whole file that is good for a while."""
        name = quote(PurePosixPath(content.path).name)
        path = f"/repos/{content.sha256}/{name}"
        return base + self._signed(path, lambda: [Segment(content.source, 0, content.size)], content.sha256)

    def sign_xorb(self, base: str, xorb: Xorb) -> str:
        """Return an address of a part of a file in Xet storage that is good for a while."""
        return base + self._signed(f"/xorbs/default/{xorb.hash}", xorb.segments, xorb.hash)

    def serve(self, request: RecordedRequest) -> Reply:
        """Answer a request to the CDN."""
        if request.authorization is not None:
            # The real storage takes the signature or a header, never both: a token that leaks is noticed.
            error = "<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>"
            return text_reply(400, error, "application/xml")
        route, asked = request.route, request.query
        with self._lock:
            served = self._served.get(route)
        expires = asked.get("Expires", "0")
        signed = hmac.compare_digest(asked.get("Signature", ""), self._signature(route, expires))
        if served is None or not signed or float(expires) < time.time():
            return text_reply(403, "<Error><Code>AccessDenied</Code></Error>", "application/xml")
        body, etag = served
        headers = {"Content-Type": "application/octet-stream", "ETag": f'"{etag}"'}
        if route.startswith("/repos/"):
            headers["Content-Disposition"] = f'inline; filename="{route.rsplit("/", 1)[1]}";'
        return ranged_reply(body(), request.headers, headers)

    def _signed(self, path: str, body: Callable[[], list[Segment]], etag: str) -> str:
        with self._lock:
            self._served[path] = (body, etag)
        expires = f"{time.time() + self.link_lifetime:.3f}"
        return f"{path}?Expires={expires}&Signature={self._signature(path, expires)}"

    def _signature(self, path: str, expires: str) -> str:
        return hmac.new(self._secret, f"{path} {expires}".encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Xorb:
    """A stretch of a file in Xet storage: up to 64 MiB of uncompressed chunks, each with a header."""

    content: Content
    index: int

    @property
    def hash(self) -> str:
        """The name of the xorb."""
        return hashlib.sha256(f"{self.content.xet_hash} {self.index}".encode()).hexdigest()

    @property
    def start(self) -> int:
        """Where the stretch begins in the file."""
        return self.index * XORB

    @property
    def length(self) -> int:
        """How much of the file it holds."""
        return min(XORB, self.content.size - self.start)

    def segments(self) -> list[Segment]:
        """Return the serialized xorb."""
        body = []
        for position in range(0, self.length, CHUNK):
            size = min(CHUNK, self.length - position)
            three = size.to_bytes(3, "little")
            body += [
                Segment(b"\0" + three + b"\0" + three, 0, CHUNK_HEADER),
                Segment(self.content.source, self.start + position, size),
            ]
        return body


def xorbs(content: Content) -> Iterator[Xorb]:
    """Return the xorbs a file consists of."""
    return (Xorb(content, index) for index in range(-(-content.size // XORB)))


class CasRoutes:
    """The Xet server that tells which stretches of storage a file is made of."""

    def __init__(self, storage: Storage, find: Callable[[str], Content | None], cdn_url: Callable[[], str]) -> None:
        self._storage = storage
        self._find = find
        self._cdn_url = cdn_url

    def __call__(self, request: RecordedRequest) -> Reply:
        """Answer one request."""
        if request.authorization != f"Bearer {self._storage.xet_token}":
            return text_reply(401, "invalid token")
        match request.route.strip("/").split("/"):
            case ["v1", "reconstructions", name]:
                content = self._find(name)
                return text_reply(404, "no such file") if content is None else self._reconstruction(request, content)
            case ["v1", "telemetry"]:
                return json_reply({})
        # Clients ask version 2 first, and go back to version 1 where it is not known.
        return text_reply(404, "unknown route")

    def _reconstruction(self, request: RecordedRequest, content: Content) -> Reply:
        whole = ranged_reply([Segment(content.source, 0, content.size)], request.headers, {})
        if whole.status == 416:
            return text_reply(416, "range not satisfiable")
        start, end = whole.offset, whole.offset + whole.length
        terms: list[dict[str, Any]] = []
        fetches: dict[str, list[dict[str, Any]]] = {}
        offset = None
        for xorb in xorbs(content):
            low, high = max(start, xorb.start) - xorb.start, min(end, xorb.start + xorb.length) - xorb.start
            if low >= high:
                continue
            first, last = low // CHUNK, -(-high // CHUNK)
            chunks = {"start": first, "end": last}
            size = min(last * CHUNK, xorb.length) - first * CHUNK
            terms.append({"hash": xorb.hash, "unpacked_length": size, "range": chunks})
            first_byte = first * (CHUNK + CHUNK_HEADER)
            bytes_ = {"start": first_byte, "end": first_byte + size + (last - first) * CHUNK_HEADER - 1}
            url = self._storage.sign_xorb(self._cdn_url(), xorb)
            fetches[xorb.hash] = [{"range": chunks, "url": url, "url_range": bytes_}]
            offset = low - first * CHUNK if offset is None else offset
        return json_reply({"offset_into_first_range": offset or 0, "terms": terms, "fetch_info": fetches})
