"""Bodies of requests that are wrong: each gets an error that says how."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from phicli.server.http.app import AppOptions, make_app
from phicli.server.http.limits import Limits
from phicli.server.http.traffic import Traffic
from phicli.server.models import Models
from phicli.server.types import LoadOptions

CHAT = "/v1/chat/completions"


def client(**limits: Any) -> TestClient:
    """The application; no test here comes as far as a model."""
    app = make_app(Models(LoadOptions()), Traffic(Limits(**limits)), AppOptions())
    return TestClient(app, base_url="http://localhost")


@pytest.mark.parametrize(("body", "said"), [
    (b"", "not JSON"), (b"{", "not JSON"), (b'{"model": "tiny-phi"', "not JSON"), (b"model=tiny-phi", "not JSON"),
    (b"[]", "not a JSON object"), (b"null", "not a JSON object"), (b'"text"', "not a JSON object"), (b"1", "object"),
    (b'{"temperature": NaN}', "NaN"), (b'{"temperature": -Infinity}', "Infinity"), (b'{"seed": 1e999}', "too large"),
    (b'{"model": "a", "model": "b"}', "field twice: 'model'"), (b'{"a": {"b": 1, "b": 1}}', "field twice: 'b'"),
    (b"[" * 100_000, "nested too deeply"), (b'{"a":' * 100_000, "nested too deeply"),
    (b'{"a":' * 200 + b"1" + b"}" * 200, "use at most 100 levels"),
    (b'{"a": "\xff"}', "not UTF-8"),
    (b'{"a": "\\ud800"}', "half of a character"), (b'{"\\udfff": 1}', "half of a character"),
    (b'{"seed": ' + b"9" * 5000 + b"}", "thousands of digits"),
    (b"\xef\xbb\xbf{}", "not JSON"), (b'{"a": "\n"}', "not JSON"),
    ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
])  # fmt: skip
def test_a_wrong_body_is_the_fault_of_the_caller(body: bytes, said: str) -> None:
    reply = client().post(CHAT, content=body)
    assert reply.status_code == 400, reply.text
    error = reply.json()["error"]
    assert said in error["message"]
    assert error["type"] == "invalid_request_error"


def test_a_body_with_very_many_fields_is_judged_in_time() -> None:
    fields = ",".join(f'"{number}":1' for number in range(300_000))
    reply = client().post(CHAT, content=f'{{{fields},"77":1}}')
    assert "field twice: '77'" in reply.json()["error"]["message"]


def test_a_large_body_is_read_as_well() -> None:
    reply = client().post(CHAT, content=b'{"x": "' + b"a" * 1_000_000 + b'", "x": 1}')
    assert "field twice" in reply.json()["error"]["message"]


def test_a_body_beyond_the_limit_is_refused_before_it_is_read() -> None:
    reply = client(body_bytes=1000).post(CHAT, content=b"x" * 1001)
    assert reply.status_code == 413
    assert "more than 1000 bytes" in reply.json()["error"]["message"]


def test_a_body_without_a_length_has_the_same_limit() -> None:
    reply = client(body_bytes=1000).post(CHAT, content=(b"x" * 100 for _ in range(11)))
    assert reply.status_code == 413


@pytest.mark.parametrize("length", ["9" * 30, "1001"])
def test_a_length_that_is_only_claimed_counts(length: str) -> None:
    reply = client(body_bytes=1000).post(CHAT, content=b"", headers={"content-length": length})
    assert reply.status_code == 413


def test_more_messages_than_the_limit_are_refused() -> None:
    body = {"model": "tiny-phi", "messages": [{"role": "user", "content": "x"}] * 3}
    reply = client(messages=2).post(CHAT, content=json.dumps(body))
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == "messages"


def test_when_too_many_requests_wait_the_next_one_is_told_when_to_come_again() -> None:
    body = {"model": "tiny-phi", "messages": [{"role": "user", "content": "x"}]}
    reply = client(requests=0).post(CHAT, content=json.dumps(body))
    assert reply.status_code == 503
    assert int(reply.headers["retry-after"]) > 0


def test_a_client_whose_address_lacks_the_version_is_told_so() -> None:
    assert "use /v1/chat/completions" in client().post("/chat/completions").json()["error"]["message"]


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/", 404), ("GET", "/v1", 404), ("GET", "/v1/models/", 404), ("POST", "/v1/embeddings", 404),
    ("GET", CHAT, 405), ("DELETE", "/health", 405), ("GET", "/v1//models", 404), ("GET", "/../etc/passwd", 404),
    ("GET", "/phi/state", 404), ("BREW", "/health", 405),
])  # fmt: skip
def test_what_is_not_there_is_said_in_the_usual_shape(method: str, path: str, status: int) -> None:
    reply = client().request(method, path)
    assert reply.status_code == status
    assert reply.json()["error"].keys() == {"message", "type", "param", "code"}
    if status == 405:
        assert reply.headers["allow"]
