"""Remotes that are busy, silent, gone, or half there."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from dataclasses import replace

import pytest

from phicli.answering.types import Answer, Event
from phicli.chat_format.types import Piece
from phicli.engine.endpoint.failures import EndpointError
from phicli.errors import CheckFailedError, ContextExceededError, NotFoundError, PhiError
from phicli.remotes import last_listed
from phicli.remotes.retrying import Retrying
from tests.support.endpoint import Behaviour, Endpoint
from tests.support.remotes import HELLO, chunk, events_of, failure_of, in_turn, notices_in, raw, remote_model
from tests.support.waiting import wait_until, wait_until_it_waits

GOOD = Behaviour(finish="stop")


@pytest.mark.parametrize(
    "busy",
    [
        Behaviour(status=429, headers={"Retry-After": "3"}),
        Behaviour(status=503, body=b'{"error": {"message": "Loading model", "code": 503}}'),
        Behaviour(status=502, body=b"<html>bad gateway</html>"),
        Behaviour(cut_after=0),
    ],
    ids=["429", "503", "502", "cut"],
)
def test_what_is_busy_is_asked_again(busy: Behaviour) -> None:
    with Endpoint(in_turn(busy, busy, GOOD)) as endpoint, remote_model(endpoint.url) as model:
        events = events_of(model)
    assert isinstance(events[-1], Answer)
    assert events[-1].text == "one two three four"
    said = notices_in(events)
    assert len(said) == 2
    assert all("; trying again in " in one for one in said)
    assert len(endpoint.chats) == 3


def test_it_is_asked_again_only_so_often() -> None:
    with Endpoint(lambda _: Behaviour(status=503)) as endpoint, remote_model(endpoint.url) as model:
        answering = model.answer(HELLO, sampling=model.usual)
        with pytest.raises(EndpointError) as caught:
            list(answering)
    assert len(endpoint.chats) == 4
    assert (caught.value.kind, caught.value.exit_code) == ("server", 4)


def test_waits_grow_and_are_bounded_whatever_is_asked_for() -> None:
    retrying, busy = Retrying(), EndpointError("limited", "busy", status=429)
    assert [retrying.wait_s(busy, attempt) for attempt in range(1, 8)] == [1, 2, 4, 8, 16, 32, None]
    for asked, seconds in ((20.0, 20.0), (3600.0, 60.0), (0.0, 1.0)):
        assert retrying.wait_s(EndpointError("limited", "busy", status=429, wait_s=asked), 1) == seconds
    assert [retrying.wait_s(EndpointError("unreachable", "gone"), attempt) for attempt in (1, 2, 3)] == [1, 2, None]
    for kind in ("key", "not_found", "rejected", "redirect", "tls", "silent", "garbage"):
        assert retrying.wait_s(EndpointError(kind, "no"), 1) is None
    assert retrying.wait_s(EndpointError("server", "no", status=500), 1) is None


def test_an_answer_that_has_begun_is_never_asked_for_again() -> None:
    with Endpoint(in_turn(Behaviour(cut_after=2), GOOD)) as endpoint, remote_model(endpoint.url) as model:
        answering = model.answer(HELLO, sampling=replace(model.usual))
        with pytest.raises(EndpointError, match="in the middle of the answer") as caught:
            list(answering)
    assert caught.value.kind == "cut"
    assert Retrying().wait_s(caught.value, 1) is None
    assert (answering.so_far().text, answering.so_far().finish_reason) == ("one two", "interrupted")
    assert len(endpoint.chats) == 1


def test_nobody_there_is_said_and_tried_again_twice() -> None:
    with Endpoint() as endpoint:
        url = endpoint.url
    with remote_model(url) as model:
        events: list[Event] = []
        with pytest.raises(EndpointError, match="cannot be reached"):
            events.extend(model.answer(HELLO, sampling=model.usual))
        answering = model.answer(HELLO, sampling=model.usual)
        assert "cannot be reached" in notices_in([next(answering)])[0]
        answering.close()


def test_silence_is_a_failure_of() -> None:
    error = failure_of(Behaviour(hangs_after=2), silence_s=0.3)
    assert error.kind == "silent"
    assert "PHI_ENDPOINT_TIMEOUT" in error.hint


@pytest.mark.parametrize(
    ("code", "kind"), [("context_length_exceeded", ContextExceededError), ("answer_does_not_match", CheckFailedError)]
)
@pytest.mark.parametrize("in_stream", [True, False])
def test_some_errors_are_known_by_their_codes(code: str, kind: type[PhiError], in_stream: bool) -> None:
    """So ``phi serve`` reports them: before the stream, or in it."""
    body = json.dumps({"error": {"message": "it did not work", "code": code}}).encode()
    how = raw(chunk({"role": "assistant"}), json.loads(body)) if in_stream else Behaviour(status=422, body=body)
    with Endpoint(lambda _: how) as endpoint, remote_model(endpoint.url) as model:
        answering = model.answer(HELLO, sampling=model.usual)
        with pytest.raises(kind, match="it did not work"):
            list(answering)
    assert len(endpoint.chats) == 1


def test_signs_of_life_are_no_answer() -> None:
    """Some servers send comments while they work; one that only does that will not answer any more."""
    with EndlessComments() as url, remote_model(url) as model:
        body = model.body(HELLO, sampling=model.usual).fields
        with pytest.raises(EndpointError) as caught:
            list(model.client.chat(body, silence_s=30, textless_s=0.3))
    assert caught.value.kind == "silent"
    assert "sent signs of life for 0 s, but no text" in caught.value.message


@pytest.mark.parametrize("hangs_after", [0, 2])
def test_closing_in_another_thread_ends_the_request_at_once(hangs_after: int) -> None:
    """Before the headers of an answer too: the scripted server sends them with the first event."""
    with Endpoint(lambda _: Behaviour(hangs_after=hangs_after)) as endpoint, remote_model(endpoint.url) as model:
        answering = model.answer(HELLO, sampling=model.usual)
        ended = threading.Event()
        found: list[Event] = []

        def read() -> None:
            found.extend(answering)
            ended.set()

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        wait_until(lambda: bool(endpoint.chats) and len(found) >= hangs_after)
        wait_until_it_waits(thread)
        answering.close()
        assert ended.wait(60)
        assert len([event for event in found if isinstance(event, Piece)]) == hangs_after
        assert answering.so_far().finish_reason == "interrupted"


def test_closing_ends_a_wait_for_another_attempt() -> None:
    slow = Retrying(first_s=60.0)
    with Endpoint(lambda _: Behaviour(status=503)) as endpoint, remote_model(endpoint.url, retrying=slow) as model:
        answering = model.answer(HELLO, sampling=model.usual)
        assert len(notices_in([next(answering)])) == 1
        threading.Timer(0.2, answering.close).start()
        assert list(answering) == []
        assert len(endpoint.chats) == 1


def test_closing_the_model_ends_its_requests() -> None:
    with Endpoint(lambda _: Behaviour(hangs_after=1)) as endpoint, remote_model(endpoint.url) as model:
        answering = model.answer(HELLO, sampling=model.usual)
        next(answering)
        threading.Timer(0.2, model.close).start()
        with pytest.raises(EndpointError):
            list(answering)
        with pytest.raises(EndpointError, match="was closed"):
            events_of(model)
        model.close()


def test_the_server_sees_that_nobody_reads_any_more() -> None:
    """So it stops to generate. The connection ends although the answer has not."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)
        with remote_model(f"http://127.0.0.1:{listening.getsockname()[1]}/v1") as model:
            answering = model.answer(HELLO, sampling=model.usual)
            threading.Thread(target=lambda: list(answering), daemon=True).start()
            connected, _ = listening.accept()
            with connected:
                connected.settimeout(60)
                asked = b""
                while not asked.endswith(b"}"):
                    asked += connected.recv(65536)
                event = raw(chunk({"content": "Hi"}), done=False).raw or b""
                connected.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + event)
                wait_until(lambda: answering.so_far().text == "Hi")
                answering.close()
                assert connected.recv(65536) == b""


