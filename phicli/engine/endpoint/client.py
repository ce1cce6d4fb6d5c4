"""Asks an OpenAI-compatible endpoint: which models it has, and for a streamed answer."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from phicli.engine.endpoint.address import EXAMPLE, Address
from phicli.engine.endpoint.events import Delta, End, Reader
from phicli.engine.endpoint.failures import (
    EndpointError,
    clean,
    ends_in_v1,
    of_exception,
    of_status,
    said_in,
    silent,
)
from phicli.errors import UsageError
from phicli.network.certificates import use_certificates
from phicli.network.proxies import use_proxies

if TYPE_CHECKING:
    from ssl import SSLContext

    from httpx2 import Response, Timeout

_CONNECT_S: Final = 15.0
_KEEP_OPEN_S: Final = 2.0  # llama.cpp's server closes what is idle for 5 s
_MOST_BYTES: Final = 1 << 22
_MOST_SAID: Final = 1 << 16


class EndpointClient:
    """One endpoint; threads may share it. Connections are kept between requests, as other clients keep them.

    Proxies come from the environment (``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``), but not for an
    address on this machine. Redirects are not followed: the key is for this endpoint alone.

    Args:
        address: where it is.
        connections: how many requests at a time.

    Raises:
        UsageError: the address, or a proxy of the environment, makes no sense.
        NetworkError: a variable names certificates that cannot be used.
    """

    def __init__(self, address: Address, *, connections: int = 1) -> None:
        import httpx2

        self.address = address
        self.server = ""
        """What the endpoint calls itself in its answers; empty until the first."""
        headers = {"Accept-Encoding": "identity", "User-Agent": "phi-bench"}
        if address.authorization is not None:
            headers["Authorization"] = address.authorization
        try:
            httpx2.URL(address.base)
        except httpx2.InvalidURL as error:
            raise UsageError(f"{address.shown} is not the address of an endpoint", EXAMPLE) from error
        if not address.is_loopback:
            use_proxies()
        self._client = httpx2.Client(
            headers=headers,
            verify=_authorities(address),
            trust_env=not address.is_loopback,
            limits=httpx2.Limits(max_connections=connections, keepalive_expiry=_KEEP_OPEN_S),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def models(self, *, silence_s: float) -> tuple[str, ...]:
        """The names of the models that it lists, in its order.

        Raises:
            EndpointError: it cannot be reached, refuses, or sends no list.
        """
        with self._answer("GET", "/models", None, silence_s) as response:
            body = _most(response, _MOST_BYTES)
        try:
            listed = json.loads(body)["data"]
            names = tuple(
                one["id"] for one in listed if isinstance(one["id"], str) and one["id"] and one["id"].isprintable()
            )
        except (ValueError, LookupError, TypeError, RecursionError):
            url, said = self.address.shown, f": {text}" if (text := said_in(self.address, body)) else ""
            hint = f"check the address{ends_in_v1(self.address)}; or name the model: phi bench {url} MODEL"
            raise EndpointError("garbage", f"{url}/models did not return a list of models{said}", hint) from None
        return names

    def chat(self, body: Mapping[str, Any], *, silence_s: float, total_s: float) -> Iterator[Delta | End]:
        """Stream the answer to ``body``, a request for ``/chat/completions``; the last event is ``End``.

        Times are those of :func:`time.perf_counter`. Closing the iterator closes the connection.

        Args:
            body: the request; that it streams is added.
            silence_s: after so many seconds without a byte it counts as dead.
            total_s: after so many seconds it has taken too long.

        Raises:
            EndpointError: it failed.
        """
        until = time.monotonic() + total_s
        reader = Reader(self.address)
        with self._answer("POST", "/chat/completions", {**body, "stream": True}, silence_s) as response:
            for data in response.iter_raw():
                yield from reader.read(data, time.perf_counter())
                if reader.ended:
                    break
                if time.monotonic() > until:
                    message = f"{self.address.shown} did not finish within {total_s:.0f} s"
                    raise EndpointError("slow", message, silent(self.address, total_s).hint)
            yield from reader.last(time.perf_counter())
            yield reader.close()

    @contextlib.contextmanager
    def _answer(self, method: str, path: str, body: Mapping[str, Any] | None, silence_s: float) -> Iterator[Response]:
        """An answer of status 200 that is not compressed."""
        import httpx2

        timeout = _timeout(silence_s)
        url = self.address.url(path)
        try:
            with self._client.stream(method, url, json=body, timeout=timeout) as response:
                self.server = clean(self.address, response.headers.get("server", ""))[:80]
                if response.status_code != 200:
                    said = _most(response, _MOST_SAID)
                    raise of_status(self.address, response.status_code, response.headers, said)
                if response.headers.get("content-encoding", "identity") != "identity":
                    message = f"{self.address.shown} compresses its replies although phi asked for uncompressed ones"
                    raise EndpointError("garbage", message, "measure without the proxy that compresses them")
                yield response
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise of_exception(self.address, error, silence_s) from error


def _authorities(address: Address) -> SSLContext:
    """Whom to trust: those that the environment names, else the system's; nobody where nothing is encrypted."""
    import ssl

    import httpx2

    if not address.encrypted:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    use_certificates()
    return httpx2.create_ssl_context()


def _timeout(silence_s: float) -> Timeout:
    import httpx2

    return httpx2.Timeout(silence_s, connect=min(_CONNECT_S, silence_s), pool=None)


def _most(response: Response, most: int) -> bytes:
    """The body, or its first ``most`` bytes."""
    found = b""
    for data in response.iter_raw():
        found += data
        if len(found) >= most:
            break
    return found[:most]
