"""A server of this user in a process: it answers OpenAI clients and lends engines, on its Unix socket only."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from phicli.supervisor.client import UnixConnection

_PROGRAM = """
import contextlib, json, socket, sys
import uvicorn
import phicli
from phicli.server.http.app import make_app
from phicli.server.http.lending import lending_routes
from phicli.server.models import Models
from phicli.server.types import LoadOptions
from phicli.supervisor.place import place

path = place().socket
path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
path.unlink(missing_ok=True)
listening = socket.socket(socket.AF_UNIX)
listening.bind(str(path))
listening.listen()
with contextlib.closing(Models(LoadOptions(**json.loads(sys.argv[1])))) as models:
    app = make_app(models)
    app.router.routes.extend(lending_routes(models, phicli.__version__))
    print(path, flush=True)
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run(sockets=[listening])
"""


class LendingServer:
    """A running server; ``options`` are fields of :class:`~phicli.server.types.LoadOptions`."""

    def __init__(self, environment: dict[str, str], log: Path, **options: Any) -> None:
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, json.dumps(options)],
                env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode().strip()
        assert line, log.read_text()
        self.socket = Path(line)

    def ask(self, question: str, **more: Any) -> str:
        """The answer to one question over HTTP."""
        body = {"messages": [{"role": "user", "content": question}], "temperature": 0, **more}
        connection = UnixConnection(self.socket, 60)
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        data = json.loads(connection.getresponse().read())
        connection.close()
        return str(data["choices"][0]["message"]["content"])

    @contextmanager
    def busy(self, model: str, question: str) -> Iterator[None]:
        """Within the context somebody else asks the same question again and again."""
        over = threading.Event()

        def ask() -> None:
            while not over.is_set():
                self.ask(question, model=model, max_tokens=64)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @property
    def engines(self) -> list[psutil.Process]:
        """The processes of its engines."""
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if child.status() != psutil.STATUS_ZOMBIE]

    def suspend(self) -> None:
        """From now on it does nothing, and neither accepts nor ends."""
        self.process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """End it as the system does where there is no memory."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
        if self.process.stdout is not None:
            self.process.stdout.close()


Lender = Callable[..., LendingServer]


@pytest.fixture
def lender(environment: dict[str, str], tmp_path: Path) -> Iterator[Lender]:
    """Call with options to start the server of this user; it ends with the test."""
    if not hasattr(socket, "AF_UNIX"):
        pytest.skip("Unix sockets")
    running: list[LendingServer] = []

    def start(**options: Any) -> LendingServer:
        running.append(LendingServer(environment, tmp_path / f"server-{len(running)}.log", **options))
        return running[-1]

    yield start
    for server in running:
        server.close()