@pytest.mark.parametrize(
    ("how", "kind", "words", "hint"),
    [
        (Behaviour(status=401), "key", "401", "API key"),
        (Behaviour(status=404), "not_found", "404", "model's name"),
        (Behaviour(status=307, headers={"Location": "http://elsewhere.test/v1"}), "redirect", "elsewhere", "trust"),
        (Behaviour(raw=b"<!DOCTYPE html><html>Please log in</html>"), "garbage", "<!DOCTYPE html>", "log in"),
        (Behaviour(raw=b'data: {"error": {"message": "out of memory"}}\n\n'), "server", "out of memory", "log"),
    ],
    ids=["401", "404", "redirect", "portal", "error"],
)
def test_failures_have_words_for_whoever_chats(how: Behaviour, kind: str, words: str, hint: str) -> None:
    error = failure_of(how)
    assert (error.kind, error.exit_code) == (kind, 4)
    assert words in error.message
    assert hint in error.hint
    assert "--prompt-tokens" not in error.hint


def refused(message: str, code: str | None = None, status: int = 404) -> Behaviour:
    return Behaviour(status=status, body=json.dumps({"error": {"message": message, "code": code}}).encode())


@pytest.mark.parametrize(
    "how",
    [
        refused("The model `phi-4` does not exist."),
        refused("Unknown.", "model_not_found"),
        refused("No deployment", "DeploymentNotFound"),
        refused("Failed to load it", "model_not_found", 400),
        Behaviour(status=404, body=b'{"error": "model \'phi-4\' not found"}'),
    ],
    ids=["vLLM", "OpenAI", "Azure", "400", "Ollama"],
)
def test_a_model_that_the_remote_does_not_have_is_not_found(how: Behaviour) -> None:
    with Endpoint(lambda _: how) as endpoint, remote_model(endpoint.url) as model:
        last_listed.remember(model.named.remote, ["phi-4-mini"])
        with pytest.raises(NotFoundError, match=endpoint.url) as caught:
            events_of(model)
        assert (caught.value.hint, len(endpoint.chats)) == ("did you mean lab/phi-4-mini?", 1)


