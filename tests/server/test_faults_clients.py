"""Clients that are slow, silent, greedy, or do not speak HTTP. The limits are shortened."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.servers import ANSWER, QUESTION, Client, Serve, Server
from tests.support.storyteller import STORY
from tests.support.waiting import wait_until

CHAT = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"


def everything(connected: socket.socket) -> bytes:
    """What comes until the server closes the connection."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while part := connected.recv(65536):
            received += part
    return received


def drip(connected: socket.socket, data: bytes, ended: threading.Event) -> None:
    """Send a byte at a time, more slowly than any limit allows, until the other side is gone."""
    with contextlib.suppress(OSError):
        for at in range(len(data)):
            connected.sendall(data[at : at + 1])
            if ended.wait(0.1):
                return


def dripped(server: Server, before: bytes, slowly: bytes) -> bytes:
    """What a client gets that sends ``slowly`` byte by byte."""
    ended = threading.Event()
    with contextlib.closing(server.connect()) as connected:
        connected.sendall(before)
        sender = threading.Thread(target=drip, args=(connected, slowly, ended))
        sender.start()
        received = everything(connected)
        ended.set()
        sender.join()
    return received


def test_a_client_that_sends_its_headers_byte_by_byte_is_dropped(serve: Serve) -> None:
    server = serve(limits={"head_s": 0.5})
    assert dripped(server, b"GET /health HTTP/1.1\r\n", b"Host: localhost" + b"x" * 1000) == b""
    assert server.get("/health").status == 200


def test_a_client_that_says_nothing_is_dropped(serve: Serve) -> None:
    server = serve(limits={"head_s": 0.5})
    with contextlib.closing(server.connect()) as connected:
        assert everything(connected) == b""


def test_a_client_that_is_slow_with_its_second_request_is_dropped(serve: Serve) -> None:
    server = serve(limits={"head_s": 0.5})
    first = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    received = dripped(server, first, b"GET /health HTTP/1.1\r\nHost: localhost" + b"x" * 1000)
    assert received.count(b"HTTP/1.1") == 1


def test_an_idle_connection_is_closed_after_a_while(serve: Serve) -> None:
    server = serve(limits={"idle_s": 0.5})
    with contextlib.closing(server.connect()) as connected:
        connected.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert everything(connected).count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize("head", [b"Content-Length: 1000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n"])
def test_a_client_that_sends_its_body_byte_by_byte_is_told_and_dropped(serve: Serve, head: bytes) -> None:
    server = serve(limits={"body_s": 0.5, "linger_s": 0.5})
    received = dripped(server, CHAT + head, b"{" + b" " * 900)
    assert received.startswith(b"HTTP/1.1 408")
    assert received.count(b"HTTP/1.1") == 1
    assert server.metric("requests_running") == 0


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_100_mb_is_refused(server: Server, chunked: bool) -> None:
    parts = [b" " * 1_000_000] * 100
    connection = http.client.HTTPConnection("127.0.0.1")
    connection.sock = server.connect()
    with contextlib.closing(connection):
        body = iter(parts) if chunked else b"".join(parts)
        with contextlib.suppress(ConnectionError):
            connection.request("POST", "/v1/chat/completions", body, encode_chunked=chunked)
        assert connection.getresponse().status == 413
    assert server.chat().status == 200


def test_a_client_that_does_not_read_loses_its_answer_and_its_slot(serve: Serve, storyteller: str) -> None:
    server = serve("--parallel", "1", limits={"write_s": 0.5, "send_bytes": 8192})
    assert any(_is_cut_off(server) for _ in range(10)), "ten stories ended by themselves"
    assert server.chat(STORY, max_tokens=3).status == 200


