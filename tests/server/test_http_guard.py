"""Who may come in: keys, names of the server, and web pages."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from phicli.server.http.guard import Guard, Rules

PAGE = "https://page.example"
KEY = "a-secret-key"


def client(rules: Rules = Rules(), host: str = "127.0.0.1:11500") -> TestClient:  # noqa: B008 (frozen)
    async def inside(_: Request) -> Response:
        return PlainTextResponse("inside")

    routes = [Route(path, inside, methods=["GET", "POST"]) for path in ("/v1/models", "/health", "/metrics")]
    return TestClient(Guard(Starlette(routes=routes), rules), base_url=f"http://{host}")


@pytest.mark.parametrize("host", ["127.0.0.1:11500", "localhost", "LOCALHOST:80", "[::1]:11500", "localhost.:11500"])
def test_the_names_of_this_machine_are_known(host: str) -> None:
    assert client().get("/v1/models", headers={"host": host}).text == "inside"


@pytest.mark.parametrize("host", [
    "attacker.example", "localhost.attacker.example", "127.0.0.1.attacker.example:11500", "10.0.0.1", "", "[::2]",
    "127.0.0.1@attacker.example", "localhost:80:80",
])  # fmt: skip
def test_a_name_that_leads_here_from_elsewhere_is_refused(host: str) -> None:
    reply = client().get("/v1/models", headers={"host": host})
    assert reply.status_code == 403
    assert reply.json()["error"]["code"] == "forbidden"


@pytest.mark.parametrize(("host", "status"), [("192.168.1.20:80", 200), ("[fe80::1]", 200), ("attacker.example", 403)])
def test_a_server_on_all_addresses_knows_addresses_but_not_every_name(host: str, status: int) -> None:
    reply = client(Rules(KEY, any_address=True)).get("/v1/models", headers={"host": host, "x-api-key": KEY})
    assert reply.status_code == status


@pytest.mark.parametrize("origin", [PAGE, "null", "http://localhost:3000", "http://127.0.0.1", "file://"])
def test_a_foreign_page_is_refused(origin: str) -> None:
    reply = client().post("/v1/models", headers={"origin": origin})
    assert reply.status_code == 403
    assert "access-control-allow-origin" not in reply.headers


def test_a_page_of_this_server_itself_is_not_foreign() -> None:
    assert client().post("/v1/models", headers={"origin": "http://127.0.0.1:11500"}).text == "inside"


def test_no_page_may_read_a_reply_without_being_allowed() -> None:
    reply = client().options("/v1/models", headers={"origin": PAGE, "access-control-request-method": "POST"})
    assert reply.status_code == 403
    assert not [name for name in client().get("/v1/models").headers if name.startswith("access-control")]


def test_an_allowed_page_may_ask_and_read() -> None:
    rules = Rules(KEY, origins=(PAGE,))
    before = client(rules).options("/v1/models", headers={
        "origin": PAGE, "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type, x-stainless-os, (bad)",
    })  # fmt: skip
    assert before.status_code == 204
    assert before.headers["access-control-allow-origin"] == PAGE
    assert "POST" in before.headers["access-control-allow-methods"]
    assert before.headers["access-control-allow-headers"] == "authorization, content-type, x-stainless-os"
    reply = client(rules).post("/v1/models", headers={"origin": PAGE, "authorization": f"Bearer {KEY}"})
    assert reply.text == "inside"
    assert reply.headers["access-control-allow-origin"] == PAGE
    assert "access-control-allow-credentials" not in reply.headers
    refused = client(rules).post("/v1/models", headers={"origin": PAGE})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == PAGE, "the page can show why"


def test_an_allowed_page_does_not_open_the_door_for_others() -> None:
    rules = Rules(origins=(PAGE,))
    assert client(rules).post("/v1/models", headers={"origin": f"{PAGE}.attacker.example"}).status_code == 403


@pytest.mark.parametrize("headers", [
    {"authorization": f"Bearer {KEY}"}, {"authorization": f"bearer  {KEY}"}, {"x-api-key": KEY},
    {"authorization": "Bearer other", "x-api-key": KEY},
])  # fmt: skip
def test_the_key_opens(headers: dict[str, str]) -> None:
    assert client(Rules(KEY)).get("/v1/models", headers=headers).text == "inside"


@pytest.mark.parametrize("headers", [
    {}, {"authorization": f"Bearer {KEY}x"}, {"authorization": f"Basic {KEY}"}, {"authorization": KEY},
    {"x-api-key": ""}, {"authorization": "Bearer "}, {"x-api-key": KEY.upper()},
])  # fmt: skip
def test_nothing_else_opens(headers: dict[str, str]) -> None:
    reply = client(Rules(KEY)).get("/v1/models", headers=headers)
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    assert reply.json()["error"]["code"] == "invalid_api_key"
    assert client(Rules(KEY)).get("/metrics", headers=headers).status_code == 401


def test_bytes_that_are_no_text_are_no_key() -> None:
    assert client(Rules(KEY)).get("/v1/models", headers={"x-api-key": b"\xff\xfe"}).status_code == 401


def test_whether_the_server_lives_is_no_secret() -> None:
    assert client(Rules(KEY)).get("/health").text == "inside"


def test_any_key_is_accepted_where_none_is_required() -> None:
    assert client().get("/v1/models", headers={"authorization": "Bearer anything"}).text == "inside"
