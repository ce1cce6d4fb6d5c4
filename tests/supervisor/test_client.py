"""What a client says of servers that do not answer as they should."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Iterator

import pytest

from phicli.errors import NetworkError
from phicli.supervisor.hold import Held, take
from phicli.supervisor.looking import look
from phicli.supervisor.place import Place

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")


@contextlib.contextmanager
def taken(here: Place) -> Iterator[Held]:
    held = take(here, version="1.2", command=["serve", "tiny-phi"])
    assert held is not None
    try:
        yield held
    finally:
        held.close()


def test_a_server_that_hangs_is_named_with_its_process(here: Place) -> None:
    with taken(here) as held:
        held.publish()
        with pytest.raises(NetworkError, match=r"did not answer within 0\.1 s") as silent:
            look(0.1)
        assert str(os.getpid()) in silent.value.hint


def test_a_server_that_many_wait_for_is_waited_for(here: Place) -> None:
    with taken(here) as held, contextlib.ExitStack() as stack:
        held.publish()
        held.listening.listen(0)
        held.listening.setblocking(False)
        while True:  # until the system refuses more
            waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
            waiting.setblocking(False)
            try:
                waiting.connect(str(here.socket))
            except BlockingIOError:
                break
        with pytest.raises(NetworkError, match="did not answer"):
            look(0.1)


@pytest.mark.parametrize("reply", [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", b"HTTP/1.1 200 OK\r\n\r\n[]"])
def test_a_reply_that_makes_no_sense_is_an_error_for_people(here: Place, reply: bytes) -> None:
    with answering(here, reply), pytest.raises(NetworkError, match="the reply of phi serve makes no sense"):
        look()


def test_a_reply_that_is_not_http_comes_from_no_server(here: Place) -> None:
    with answering(here, b"SSH-2.0\r\n"):
        assert look() is None


@contextlib.contextmanager
def answering(here: Place, reply: bytes) -> Iterator[None]:
    with taken(here) as held:
        held.publish()
        thread = threading.Thread(target=_answer, args=(held.listening, reply))
        thread.start()
        try:
            yield
        finally:
            thread.join()


def _answer(listening: socket.socket, reply: bytes) -> None:
    client = listening.accept()[0]
    with client:
        client.recv(10_000)
        client.sendall(reply)
