"""Streams as products send them: what counts as the first token, which counts are believed, what is an error."""

from __future__ import annotations

import json

import pytest

from phicli.engine.endpoint.address import read_address
from phicli.engine.endpoint.client import EndpointClient
from phicli.engine.endpoint.deltas import Delta, End
from phicli.engine.endpoint.events import Reader
from phicli.engine.endpoint.failures import EndpointError
from tests.support.endpoint import Behaviour, Endpoint

HERE = read_address("http://127.0.0.1:1/v1", {})


def chunk(delta: object, finish: str | None = None, **more: object) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return json.dumps({"object": "chat.completion.chunk", "choices": [choice], **more})


def usage(prompt: int, completion: int, **more: object) -> str:
    told = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, **more}
    return json.dumps({"object": "chat.completion.chunk", "choices": [], "usage": told})


LLAMA_SERVER = (
    chunk({"role": "assistant", "content": None}), chunk({"content": "Hi"}), chunk({"content": "!"}),
    chunk({}, "length"), usage(4, 2, prompt_tokens_details={"cached_tokens": 0}), "[DONE]",
)  # fmt: skip
OLLAMA = (
    chunk({"role": "assistant", "content": "", "reasoning": "Hm"}, usage=None),
    chunk({"role": "assistant", "content": "Hi"}, usage=None),
    chunk({"role": "assistant", "content": ""}, "stop", usage=None), usage(4, 2), "[DONE]",
)  # fmt: skip
LM_STUDIO = (
    chunk({"role": "assistant", "reasoning_content": "Hm"}, logprobs=None), chunk({"content": "Hi"}, logprobs=None),
    chunk({}, "stop", logprobs=None), usage(4, 2, completion_tokens_details={"reasoning_tokens": 1}), "[DONE]",
)  # fmt: skip
VLLM = (
    chunk({"role": "assistant", "content": ""}, usage=None), chunk({"reasoning_content": "Hm"}, usage=None),
    chunk({"content": "Hi"}, usage=None), chunk({"content": ""}, "length", stop_reason=None, usage=None),
    usage(4, 2), "[DONE]",
)  # fmt: skip
PRODUCTS = {
    "llama-server": (LLAMA_SERVER, [1, 2], "length"),
    "Ollama": (OLLAMA, [0, 1], "stop"),
    "LM Studio": (LM_STUDIO, [0, 1], "stop"),
    "vLLM": (VLLM, [1, 2], "length"),
}
"""What each sends, which of these events have text, and why it ended."""


