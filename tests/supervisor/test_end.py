"""A server that nobody uses ends; whoever comes at that moment is served, or finds no server: never an error."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phicli.server import residence
from phicli.server.idle_end import watch
from phicli.server.residence import Residence, reside
from phicli.server.uses import Uses
from phicli.supervisor.client import NoServerError, find
from phicli.supervisor.hold import Held, take
from phicli.supervisor.place import Place
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")


async def _hello(_: Request) -> Response:
    await asyncio.sleep(0.001)
    return JSONResponse("hello")


APP = Starlette(routes=[Route("/hello", _hello), Route("/health", _hello)])


class Running:
    """A server in a thread: the real one, without models."""

    def __init__(self, resides: Residence) -> None:
        self.residence = resides
        self.server = uvicorn.Server(uvicorn.Config(resides.app(APP, APP), log_config=None, lifespan="off"))
        resides.open(self.server)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        self.server.run(sockets=self.residence.sockets)
        self.residence.close()

    def end(self) -> None:
        self.residence.end(force=True)
        self.thread.join()


@contextlib.contextmanager
def running(after_s: str, monkeypatch: pytest.MonkeyPatch, first: socket.socket | None = None) -> Iterator[Running]:
    """A server that ends when it is idle; ``first`` is connected before it can be."""
    monkeypatch.setenv(residence.ENDS_AFTER, after_s)
    resides = reside(background=True, keep_alive_s=0)
    if first is not None and resides.held is not None:
        first.connect(resides.held.state.socket)
    one = Running(resides)
    try:
        yield one
    finally:
        one.end()


def ask() -> str:
    server = find()
    if server is None:
        raise NoServerError
    return str(server.ask("GET", "/hello"))


def test_it_ends_after_its_last_use_and_leaves_the_place(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with running("0.05", monkeypatch) as one:
        one.thread.join(60)
        assert not one.thread.is_alive()
        assert find() is None
        assert {path.name for path in here.folder.iterdir()} <= {"serve.lock"}


def test_it_does_not_end_while_a_client_is_connected(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as client, running("0.5", monkeypatch, first=client) as one:
        wait_until(lambda: one.residence.uses.idle_s > 2)
        assert one.thread.is_alive()
        client.close()
        one.thread.join(60)
        assert not one.thread.is_alive()


def test_a_server_whose_socket_was_removed_ends_soon(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """No client finds it, and the next server needs the place."""
    with running("600", monkeypatch) as one:
        here.socket.unlink()
        one.thread.join(60)
        assert not one.thread.is_alive()


def test_a_look_is_not_a_use(monkeypatch: pytest.MonkeyPatch, here: Place) -> None:
    with running("0.05", monkeypatch) as one:
        until = time.monotonic() + 60
        while one.thread.is_alive() and time.monotonic() < until:
            with contextlib.suppress(NoServerError):
                if (server := find()) is not None:
                    server.ask("GET", "/health")
            time.sleep(0.02)
        assert not one.thread.is_alive()


def test_a_model_that_is_kept_for_ever_keeps_the_server(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(residence.ENDS_AFTER, "0.01")
    before = set(threading.enumerate())
    one = Running(reside(background=True, keep_alive_s=None))
    assert not {thread.name for thread in set(threading.enumerate()) - before} & {"phi-idle-end"}
    assert one.residence.about()["ends_at"] is None
    one.end()


class Tiny:
    """A server that turns as fast as it can, so that it can end often: one request for each connection."""

    def __init__(self, held: Held) -> None:
        self.held = held
        self.uses = Uses()
        self.open: set[int] = set()
        self.ends = threading.Event()
        held.publish()
        watch(self.uses, lambda: self.open, held, self.ends.set, after_s=0.01, listening=[held.listening])
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        self.held.listening.settimeout(0.002)
        while not self.ends.is_set():
            with contextlib.suppress(TimeoutError):
                client = self.held.listening.accept()[0]
                self.open.add(client.fileno())
                with client, self.uses.use():
                    client.recv(10_000)
                    client.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"hello"')
                self.open.clear()
        self.held.close()


def start_tiny(here: Place, servers: list[Tiny]) -> None:
    held = take(here, version="1")
    if held is not None:
        servers.append(Tiny(held))


def start_real(_: Place, servers: list[Running]) -> None:
    with contextlib.suppress(residence.TakenError):
        servers.append(Running(reside(background=True, keep_alive_s=0)))


def race(here: Place, start: Callable[[Place, list[Any]], None], times: int, settle_s: float) -> int:
    """How many servers it took to answer so many requests, each of which comes when one is about to end."""
    servers: list[Any] = []
    for number in range(times):
        answer = ""
        while not answer:
            try:
                answer = ask()
            except NoServerError:
                start(here, servers)
        assert answer == "hello"
        time.sleep(0.01 + settle_s * (number % 20) / 10)
    for one in servers:
        one.thread.join(60)
        assert not one.thread.is_alive()
    return len(servers)


def test_200_requests_that_race_the_end_are_answered_or_find_no_server(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that finds no server starts the next one; nothing else may happen to it."""
    monkeypatch.setattr("phicli.server.idle_end.SETTLE_S", 0.02)
    assert race(here, start_tiny, 200, 0.02) > 1, "no server ended in between: nothing was raced"


