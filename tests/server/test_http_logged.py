"""What is said about requests."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from phicli.server.http.app import AppOptions, make_app
from phicli.server.http.limits import Limits
from phicli.server.http.traffic import Traffic
from phicli.server.models import Models
from phicli.server.types import LoadOptions

SECRET = "what nobody else may read"


class Lines:
    def __init__(self) -> None:
        self.log: list[str] = []
        self.bugs: list[str] = []
        self.traffic = Traffic(Limits())

    def client(self) -> TestClient:
        """An application with two routes that fail as nobody foresaw."""

        async def fails(_: Request) -> Response:
            raise KeyError(SECRET)

        async def begins(_: Request) -> Response:
            def parts() -> object:
                yield "a"
                raise ValueError(SECRET)

            return StreamingResponse(parts())  # type: ignore[arg-type]

        options = AppOptions(log=self.log.append, on_bug=self.bugs.append)
        routes = [Route("/fails", fails), Route("/begins", begins)]
        app = make_app(Models(LoadOptions()), self.traffic, options, private=True, routes=routes)
        return TestClient(app, raise_server_exceptions=False)


def test_a_bug_is_a_reply_and_a_line_and_neither_has_what_was_asked() -> None:
    lines = Lines()
    reply = lines.client().get("/fails")
    assert reply.status_code == 500
    assert reply.json()["error"]["type"] == "server_error"
    (bug,) = lines.bugs
    assert "KeyError" in bug
    assert Path(__file__).name in bug
    assert SECRET not in reply.text + bug + lines.log[0]
    assert lines.traffic.requests["GET", "/fails", 500] == 1


def test_a_bug_behind_the_beginning_of_a_reply_is_a_line_too() -> None:
    lines = Lines()
    lines.client().get("/begins")
    (bug,) = lines.bugs
    assert "ValueError" in bug
    assert SECRET not in bug


@pytest.mark.parametrize(("path", "shown"), [
    ("/a%0Ab", "/a%0Ab"), ("/%1b[2J", "/%1b[2J"), ("/%e2%80%ae", "/%e2%80%ae"), ("/" + "x" * 500, "/" + "x" * 199),
    ("/a%20200%20b", "/a%20200%20b"),
])  # fmt: skip
def test_a_path_stays_within_its_line(path: str, shown: str) -> None:
    lines = Lines()
    lines.client().get(path)
    assert lines.log[0].startswith(f"GET {shown} 404")


def test_the_name_of_a_model_stays_within_its_line() -> None:
    lines = Lines()
    body = {"model": "a\nb\x1b[2J\u202e", "messages": [{"role": "user", "content": SECRET}]}
    lines.client().post("/v1/chat/completions", json=body)
    assert lines.log[0].startswith(r"POST /v1/chat/completions 404 a\nb\x1b[2J\u202e ")
    assert SECRET not in lines.log[0]


def test_methods_that_nobody_knows_are_one_label() -> None:
    lines = Lines()
    for method in ("BREW", "FETCH", "DELETE"):
        lines.client().request(method, "/health")
    assert lines.traffic.requests["other", "/health", 405] == 3
