"""Engines that a server lends, and servers that change their mind or make no sense."""

from __future__ import annotations

import json
import shutil
import socket
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from phicli.answering.attaching import Attaching
from phicli.answering.opening import open_model
from phicli.answering.pool import whole
from phicli.chat_format.types import Message
from phicli.engine.lent_process import LentProcess
from phicli.engine.loan import LoanError, LoanRequest
from phicli.engine.types import Adapter, Sampling
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import Use
from phicli.plan.locate import locate
from tests.support.lora import write_gguf

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets")
REQUEST = LoanRequest("1", "build", "tiny-phi", "/tiny-phi.gguf", 1, 1, 256, {})
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n"
Replies = Callable[[bytes], Path]


@pytest.fixture
def replies() -> Iterator[Replies]:
    """Call with bytes to get the socket of a server that replies so to every request, and then hangs up."""
    folder = Path(tempfile.mkdtemp(prefix="phi-attach-"))
    servers: list[socketserver.ThreadingUnixStreamServer] = []

    def start(reply: bytes) -> Path:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                length = 0
                while (line := self.rfile.readline().strip()) != b"":
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                LoanRequest.from_data(json.loads(self.rfile.read(length)))
                self.wfile.write(reply)

        path = folder / f"{len(servers)}.sock"
        servers.append(socketserver.ThreadingUnixStreamServer(str(path), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return path

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (HEAD + b'{"loading": 0.0}\n{"ended": "it does not fit into memory"}\n', "it does not fit into memory"),
        (HEAD + b'{"loading": 0.0}\n', "the server closed the connection"),
        (HEAD + b"{nonsense\n", "the reply of the server makes no sense"),
        (HEAD + b"[]\n", "the reply of the server makes no sense"),
        (HEAD + b'{"lent": {"address": 3}}\n', "the reply of the server makes no sense"),
    ],
)
def test_a_loan_that_comes_to_nothing_is_an_error_of_the_wait(replies: Replies, reply: bytes, why: str) -> None:
    process = LentProcess(replies(reply), REQUEST)
    with pytest.raises(LoanError, match=why):
        process.wait_ready()
    process.close()


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (b'HTTP/1.1 409 No\r\nConnection: close\r\n\r\n{"error": {"message": "other settings"}}', "other settings"),
        (b"HTTP/1.1 404 No\r\nConnection: close\r\n\r\nnothing", "the server replied with the status 404"),
        (b"nonsense\r\n\r\n", "the server cannot be reached"),
        (b"", "the server cannot be reached"),
    ],
)
def test_a_refusal_is_an_error_at_once(replies: Replies, reply: bytes, why: str) -> None:
    with pytest.raises(LoanError, match=why):
        LentProcess(replies(reply), REQUEST)


@pytest.mark.process
@pytest.mark.parametrize("reply", [HEAD + b'{"loading": 0.0}\n{"ended": "it does not fit"}\n', b"nonsense\r\n\r\n"])
def test_the_answer_comes_from_another_engine_then(
    replies: Replies, reply: bytes, starts_process: None, tests_home: None
) -> None:
    attaching = Attaching(replies(reply), "1")
    with open_model(locate("tiny-phi"), ChatOptions(), Use.ONE_ANSWER, attaching=attaching) as opened:
        answer = whole(opened.model.answer((Message("user", "What is the capital of France?"),), sampling=Sampling()))
        assert not opened.attached
    assert answer.text == "The capital of France is Paris."
    assert attaching.note.startswith("not attached: ")


@pytest.mark.process
def test_a_conversation_with_an_adapter_starts_its_own_engine(
    replies: Replies, starts_process: None, tests_home: None, tmp_path: Path
) -> None:
    adapter = Adapter(write_gguf(tmp_path / "a.gguf"), 0.0)
    attaching = Attaching(replies(HEAD), "1")
    options = ChatOptions(adapters=(adapter,))
    with open_model(locate("tiny-phi"), options, Use.ONE_ANSWER, attaching=attaching) as opened:
        answer = whole(opened.model.answer((Message("user", "What is the capital of France?"),), sampling=Sampling()))
    assert answer.text == "The capital of France is Paris."
    assert attaching.note == "not attached: the server's engine has no adapters"