@pytest.mark.parametrize("lines_end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("product", PRODUCTS)
def test_the_first_token_is_the_first_text_and_usage_comes_last(product: str, lines_end: bytes) -> None:
    """Each line arrives at a time of its own; a role alone, and text that is empty, is no token."""
    events, with_text, finish = PRODUCTS[product]
    reader, found = Reader(HERE), []
    for at_s, event in enumerate(events):
        found += list(reader.read(b": keep-alive" + lines_end * 2 + b"data: " + event.encode() + lines_end * 2, at_s))
    assert [delta.at_s for delta in found] == with_text
    assert reader.close() == End(finish, 4, 2, reasoning_tokens=1 if product == "LM Studio" else 0)


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_lines_may_end_with_a_carriage_return_alone(size: int) -> None:
    stream = "".join(f"data: {event}\r\r" for event in LLAMA_SERVER).encode()
    with Endpoint(lambda _: Behaviour(raw=stream)) as endpoint:
        *deltas, end = answered(endpoint)
    assert [delta.text for delta in deltas if isinstance(delta, Delta)] == ["Hi", "!"]
    reader = Reader(HERE)
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert "".join(delta.text for piece in pieces for delta in reader.read(piece, 0.0)) == "Hi!"
    assert reader.close() == end == End("length", 4, 2)


def test_a_mark_at_the_beginning_and_empty_events_are_no_garbage() -> None:
    reader = Reader(HERE)
    stream = b"\xef\xbb\xbfdata: " + chunk({"content": "x"}, "stop").encode() + b"\n\ndata:\n\ndata\n\nretry: 9\n\n"
    assert [delta.text for delta in reader.read(stream, 0.0)] == ["x"]


def test_without_done_a_reason_to_finish_is_the_end() -> None:
    how = Behaviour(raw="".join(f"data: {event}\n\n" for event in OLLAMA[:-1]).encode())
    with Endpoint(lambda _: how) as endpoint:
        assert answered(endpoint)[-1] == End("stop", 4, 2)


@pytest.mark.parametrize(
    "event",
    [
        'data: {"error": {"message": "out of memory", "code": 500}}',  # llama-server, Ollama
        'event: error\ndata: {"error": {"message": "out of memory"}}',  # LM Studio
        'data: {"object": "error", "message": "out of memory", "type": "InternalServerError", "code": 500}',  # vLLM
        'error: {"code": 500, "message": "out of memory"}',  # llama-server until 2025
        'data: {"error": "out of memory"}',
    ],
)
def test_an_error_in_the_stream_is_one_in_words(event: str) -> None:
    raw = f"data: {VLLM[0]}\n\ndata: {VLLM[2]}\n\n{event}\n\ndata: [DONE]\n\n".encode()
    with Endpoint(lambda _: Behaviour(raw=raw)) as endpoint, pytest.raises(EndpointError) as caught:
        answered(endpoint)
    assert caught.value.kind == "server"
    assert caught.value.message == f"{endpoint.url} failed in the middle of the answer: out of memory"


UNEXPECTED = b'{"error":"Unexpected endpoint or method. (POST /chat/completions)"}'


@pytest.mark.parametrize("body", [UNEXPECTED, UNEXPECTED + b"\n"])
def test_an_error_with_status_200_is_no_garbage(body: bytes) -> None:
    """So LM Studio answers where it has no such path."""
    with Endpoint(lambda _: Behaviour(raw=body)) as endpoint, pytest.raises(EndpointError) as caught:
        answered(endpoint)
    assert caught.value.kind == "server"
    assert caught.value.message.endswith(
        "answered with an error: Unexpected endpoint or method. (POST /chat/completions)"
    )


def test_a_list_of_models_that_is_an_error_with_status_200() -> None:
    with Endpoint() as endpoint:
        endpoint.models = {"error": "Unexpected endpoint or method. (GET /models). Returning 200 anyway"}
        with EndpointClient(read_address(endpoint.url, {})) as client, pytest.raises(EndpointError) as caught:
            client.models(silence_s=5)
    assert "did not return a list of models: Unexpected endpoint" in caught.value.message


@pytest.mark.parametrize(
    ("typed", "proposed"),
    [("", "/v1"), ("/", "/v1"), ("/api", "/api/v1"), ("/v1/nope", "/v1"), ("/v1/chat", "/v1")],
)
def test_a_path_without_v1_is_given_one(typed: str, proposed: str) -> None:
    with Endpoint() as endpoint:
        place = endpoint.url.removesuffix("/v1")
        with EndpointClient(read_address(place + typed, {})) as client, pytest.raises(EndpointError) as caught:
            list(client.chat({"model": "m", "messages": []}, silence_s=5, total_s=5))
    assert caught.value.kind == "not_found"
    assert caught.value.hint.endswith(f"most addresses end in /v1: {place}{proposed}")


@pytest.mark.parametrize(
    ("status", "asked", "words"),
    [
        (429, "20", "wait 20 s, as the endpoint asks; send fewer requests"),
        (429, "1.5", "wait 1.5 s, as the endpoint asks; send fewer requests"),
        (503, "7", "wait 7 s, as the endpoint asks; run the command again"),
        (503, "", "run the command again: the endpoint may be loading its model"),
        (503, "Wed, 21 Oct 2026 07:28:00 GMT", "wait until Wed, 21 Oct 2026 07:28:00 GMT, as the endpoint asks; "),
        (500, "x\x1b[31m" + "y" * 900, "wait until x [31my"),
        (429, "Wed, 21 Oct 99999999999 07:28:00 GMT", "wait until Wed, 21 Oct 99999999999"),
        (429, "Wed, 21 Oct 2026 07:28:00 +99999999999999", "wait until Wed, 21 Oct 2026"),
    ],
)
def test_what_a_busy_endpoint_asks_for_is_told(status: int, asked: str, words: str) -> None:
    how = Behaviour(status=status, headers={"Retry-After": asked} if asked else {})
    with Endpoint(lambda _: how) as endpoint, pytest.raises(EndpointError) as caught:
        answered(endpoint)
    assert caught.value.hint.startswith(words)
    assert caught.value.hint.isprintable()
    assert len(caught.value.hint) < 200
    assert not caught.value.is_final


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("20", 20.0), ("1.5", 1.5), ("2.", 2.0), ("0", 0.0), ("-5", None), ("1e3", None), ("", None), ("soon", None)],
)
def test_the_wait_that_a_busy_endpoint_asks_for(asked: str, seconds: float | None) -> None:
    how = Behaviour(status=429, headers={"Retry-After": asked})
    with Endpoint(lambda _: how) as endpoint, pytest.raises(EndpointError) as caught:
        answered(endpoint)
    assert caught.value.wait_s == seconds


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://me:pw@elsewhere.test/v1/chat/completions?k=1", "https://elsewhere.test/v1"),
        ("/api/v1/chat/completions/", "http://{here}/api/v1"),
        ("//other.test/v1/models", "http://other.test/v1"),
        ("http://[::1", "nowhere"),
        ("", "nowhere"),
    ],
)
def test_a_redirect_is_told_as_an_address_to_give(location: str, shown: str) -> None:
    with Endpoint(lambda _: Behaviour(status=308, headers={"Location": location})) as endpoint:
        with pytest.raises(EndpointError) as caught:
            answered(endpoint)
        here = f"127.0.0.1:{endpoint.port}"
    assert caught.value.message.endswith(f"it redirects to {shown.format(here=here)}")


@pytest.mark.parametrize(
    ("user", "key", "hint"),
    [
        ("", "", "set PHI_API_KEY: "),
        ("", "other-key", "check PHI_API_KEY: "),
        ("me:pass-word@", "", "check the user and the password in the address: "),
    ],
)
def test_a_refusal_names_what_to_check(user: str, key: str, hint: str) -> None:
    with Endpoint() as endpoint:
        endpoint.key = "the right one"
        address = read_address(endpoint.url.replace("//", f"//{user}"), {"PHI_API_KEY": key})
        with EndpointClient(address) as client, pytest.raises(EndpointError) as caught:
            client.models(silence_s=5)
    assert caught.value.hint.startswith(hint)


def answered(endpoint: Endpoint) -> list[Delta | End]:
    with EndpointClient(read_address(endpoint.url, {})) as client:
        return list(client.chat({"model": "m", "messages": []}, silence_s=10, total_s=60))
