"""Remotes over TLS, and through a proxy: closing and keeping connections works there, too."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from phicli.answering.types import Event
from phicli.engine.endpoint.failures import EndpointError
from phicli.remotes.model import RemoteModel
from tests.support.certificates import VARIABLES, Authority
from tests.support.endpoint import Behaviour, Endpoint, encrypted
from tests.support.proxy import Proxy
from tests.support.remotes import HELLO, answer_of, events_of, in_turn, remote_model
from tests.support.waiting import wait_until, wait_until_it_waits

pytestmark = pytest.mark.process
HANGS = in_turn(Behaviour(hangs_after=2), Behaviour())


@pytest.fixture
def url(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An encrypted endpoint that hangs in its first answer."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with encrypted(Endpoint(HANGS), authority.context) as endpoint:
        yield f"https://localhost:{endpoint.port}/v1"


def close_while_it_waits(model: RemoteModel, pieces: int) -> list[Event]:
    """Closes an answer after so many pieces in another thread; the events that came."""
    answering = model.answer(HELLO, sampling=model.usual)
    found: list[Event] = []
    thread = threading.Thread(target=lambda: found.extend(answering), daemon=True)
    thread.start()
    wait_until(lambda: len(answering.so_far().text.split()) >= pieces)
    wait_until_it_waits(thread)
    answering.close()
    thread.join(60)
    assert not thread.is_alive()
    return found


def test_closing_ends_an_encrypted_request_and_the_next_one_is_answered(url: str) -> None:
    with remote_model(url) as model:
        assert len(close_while_it_waits(model, 2)) == 2
        assert answer_of(model).text == "one two three four"


def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "")
    with remote_model(url) as model, pytest.raises(EndpointError, match="not trusted") as caught:
        events_of(model)
    assert caught.value.is_final


def test_closing_ends_a_request_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Endpoint(HANGS) as endpoint, Proxy(instead=f"127.0.0.1:{endpoint.port}") as proxy:
        endpoint.behind_proxy = True
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with remote_model("http://lab.test/v1") as model:
            assert len(close_while_it_waits(model, 2)) == 2
            assert answer_of(model).text == "one two three four"
        assert proxy.reached == ["lab.test:80"] * 2
