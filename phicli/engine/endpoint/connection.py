"""One connection to an endpoint, which any thread can cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, Final

from phicli.engine.endpoint.address import Address

if TYPE_CHECKING:
    from httpx2 import Response, Timeout

_END_S: Final = 0.2
_MOST_PIECES: Final = 16
_KEEP_OPEN_S: Final = 2.0  # llama.cpp's server closes what is idle for 5 s


class Connection:
    """A client with one connection; one thread at a time uses it, and any thread can cut it.

    The HTTP library has no way to end a request that waits in another thread, and closing a socket does not wake up
    who reads from it. So the socket is noted when the library makes it, and shut down.

    Args:
        address: where it leads.
        headers: of every request.
        verify: whom to trust.
    """

    def __init__(self, address: Address, headers: Mapping[str, str], verify: SSLContext) -> None:
        import httpx2

        self._client = httpx2.Client(
            headers=dict(headers),
            verify=verify,
            trust_env=not address.is_loopback,
            limits=httpx2.Limits(max_connections=1, keepalive_expiry=_KEEP_OPEN_S),
        )
        self._socket: socket.socket | None = None
        self.is_cut = False
        """Whether it was cut, so that it is of no more use."""
        self.is_fresh = True
        """Whether the last request was the first one on its connection."""

    def send(self, method: str, url: str, body: Mapping[str, Any] | None, timeout: Timeout) -> Response:
        """Send a request; returns when the headers of the answer are there. The answer has to be closed."""
        self.is_fresh = False
        extensions = {"trace": self._note}
        request = self._client.build_request(method, url, json=body, timeout=timeout, extensions=extensions)
        return self._client.send(request, stream=True)

    def cut(self) -> None:
        """End what is under way, from any thread; the connection is not of use afterwards."""
        self.is_cut = True
        self._shut_down()

    def read_out(self, pieces: Iterator[bytes]) -> None:
        """Read the rest of a body of which nothing more is expected, so that the connection can be used again.

        An endpoint that does not end it soon loses the connection.
        """
        import httpx2

        timer = threading.Timer(_END_S, self.cut)
        timer.start()
        try:
            for _ in zip(range(_MOST_PIECES), pieces, strict=False):
                pass
        except httpx2.HTTPError:
            self.is_cut = True
        finally:
            timer.cancel()

    def close(self) -> None:
        """Let go of it, in the thread that used it last."""
        self._client.close()

    def _note(self, event: str, info: Mapping[str, Any]) -> None:
        """What the library reports: among it, each new socket, and the same one again when it is encrypted."""
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self.is_fresh = True
            self._socket = info["return_value"].get_extra_info("socket")
            if self.is_cut:
                self._shut_down()

    def _shut_down(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # SSLSocket's own method would take the encryption from the reader
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
