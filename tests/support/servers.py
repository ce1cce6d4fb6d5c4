"""``phi serve`` as a process, and an HTTP client for it that hides nothing."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support import hurried, paced
from tests.support.processes import children

QUESTION: Mapping[str, Any] = {
    "model": "tiny-phi",
    "messages": [{"role": "user", "content": "What is the capital of France?"}],
    "temperature": 0,
}
"""The body of a request that tiny-phi answers with :data:`ANSWER`."""
ANSWER = "The capital of France is Paris."


@dataclass(frozen=True)
class Reply:
    """A whole reply; names of ``headers`` are in lower case."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> dict[str, Any]:
        """The error in OpenAI's shape, which must have all of its fields."""
        error = self.json["error"]
        assert error.keys() == {"message", "type", "param", "code"}, error
        return dict(error)


class Client:
    """Sends requests to one address: ``http://HOST:PORT`` or ``unix:PATH``. Each request has its own connection."""

    def __init__(self, address: str) -> None:
        self.address = address

    def connect(self, *, receive_bytes: int | None = None, timeout_s: float = 60) -> socket.socket:
        """A connection that nothing was written to; with ``receive_bytes`` it buffers about so little."""
        scheme, _, path = self.address.partition(":")
        if scheme == "unix":
            connected = socket.socket(socket.AF_UNIX)
            connected.settimeout(timeout_s)
            connected.connect(path)
            return connected
        parts = urlsplit(self.address)
        connected = socket.socket(socket.AF_INET6 if ":" in (parts.hostname or "") else socket.AF_INET)
        connected.settimeout(timeout_s)
        if receive_bytes is not None:  # before it connects: the window is agreed on then
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connected.connect((parts.hostname, parts.port))
        return connected

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """A request and its reply; ``body`` is bytes or what JSON can say, ``x_api_key`` means ``x-api-key``."""
        with closing(self._sent(method, path, body, headers)) as connection:
            return _reply(connection.getresponse())

    def get(self, path: str, **headers: str) -> Reply:
        return self.request("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Reply:
        return self.request("POST", path, body, **headers)

    def chat(self, body: Mapping[str, Any] = QUESTION, **more: Any) -> Reply:
        """A chat completion; ``more`` are fields of the body."""
        return self.post("/v1/chat/completions", {**body, **more})

    def send_chat(self, body: Mapping[str, Any] = QUESTION, **more: Any) -> http.client.HTTPConnection:
        """The connection over which a chat completion was asked for."""
        return self._sent("POST", "/v1/chat/completions", {**body, **more}, {})

    @staticmethod
    def body_of(body: Mapping[str, Any]) -> bytes:
        """The bytes of a body."""
        return json.dumps(body).encode()

    @contextmanager
    def stream(self, path: str, body: Any, **headers: str) -> Iterator[Iterator[str]]:
        """The lines of a streamed reply as they come, without their ends; the connection ends with the context."""
        with closing(self._sent("POST", path, body, headers)) as connection:
            response = connection.getresponse()
            assert response.status == 200, response.read()
            yield (line.decode().rstrip("\n") for line in response)

    @contextmanager
    def chat_stream(self, body: Mapping[str, Any] = QUESTION, **more: Any) -> Iterator[Iterator[Any]]:
        """The events of a streamed chat completion: objects, and last ``[DONE]``; comments are skipped."""
        with self.stream("/v1/chat/completions", {**body, "stream": True, **more}) as lines:
            yield events_in(lines)

    def _sent(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1")
        connection.sock = self.connect()
        data = json.dumps(body).encode() if body is not None and not isinstance(body, bytes) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, data, {"Content-Type": "application/json", **named})
        return connection


class Server(Client):
    """A running ``phi serve``."""

    def __init__(
        self, arguments: tuple[str, ...], environment: Mapping[str, str], log: Path, program: tuple[str, ...]
    ) -> None:
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *program, "serve", *arguments],
                env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        self._log = log
        self.first_line = self._first_line()
        super().__init__(self._address())

    @property
    def err(self) -> str:
        """Standard error, as far as it was written."""
        return self._log.read_text()

    @property
    def workers(self) -> list[int]:
        """The processes of its engines."""
        return children(self.process.pid)

    def metric(self, name: str) -> float:
        """A metric without labels."""
        lines = self.get("/metrics").text.splitlines()
        return float(next(line for line in lines if line.startswith(f"phi_{name} ")).split()[1])

    def send(self, number: int) -> None:
        """Send a signal; does not wait."""
        self.process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.send(number)
        return self.wait()

    def wait(self, timeout_s: float = 60) -> int:
        """The exit code; there must be no traceback."""
        code = self.process.wait(timeout_s)
        assert "Traceback" not in self.err, self.err
        return code

    def close(self) -> None:
        """End it, if it runs."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _first_line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode().rstrip("\n")
        assert line, f"no address; exit code {self.process.wait(60)}: {self.err}"
        return line

    def _address(self) -> str:
        if not self.first_line.startswith("{"):
            return self.first_line
        return str(json.loads(self.first_line)["data"]["address"])


Serve = Callable[..., Server]


@pytest.fixture
def serve(environment: dict[str, str], tmp_path: Path) -> Iterator[Serve]:
    """Call with arguments for ``phi serve``, and with variables, to start a server; it ends with the test.

    ``limits`` are other limits than the usual ones, by the fields of :class:`~phicli.server.http.limits.Limits`;
    ``token_ms`` is how long each token of an answer takes.
    """
    running: list[Server] = []

    def start(
        *arguments: str, limits: Mapping[str, float] | None = None, token_ms: float | None = None, **more: str
    ) -> Server:
        program: tuple[str, ...] = ("-m", "phicli")
        if limits:
            program = ("-P", hurried.__file__, json.dumps(limits))
        elif token_ms is not None:
            program = ("-P", paced.__file__, str(token_ms))
        port = () if any(word.startswith("--port") for word in arguments) else ("--port", "0")
        log = tmp_path / f"serve-{len(running)}.log"
        server = Server((*arguments, *port), environment | more, log, program)
        running.append(server)
        return server

    yield start
    for server in running:
        server.close()


@pytest.fixture
def server(serve: Serve) -> Server:
    """A server of all models, on a free port."""
    return serve()


def events_in(lines: Iterator[str]) -> Iterator[Any]:
    """What the ``data:`` lines say: objects, and ``[DONE]`` as text."""
    for line in lines:
        if line.startswith("data: "):
            data = line.removeprefix("data: ")
            yield data if data == "[DONE]" else json.loads(data)


def text_of(events: Iterator[Any]) -> str:
    """The content of the first choice in the chunks of a chat completion."""
    chunks = [event for event in events if event != "[DONE]"]
    return "".join(
        choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"] if choice["index"] == 0
    )


def _reply(response: http.client.HTTPResponse) -> Reply:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, headers, response.read().decode())
