"""Connections to remotes: kept, dropped, shared, through a proxy, compressed."""

from __future__ import annotations

import gzip
import socket
import threading
from dataclasses import replace
from typing import Any

import pytest

from phicli.answering.types import Answer
from phicli.engine.endpoint.failures import EndpointError
from tests.support.endpoint import Behaviour, Endpoint
from tests.support.remotes import answer_of, chunk, events_of, failure_of, raw, remote_model


def test_a_connection_that_was_closed_meanwhile_is_opened_again() -> None:
    """As servers close what is idle: just when the next request is on its way."""
    with DroppingServer() as server, remote_model(server.url) as model:
        assert [answer_of(model).text for _ in range(3)] == ["Hi"] * 3
        assert server.dropped == 2


def test_threads_share_a_model() -> None:
    together = threading.Barrier(6)

    def behave(_: int) -> Behaviour:
        together.wait(60)
        return Behaviour()

    with Endpoint(behave) as endpoint, remote_model(endpoint.url, connections=2) as model:
        answers: list[Answer] = []
        threads = [threading.Thread(target=lambda: answers.append(answer_of(model))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert [answer.text for answer in answers] == ["one two three four"] * 6
    assert endpoint.most_at_once == 6


def test_a_proxy_of_the_environment_is_used_but_not_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with Endpoint() as endpoint, Endpoint() as proxy:
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        with remote_model(endpoint.url) as model:
            answer_of(model)
        assert proxy.asked == []
        with remote_model("http://lab.test/v1") as model, pytest.raises(EndpointError):
            events_of(model)
        assert proxy.asked[0].path.startswith("http://lab.test/v1")


class DroppingServer:
    """Answers one request on each connection, waits for the next one, and closes without an answer."""

    def __init__(self) -> None:
        self.dropped = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"

    def __enter__(self) -> DroppingServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts; to close it does not
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        body = raw(chunk({"content": "Hi"}, "stop")).raw or b""
        reply = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        while True:
            try:
                connected, _ = self._socket.accept()
            except OSError:
                return
            with connected:
                if self._request(connected):
                    connected.sendall(reply)
                    self.dropped += self._request(connected)

    def _request(self, connected: Any) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connected.recv(65536)
            if not piece:
                return False
            data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        length = int(
            next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")).split()[1]
        )
        while len(rest) < length:
            rest += connected.recv(65536)
        return True


def test_compressed_replies_are_read() -> None:
    stream = raw(chunk({"content": "Hi"}, "stop")).raw
    assert stream is not None
    how = Behaviour(raw=gzip.compress(stream), headers={"Content-Encoding": "gzip"})
    with Endpoint(lambda _: how) as endpoint, remote_model(endpoint.url) as model:
        assert answer_of(model).text == "Hi"
        assert endpoint.chats[0].headers["accept-encoding"] == "identity"
    assert failure_of(replace(how, raw=b"no gzip")).kind == "garbage"
