"""How the server ends: by signals, at every moment, with answers under way."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.processes import gone, held, hesitating, interrupt, stopped
from tests.support.servers import ANSWER, Serve, Server, text_of
from tests.support.storyteller import STORY
from tests.support.waiting import wait_until


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_and_its_engines(server: Server, number: int, code: int) -> None:
    server.chat()
    workers = server.workers
    assert server.end(number) == code
    assert [gone(worker) for worker in workers] == [True]
    assert server.err == ""


def test_an_answer_that_is_under_way_may_be_completed(serve: Serve) -> None:
    server = serve(limits={"grace_s": 60, "hold_s": 0.05})
    server.chat()
    (worker,) = server.workers
    with contextlib.ExitStack() as stack:
        with stopped(worker):
            events = stack.enter_context(server.chat_stream())
            server.send(signal.SIGTERM)
            wait_until(lambda: refuses(server))
        assert text_of(events) == ANSWER
    assert server.wait() == 0
    assert server.err == "waiting up to 60 s for an answer; press Ctrl-C again to end now\n"


@pytest.mark.usefixtures("storyteller")
@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_that_takes_longer_is_ended(serve: Serve, stream: bool) -> None:
    server = serve(limits={"grace_s": 0.5})
    server.chat(STORY, max_tokens=1)
    (worker,) = server.workers
    with contextlib.closing(server.send_chat(STORY, stream=stream)) as connection:
        wait_until(lambda: server.metric("requests_running") == 1)
        server.send(signal.SIGTERM)
        reply = connection.getresponse()
        assert "server_ends" in reply.read().decode()
        assert reply.status in ((200, 503) if stream else (503,))
    assert server.wait() == 0
    assert gone(worker)


@pytest.mark.usefixtures("storyteller")
def test_a_second_signal_ends_answers_at_once(serve: Serve) -> None:
    server = serve(limits={"grace_s": 3600})
    with server.chat_stream(STORY) as events:
        next(events)
        (worker,) = server.workers
        server.send(signal.SIGINT)
        wait_until(lambda: refuses(server))
        server.send(signal.SIGINT)
        *_, error, done = list(events)
        assert error["error"]["code"] == "server_ends"
        assert done == "[DONE]"
    assert server.wait() == 130
    assert gone(worker)


@pytest.mark.usefixtures("storyteller")
def test_a_client_that_does_not_read_does_not_keep_it_from_ending(serve: Serve) -> None:
    server = serve(limits={"grace_s": 0.1, "send_bytes": 8192})
    body = server.body_of({**STORY, "stream": True})
    with contextlib.closing(server.connect(receive_bytes=2048)) as connected:
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
        connected.sendall(head % len(body) + body)
        wait_until(lambda: server.metric("requests_running") == 1)
        assert server.end() == 0


def test_an_engine_that_hangs_does_not_keep_it_from_ending(serve: Serve) -> None:
    server = serve(limits={"grace_s": 0.1})
    server.chat()
    (worker,) = server.workers
    with contextlib.closing(server.send_chat()), stopped(worker):
        wait_until(lambda: server.metric("requests_running") == 1)
        assert server.end() == 0
    assert gone(worker)


def test_a_connection_without_a_request_does_not_keep_it_from_ending(server: Server) -> None:
    with contextlib.closing(server.connect()):
        assert server.end() == 0


def test_many_signals_are_as_good_as_two(server: Server) -> None:
    server.chat()
    (worker,) = server.workers
    for _ in range(20):
        with contextlib.suppress(ProcessLookupError):
            server.send(signal.SIGINT)
    assert server.wait() == 130
    assert gone(worker)


@contextlib.contextmanager
def starting(environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server that has only begun to start."""
    command = [sys.executable, "-m", "phicli", "serve", "--port", "0", *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="looks into the process")
@pytest.mark.parametrize("loaded", ["_json", "_socket", "_asyncio"])
def test_ctrl_c_ends_it_while_it_starts(environment: dict[str, str], loaded: str) -> None:
    with starting(environment) as process:
        wait_until(lambda: has_loaded(process.pid, loaded))
        interrupt(process.pid)
        _, errors = process.communicate(timeout=60)
        assert process.returncode in (130, -signal.SIGINT)
        assert b"Traceback" not in errors, errors.decode()


@pytest.mark.usefixtures("storyteller")
def test_ctrl_c_ends_it_while_a_request_waits_for_its_model(serve: Serve, tmp_path: Path) -> None:
    server = serve(limits={"grace_s": 0.1}, **hesitating(tmp_path / "engine"))
    with contextlib.closing(server.send_chat(STORY)), held(server.process.pid) as worker:
        assert server.end(signal.SIGINT) == 130
    assert gone(worker)


@pytest.mark.usefixtures("storyteller")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_before_it_serves(environment: dict[str, str], tmp_path: Path, number: int, code: int) -> None:
    hesitates = hesitating(tmp_path / "engine")
    with starting(environment | hesitates, str(STORY["model"]), "--preload") as process:
        with held(process.pid) as worker:
            os.kill(process.pid, number)
            output, errors = process.communicate(timeout=60)
        assert process.returncode == code
        assert output == b""
        assert b"Traceback" not in errors, errors.decode()
        assert gone(worker)
        assert not list(Path(environment["PHI_HOME"]).rglob("*.sock"))


def has_loaded(pid: int, library: str) -> bool:
    with contextlib.suppress(OSError, psutil.Error):
        return library in Path(f"/proc/{pid}/maps").read_text()
    return False


def refuses(server: Server) -> bool:
    """Whether nobody listens any more."""
    try:
        server.connect().close()
    except OSError:
        return True
    return False
