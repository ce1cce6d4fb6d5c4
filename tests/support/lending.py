"""``phi serve`` as the server of this user, which lends engines."""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from phicli.engine.lent_process import ANSWERS_WITHIN
from tests.support.servers import Serve, Server
from tests.support.waiting import wait_until


class LendingServer:
    """A running server, and the engines that it has started."""

    def __init__(self, server: Server, home: Path) -> None:
        self.server = server
        (state,) = home.rglob("serve.json")
        self.socket = Path(json.loads(state.read_text())["socket"])

    @contextmanager
    def busy(self, model: str, question: str) -> Iterator[None]:
        """Within the context somebody else asks the same question again and again."""
        over = threading.Event()
        answered = list[int]()

        def ask() -> None:
            body = {"model": model, "messages": [{"role": "user", "content": question}], "max_tokens": 64}
            while not over.is_set():
                answered.append(self.server.chat(body).status)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        assert set(answered) == {200}

    @property
    def engines(self) -> list[psutil.Process]:
        """The processes of its engines."""
        return [child for child in psutil.Process(self.server.process.pid).children() if _runs(child)]

    def suspend(self) -> None:
        """From now on it does nothing, and neither accepts nor ends."""
        self.server.send(signal.SIGSTOP)
        process = psutil.Process(self.server.process.pid)
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED)

    def kill(self) -> None:
        """End it as the system does where there is no memory."""
        self.server.process.kill()
        self.server.process.wait(60)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:  # it ended meanwhile
        return False


Lender = Callable[..., LendingServer]


@pytest.fixture
def lender(serve: Serve, environment: dict[str, str]) -> Iterator[Lender]:
    """Call with arguments for ``phi serve`` to start the server of this user; it ends with the test."""
    if not hasattr(socket, "AF_UNIX"):
        pytest.skip("Unix sockets")
    running: list[LendingServer] = []
    environment[ANSWERS_WITHIN] = "60"

    def start(*arguments: str) -> LendingServer:
        running.append(LendingServer(serve(*arguments), Path(environment["PHI_HOME"])))
        return running[-1]

    yield start
    for one in running:
        if one.server.process.poll() is None:
            one.server.send(signal.SIGCONT)