@pytest.mark.parametrize(
    "how",
    [
        refused("Not Found"),
        refused("there is nothing at /v1/chat/completions"),
        refused("the model phi-40 does not exist"),
        Behaviour(status=404, body=b"<html>phi-4</html>"),
    ],
)
def test_a_wrong_address_is_a_failure_of_the_network(how: Behaviour) -> None:
    error = failure_of(how)
    assert (error.kind, error.exit_code) == ("not_found", 4)


def test_the_name_of_the_model_in_the_address_says_nothing() -> None:
    with (
        Endpoint() as endpoint,
        remote_model(endpoint.url.replace("/v1", "/phi-4/v1")) as model,
        pytest.raises(EndpointError) as caught,
    ):
        events_of(model)
    assert caught.value.kind == "not_found"


def test_a_key_is_sent_to_the_remote_and_not_where_it_redirects_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", "secret-of-the-lab")
    with Endpoint() as other, Endpoint() as endpoint:
        endpoint.behave = lambda _: Behaviour(status=308, headers={"Location": f"{other.url}/chat/completions"})
        with remote_model(endpoint.url, key_env="LAB_KEY") as model, pytest.raises(EndpointError) as caught:
            events_of(model)
        assert endpoint.chats[0].headers["authorization"] == "Bearer secret-of-the-lab"
        assert other.asked == []
    assert "secret" not in caught.value.message + caught.value.hint


def test_a_wrong_key_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", "wrong-key-of-mine")
    with Endpoint() as endpoint:
        endpoint.key = "the right one"
        with remote_model(endpoint.url, key_env="LAB_KEY") as model, pytest.raises(EndpointError) as caught:
            events_of(model)
    assert "LAB_KEY" in caught.value.hint
    assert "wrong-key" not in caught.value.message


def test_a_conversation_that_is_too_long_is_an_error_of_its_own() -> None:
    said = b'{"error": {"message": "This model\'s maximum context length is 4096 tokens", "type": "BadRequestError"}}'
    with Endpoint(lambda _: Behaviour(status=400, body=said)) as endpoint, remote_model(endpoint.url) as model:
        answering = model.answer(HELLO, sampling=model.usual)
        with pytest.raises(ContextExceededError, match="4096 tokens"):
            list(answering)
    assert len(endpoint.chats) == 1


class EndlessComments:
    """Answers with a stream of comments that never ends, on one connection."""

    def __enter__(self) -> str:
        self._socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _serve(self) -> None:
        connected, _ = self._socket.accept()
        with connected, contextlib.suppress(OSError):
            connected.recv(65536)
            connected.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            while True:
                connected.sendall(b": working\n\n")
                time.sleep(0.01)