def _is_cut_off(server: Server) -> bool:
    """Whether the story for a client that does not read has no end; a story rarely ends by itself."""
    with contextlib.closing(server.connect(receive_bytes=2048)) as connected:
        body = server.body_of({**STORY, "stream": True})
        connected.sendall(CHAT + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        wait_until(lambda: server.metric("requests_running") == 1)
        wait_until(lambda: server.metric("requests_running") == 0)
        return b"[DONE]" not in everything(connected)


@pytest.mark.parametrize("data", [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100, b"GET\r\n\r\n", b"\x00" * 100,
    b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nx: " + b"y" * 70_000,
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
])  # fmt: skip
def test_what_is_not_http_is_refused(server: Server, data: bytes) -> None:
    with contextlib.closing(server.connect()) as connected:
        connected.sendall(data)
        received = everything(connected)
    assert received.startswith(b"HTTP/1.1 400")
    assert b'"code": "invalid_http"' in received
    assert server.get("/health").status == 200
    assert "Traceback" not in server.err, server.err


def test_rubbish_behind_a_request_that_is_answered_closes_the_connection(serve: Serve) -> None:
    server = serve(limits={"body_bytes": 10})
    with contextlib.closing(server.connect()) as connected:
        connected.sendall(CHAT + b"Transfer-Encoding: chunked\r\n\r\n14\r\n" + b" " * 20 + b"\r\n")
        wait_until(lambda: b"413" in connected.recv(100, socket.MSG_PEEK))
        connected.sendall(b"rubbish\r\n" * 10)
        assert everything(connected).count(b"HTTP/1.1") == 1
    assert server.get("/health").status == 200
    assert "Traceback" not in server.err, server.err


def test_more_connections_than_the_limit_are_closed_at_once(serve: Serve) -> None:
    server = serve(limits={"connections": 5})
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            connected = stack.enter_context(contextlib.closing(server.connect()))
            connected.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connected.recv(12) == b"HTTP/1.1 200"
        with contextlib.closing(server.connect()) as sixth:
            assert everything(sixth) == b""
    wait_until(lambda: _answers(server))


def _answers(server: Server) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        return server.get("/health").status == 200
    return False


def test_a_thousand_requests_over_fifty_connections_are_all_answered(server: Server) -> None:
    body = server.body_of(QUESTION)

    def twenty(_: int) -> list[bool]:
        connection = http.client.HTTPConnection("127.0.0.1")
        connection.sock = server.connect(timeout_s=200)
        right = []
        with contextlib.closing(connection):
            for _ in range(20):
                connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
                reply = connection.getresponse()
                right.append(ANSWER.encode() in reply.read() and reply.status == 200)
        return right

    with ThreadPoolExecutor(50) as pool:
        assert [sum(right) for right in pool.map(twenty, range(50))] == [20] * 50
    assert server.metric("requests_running") == 0
    assert server.metric("requests_queued") == 0
    threads = Path(f"/proc/{server.process.pid}/task")
    wait_until(lambda: not threads.exists() or len(list(threads.iterdir())) < 20)


def test_a_line_in_the_log_is_a_line(serve: Serve) -> None:
    server = serve("--verbose")
    with contextlib.closing(server.connect()) as connected:
        connected.sendall(
            b"GET /a%0AGET%20/forged%20200%1b[2J%e2%80%ae HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        everything(connected)
    server.chat(QUESTION, model="no\nsuch\x1b[2Jmodel")
    wait_until(lambda: server.err.count("\n") == 2)
    assert "\x1b" not in server.err
    assert "forged" in server.err.splitlines()[0]


@pytest.mark.parametrize(("options", "shown"), [((), False), (("--log-prompts",), True)])
def test_prompts_are_logged_only_where_that_was_asked_for(serve: Serve, options: tuple[str, ...], shown: bool) -> None:
    server = serve("--verbose", *options)
    server.chat()
    server.chat(QUESTION, messages=[{"role": "What is the capital of France?", "content": ""}])
    server.chat(QUESTION, model="nothing")
    server.end()
    assert ("capital" in server.err) is shown
    assert "200 tiny-phi 10 + 8 tokens" in server.err


def test_a_server_without_a_terminal_logs_nothing(server: Server) -> None:
    server.chat()
    server.end()
    assert server.err == ""


def test_the_address_can_be_used_as_it_is_printed(server: Server) -> None:
    assert Client(server.first_line).get("/health").status == 200
