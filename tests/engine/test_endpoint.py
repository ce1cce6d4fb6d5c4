"""Where endpoints are, what they stream, and what becomes of what goes wrong."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable

import pytest

from phicli.engine.endpoint.address import Address, read_address
from phicli.engine.endpoint.client import EndpointClient
from phicli.engine.endpoint.deltas import Delta, End
from phicli.engine.endpoint.events import Reader
from phicli.engine.endpoint.failures import EndpointError, error_text
from phicli.errors import UsageError
from tests.support.endpoint import Behaviour, Endpoint

HERE = read_address("http://127.0.0.1:1/v1", {})
BODY = {"model": "m", "messages": []}


def answer(endpoint: Endpoint, *, silence_s: float = 10, total_s: float = 60, key: str = "") -> list[Delta | End]:
    with EndpointClient(read_address(endpoint.url, {"PHI_API_KEY": key})) as client:
        return list(client.chat(BODY, silence_s=silence_s, total_s=total_s))


def failure(how: Behaviour, *, silence_s: float = 10, total_s: float = 60) -> EndpointError:
    with Endpoint(lambda _: how) as endpoint, pytest.raises(EndpointError) as caught:
        answer(endpoint, silence_s=silence_s, total_s=total_s)
    return caught.value


def read(data: Iterable[bytes]) -> tuple[str, End]:
    reader = Reader(HERE)
    text = "".join(delta.text for piece in data for delta in reader.read(piece, 0.0))
    return text, reader.close()


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1"),
        ("http://127.0.0.1:8080/v1/", "http://127.0.0.1:8080/v1"),
        ("http://127.0.0.1:8080/v1/chat/completions", "http://127.0.0.1:8080/v1"),
        ("https://me:word@example.org/v1?key=0123456789", "https://example.org/v1"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
        ("HTTP://LocalHost/v1", "http://localhost/v1"),
    ],
)
def test_addresses_are_shown_without_what_is_secret(typed: str, shown: str) -> None:
    found = read_address(typed, {"PHI_API_KEY": "key-of-mine"})
    assert found.shown == shown
    for secret in ("word", "0123456789", "key-of-mine"):
        assert secret not in repr(found)


@pytest.mark.parametrize(
    "typed",
    [
        "", "v1", "ftp://host/v1", "http://", "http:///v1", "http://host:99999/v1", "http://host:0/v1",
        "http://host:port/v1", "http://[::1/v1", "http://a b/v1", "http://host/v1\n", "http://ho\u202est/v1",
        "http://host%20/v1", "http://" + "h" * 3000, "http://me:pass word@host/v1", "http://me:secret@/v1",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_repeating_it(typed: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_address(typed, {})
    assert "secret" not in caught.value.message
    assert "http://127.0.0.1:8080/v1" in caught.value.hint


@pytest.mark.parametrize(
    ("typed", "environment", "authorization"),
    [
        ("https://api.openai.com/v1", {"OPENAI_API_KEY": "o"}, "Bearer o"),
        ("https://api.openai.com/v1", {"OPENAI_API_KEY": "o", "PHI_API_KEY": "p"}, "Bearer p"),
        ("http://api.openai.com/v1", {"OPENAI_API_KEY": "o"}, None),
        ("https://api.openai.com.example.org/v1", {"OPENAI_API_KEY": "o"}, None),
        ("https://api.openai.com@example.org/v1", {"OPENAI_API_KEY": "o"}, "Basic"),
        ("https://example.org/v1", {"OPENAI_API_KEY": "o"}, None),
        ("https://example.org/v1", {"PHI_API_KEY": " p\n"}, "Bearer p"),
        ("http://me:a%20b@host/v1", {"PHI_API_KEY": "p"}, "Basic " + base64.b64encode(b"me:a b").decode()),
    ],
)
def test_a_key_goes_where_it_belongs(typed: str, environment: dict[str, str], authorization: str | None) -> None:
    found = read_address(typed, environment).authorization
    assert (found or "").startswith(authorization or "")
    assert (found is None) == (authorization is None)


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "schlüssel"])
def test_a_key_that_cannot_be_sent_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(UsageError, match="PHI_API_KEY") as caught:
        read_address("http://host/v1", {"PHI_API_KEY": key})
    assert key not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("host", "here"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("[::1]", True), ("localhost", True), ("x.localhost", True),
     ("[::]", True), ("192.168.1.1", False), ("example.org", False), ("localhost.example.org", False)],
)  # fmt: skip
def test_this_machine_is_known(host: str, here: bool) -> None:
    assert read_address(f"http://{host}:80/v1", {}).is_loopback is here


def test_a_stream_in_any_pieces_is_the_same() -> None:
    lines = (
        ': ping\r\n\r\nevent: x\nid: 1\ndata: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
        'data:{"choices":[{"delta":{"content":"Grüße"}}]}\n\ndata: {"choices":[{"delta":{"content":" 🦙"},'
        '"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2}}\r\n\r\ndata: [DONE]\n\n'
    ).encode()
    for size in (1, 2, 7, len(lines)):
        text, end = read(lines[at : at + size] for at in range(0, len(lines), size))
        assert text == "Grüße 🦙"
        assert end == End("stop", 7, 2)


@pytest.mark.parametrize("usage", [None, 3, {}, {"completion_tokens": "9"}, {"completion_tokens": -1},
                                   {"completion_tokens": True}, {"completion_tokens": 10**30}])  # fmt: skip
def test_counts_that_make_no_sense_are_none(usage: object) -> None:
    data = json.dumps({"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}], "usage": usage})
    assert read([f"data: {data}\n".encode()])[1] == End("stop", None, None)


@pytest.mark.parametrize("data", ["<html>\n", "data: {\n", "data: 3\n", 'data: {"choices": 3}\n',
                                  'data: {"choices": [3]}\n', 'data: {"choices": [{"delta": 3}]}\n',
                                  "data: " + "[" * 100_000 + "\n", "\xff\xfe\x00\n"])  # fmt: skip
def test_garbage_is_told_as_such(data: str) -> None:
    with pytest.raises(EndpointError, match="did not send a stream of chat completion chunks") as caught:
        list(Reader(HERE).read(data.encode("latin-1"), 0.0))
    assert caught.value.kind == "garbage"
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    ("raw", "kind", "words"),
    [
        (b"<html>please log in</html>", "garbage", "<html>please log in"),
        (b'{"choices": [{"message": {"content": "all at once"}}]}', "garbage", "all at once"),
        (b'data: {"choices": [{"delta": {"content": "x"}}]}\n\ndata: {"choi', "cut", "in the middle"),
        (b'data: {"choi', "cut", "before it began"),
        (b"dat", "cut", "before it began"),
    ],
)
def test_what_comes_without_an_end_of_line_is_told_for_what_it_is(raw: bytes, kind: str, words: str) -> None:
    with Endpoint(lambda _: Behaviour(raw=raw)) as endpoint, pytest.raises(EndpointError) as caught:
        answer(endpoint)
    assert caught.value.kind == kind
    assert words in caught.value.message


@pytest.mark.parametrize("last", [b"data: [DONE]", b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}'])
def test_a_last_event_needs_no_end_of_line(last: bytes) -> None:
    raw = b'data: {"choices": [{"delta": {"content": "x"}}]}\n\n' + last
    with Endpoint(lambda _: Behaviour(raw=raw)) as endpoint:
        first, end = answer(endpoint)
    assert isinstance(first, Delta)
    assert isinstance(end, End)


def test_lines_and_streams_have_a_greatest_size() -> None:
    for line in (b"x" * 40_000, b"data: {}\n" * 500):
        reader = Reader(HERE, most_bytes=1_000_000)
        with pytest.raises(EndpointError, match="far more"):
            all(list(reader.read(line, 0.0)) == [] for _ in range(1_000))


def test_an_answer_comes_with_times_and_counts() -> None:
    with Endpoint(lambda _: Behaviour(pieces=("a", "b"))) as endpoint:
        *deltas, end = answer(endpoint, key="mine")
    assert [delta.text for delta in deltas if isinstance(delta, Delta)] == ["a", "b"]
    assert end == End("length", 33, 2)
    asked = endpoint.chats[0]
    assert asked.body == {**BODY, "stream": True}
    assert asked.headers["authorization"] == "Bearer mine"
    assert asked.headers["accept-encoding"] == "identity"


def test_reasoning_is_text_too() -> None:
    with Endpoint(lambda _: Behaviour(field="reasoning_content", told=False, done=False)) as endpoint:
        *deltas, end = answer(endpoint)
    assert len(deltas) == 4
    assert end == End("length", None, None)


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        (Behaviour(status=401), "key", "401 (Unauthorized): so it is"),
        (Behaviour(status=403), "key", "403"),
        (Behaviour(status=404, body=b"<html>no</html>"), "not_found", "404 (Not Found)"),
        (Behaviour(status=400), "rejected", "so it is"),
        (Behaviour(status=307, headers={"Location": "http://me:pw@elsewhere/v1?k=1"}), "redirect", "http:"),
        (Behaviour(status=429, body=b'{"detail": [{"msg": "too many"}]}'), "limited", "too many"),
        (Behaviour(status=500, body=b"oh \x1b[31mno\x07"), "server", "oh"),
        (Behaviour(status=599, body=b""), "server", "599"),
        (Behaviour(cut_after=2), "cut", "in the middle"),
        (Behaviour(cut_after=0), "cut", "before it began"),
        (Behaviour(raw=b"hello\n"), "garbage", "hello"),
        (Behaviour(raw=b'data: {"error": {"message": "out of memory"}}\n\n'), "server", "out of memory"),
        (Behaviour(raw=b'error: {"code": 500, "message": "slot"}\n\n'), "server", "slot"),
        (Behaviour(headers={"Content-Encoding": "gzip"}), "garbage", "compresses"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_failures_have_a_kind_and_words(how: Behaviour, kind: str, words: str) -> None:
    error = failure(how)
    assert error.kind == kind
    assert words in error.message
    assert error.hint
    assert error.exit_code == 4
    assert error.message.isprintable()
    assert "pw" not in error.message


def test_only_some_failures_would_come_again() -> None:
    assert failure(Behaviour(status=401)).is_final
    assert not failure(Behaviour(status=429)).is_final


def test_silence_ends_it() -> None:
    error = failure(Behaviour(hangs_after=2), silence_s=0.3)
    assert error.kind == "silent"
    assert "PHI_ENDPOINT_TIMEOUT" in error.hint


def test_a_stream_that_trickles_for_ever_ends_too() -> None:
    how = Behaviour(pieces=("x",) * 500, pause_s=0.02)
    assert failure(how, total_s=0.2).kind == "slow"


def test_nobody_there() -> None:
    with Endpoint() as endpoint:
        url = endpoint.url
    with EndpointClient(read_address(url, {})) as client, pytest.raises(EndpointError) as caught:
        client.models(silence_s=5)
    assert caught.value.kind == "unreachable"
    assert "cannot be reached" in caught.value.message


def test_https_where_there_is_http() -> None:
    with Endpoint() as endpoint:
        address = read_address(endpoint.url.replace("http:", "https:"), {})
        with EndpointClient(address) as client, pytest.raises(EndpointError) as caught:
            client.models(silence_s=5)
    assert caught.value.kind == "tls"
    assert "http or https?" in caught.value.hint


def test_what_a_server_repeats_of_the_key_is_hidden() -> None:
    with Endpoint() as endpoint:
        endpoint.key = "the right one"
        with pytest.raises(EndpointError) as caught:
            answer(endpoint, key="wrong-but-secret")
    assert "wrong-but-secret" not in caught.value.message
    assert "***" in caught.value.message
    assert "PHI_API_KEY" in caught.value.hint


def test_a_redirect_gets_no_second_request() -> None:
    with Endpoint() as other, Endpoint(lambda _: Behaviour(status=308, headers={"Location": other.url})) as endpoint:
        with pytest.raises(EndpointError):
            answer(endpoint, key="mine")
        assert other.asked == []


def test_models_are_listed() -> None:
    with Endpoint() as endpoint, EndpointClient(read_address(endpoint.url, {})) as client:
        assert client.models(silence_s=5) == ("first-model", "second-model")
        endpoint.models = {"data": [{"id": "good"}, {"id": "bad\x1b[31m"}, {"id": ""}]}
        assert client.models(silence_s=5) == ("good",)
        for listed in ({}, [], {"data": 3}, {"data": [{}]}, {"data": [None]}):
            endpoint.models = listed
            with pytest.raises(EndpointError, match="did not return a list of models"):
                client.models(silence_s=5)


def test_proxies_do_not_come_between_us_and_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with Endpoint() as proxy, Endpoint() as endpoint:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        answer(endpoint)
        assert proxy.asked == []
        elsewhere = Address("http://example.test/v1", "example.test", "http://example.test/v1")
        with EndpointClient(elsewhere) as client, pytest.raises(EndpointError):
            client.models(silence_s=5)
        assert [one.path for one in proxy.asked] == ["http://example.test/v1/models"]


def test_a_proxy_that_is_none_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://host:port")
    with pytest.raises(UsageError, match="proxy"):
        EndpointClient(Address("https://example.test/v1", "example.test", "https://example.test/v1"))


@pytest.mark.parametrize(
    ("reply", "text"),
    [({"error": {"message": "a"}}, "a"), ({"error": "b"}, "b"), ({"detail": [{"msg": "c"}]}, "c"),
     ({"message": "d"}, "d"), ([{"error": {"message": "e"}}], "e"), ({"error": 3}, ""), (None, ""), ([], "")],
)  # fmt: skip
def test_errors_have_many_forms(reply: object, text: str) -> None:
    assert error_text(reply) == text