def test_10_requests_that_race_the_end_of_the_real_server(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phicli.server.idle_end.SETTLE_S", 0.1)
    monkeypatch.setenv(residence.ENDS_AFTER, "0.02")
    assert race(here, start_real, 10, 0.2) > 1


def test_a_use_counts_until_it_ends() -> None:
    uses = Uses()
    with uses.use(), uses.use():
        assert uses.running == 2
        assert uses.idle_s == 0
    assert uses.running == 0
    wait_until(lambda: uses.idle_s > 0)


def test_the_private_routes_are_for_the_socket_only(here: Place) -> None:
    private = Starlette(routes=[Route("/phi/state", _hello)])
    resides = reside(background=True)
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        server = uvicorn.Server(uvicorn.Config(resides.app(APP, private), log_config=None, lifespan="off"))
        resides.open(server, "http://127.0.0.1:1")
        thread = threading.Thread(target=lambda: server.run(sockets=[tcp, *resides.sockets]))
        thread.start()
        try:
            found = find()
            assert found is not None
            assert found.ask("GET", "/phi/state") == "hello"
            with socket.create_connection(tcp.getsockname()) as client:
                client.sendall(b"GET /phi/state HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert client.recv(100).startswith(b"HTTP/1.1 404")
        finally:
            resides.end(force=True)
            thread.join()
            resides.close()


def test_a_server_in_the_foreground_runs_without_the_place(here: Place) -> None:
    first = reside(background=True)
    second = reside(background=False)
    assert second.held is None
    assert "another phi serve runs" in second.notice
    assert second.sockets == []
    second.close()
    first.close()
    here.folder.chmod(0o755)
    third = reside(background=False)
    assert "may be entered by other users" in third.notice
    third.close()


def test_a_server_that_is_about_to_end_is_waited_for(here: Place) -> None:
    leaving = reside(background=True)
    assert leaving.held is not None
    leaving.held.publish()
    leaving.held.listening.close()
    threading.Timer(0.3, leaving.close).start()
    following = reside(background=True)
    assert following.held is not None
    following.close()


def test_a_server_that_still_loads_is_waited_for_too(here: Place) -> None:
    starting = reside(background=True)
    assert starting.held is not None
    threading.Timer(0.3, starting.close).start()
    following = reside(background=True)
    assert following.held is not None
    following.close()


def test_a_server_of_another_machine_is_named(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several machines can share a home folder, and then its locks, but no socket."""
    other = reside(background=True)
    assert other.held is not None
    other.held.publish()
    other.held.listening.close()
    monkeypatch.setattr("platform.node", lambda: "elsewhere")
    with pytest.raises(residence.TakenError, match=r"phi serve runs on .*, which shares the folder"):
        reside(background=True)
    other.close()


def test_the_folder_of_a_socket_outside_the_place_goes_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_HOME", str(home / ("long" * 30)))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    resides = reside(background=True)
    assert resides.held is not None
    outside = Path(resides.held.state.socket).parent
    assert outside.parent == home
    resides.close()
    assert not outside.exists()
