"""Where Python has no Unix sockets (Windows), a port that requires a key stands in for one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phicli.server.residence import Residence, reside
from phicli.supervisor import hold
from phicli.supervisor.client import RefusedError, Server, find
from phicli.supervisor.place import Place
from phicli.supervisor.state import ServerState


async def _private(_: Request) -> Response:
    return JSONResponse("private")


@pytest.fixture
def residence(here: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Residence]:
    def on_loopback(_: Path, state: ServerState) -> object:
        return hold.on_loopback(state)

    monkeypatch.setattr(hold, "on_socket", on_loopback)
    one = reside(background=True)
    private = Starlette(routes=[Route("/phi/state", _private)])
    server = uvicorn.Server(uvicorn.Config(one.app(Starlette(), private), log_config=None, lifespan="off"))
    one.open(server)
    thread = threading.Thread(target=lambda: server.run(sockets=one.sockets))
    thread.start()
    yield one
    one.end(force=True)
    thread.join()
    one.close()
    assert {path.name for path in here.folder.iterdir()} <= {"serve.lock"}


def test_the_state_file_has_the_way_and_the_key(residence: Residence, here: Place) -> None:
    server = find()
    assert server is not None
    assert server.state.socket == ""
    assert residence.address == f"http://{server.state.loopback}"
    assert server.ask("GET", "/phi/state") == "private"
    assert not here.socket.exists()


@pytest.mark.parametrize("key", ["", "wrong"])
def test_nobody_comes_in_without_the_key(residence: Residence, key: str) -> None:
    server = find()
    assert server is not None
    with pytest.raises(RefusedError) as refused:
        Server(replace(server.state, key=key)).ask("GET", "/phi/state")
    assert refused.value.status == 401


def test_it_cannot_be_hidden(residence: Residence) -> None:
    assert residence.held is not None
    residence.held.hide()
    residence.held.show()
    assert not residence.held.is_lost()
    server = find()
    assert server is not None
    assert server.ask("GET", "/phi/state") == "private"
