"""Engines and servers that die, and answers that nobody waits for any more."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.processes import gone, held, hesitating, stopped
from tests.support.servers import ANSWER, QUESTION, Serve, Server
from tests.support.storyteller import STORY
from tests.support.waiting import wait_until

LONG_PROMPT = {"model": STORY["model"], "messages": [{"role": "user", "content": "once upon a time " * 3000}]}
pytestmark = pytest.mark.usefixtures("storyteller")


@contextlib.contextmanager
def streams(server: Server, number: int, **more: Any) -> Iterator[list[Iterator[Any]]]:
    """Streams of a story, each of which has begun."""
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(server.chat_stream(STORY, **more)) for _ in range(number)]
        for events in opened:
            next(event for event in events if event["choices"][0]["delta"].get("content"))
        yield opened


def stands_still(pid: int) -> bool:
    """Whether the process computes nothing for a while."""
    process = psutil.Process(pid)
    before = sum(process.cpu_times()[:2])
    with contextlib.suppress(psutil.TimeoutExpired):
        process.wait(0.3)
    return sum(process.cpu_times()[:2]) - before < 0.05


def test_all_streams_of_an_engine_that_is_killed_end_with_an_error_and_the_next_request_works(serve: Serve) -> None:
    server = serve("--parallel", "8")
    with streams(server, 8) as opened:
        (worker,) = server.workers
        os.kill(worker, signal.SIGKILL)
        for events in opened:
            *_, error, done = list(events)
            assert error["error"]["type"] == "server_error"
            assert done == "[DONE]"
    assert server.chat(STORY, max_tokens=3).status == 200
    assert server.metric("requests_running") == 0
    assert server.metric("stream_errors_total") == 8


def test_a_whole_reply_of_an_engine_that_is_killed_is_an_error(serve: Serve) -> None:
    server = serve()
    server.chat(STORY, max_tokens=1)
    (worker,) = server.workers
    with stopped(worker), contextlib.closing(server.send_chat(STORY)) as connection:
        wait_until(lambda: server.metric("requests_running") == 1)
        os.kill(worker, signal.SIGKILL)
        assert connection.getresponse().status == 500
    assert server.chat(STORY, max_tokens=3).status == 200


def test_the_engines_end_with_a_server_that_is_killed(serve: Serve) -> None:
    server = serve()
    with streams(server, 1):
        workers = server.workers
        server.process.kill()
        assert [gone(worker) for worker in workers] == [True]


def test_a_client_that_leaves_a_stream_stops_the_engine(serve: Serve) -> None:
    server = serve("--parallel", "1")
    with streams(server, 1):
        (worker,) = server.workers
    wait_until(lambda: server.metric("requests_running") == 0)
    wait_until(lambda: stands_still(worker))
    assert server.chat(STORY, max_tokens=3).status == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_while_its_prompt_is_read_frees_the_slot(serve: Serve, stream: bool) -> None:
    server = serve("--parallel", "1", "--context", "32768")
    server.chat(STORY, max_tokens=1)
    (worker, *_) = server.workers
    with contextlib.closing(server.send_chat(LONG_PROMPT, stream=stream)):
        wait_until(lambda: server.metric("requests_running") == 1)
        wait_until(lambda: any(not stands_still(pid) for pid in server.workers))
    wait_until(lambda: server.metric("requests_running") == 0)
    wait_until(lambda: all(stands_still(pid) for pid in server.workers))
    assert server.chat(STORY, max_tokens=3).status == 200
    assert worker in server.workers


def test_a_client_that_leaves_before_the_model_is_there_is_forgotten(serve: Serve) -> None:
    server = serve()
    with contextlib.closing(server.send_chat(STORY)):
        wait_until(lambda: bool(server.workers))
    wait_until(lambda: server.metric("requests_running") == 0)
    assert server.chat(STORY, max_tokens=3).status == 200


def test_a_client_that_leaves_while_it_waits_for_a_slot_is_forgotten(serve: Serve) -> None:
    server = serve("--parallel", "1")
    with streams(server, 1) as (first,):
        with contextlib.closing(server.send_chat(STORY, max_tokens=3)):
            wait_until(lambda: server.metric("requests_queued") == 1)
        wait_until(lambda: server.metric("requests_queued") == 0)
        assert server.metric("requests_running") == 1
        assert next(first)


def test_comments_say_that_a_model_loads(serve: Serve, tmp_path: Path) -> None:
    server = serve(limits={"hold_s": 0.05, "beat_s": 0.05}, **hesitating(tmp_path / "engine"))
    with contextlib.closing(server.send_chat(STORY, stream=True, max_tokens=3)) as connection:
        with held(server.process.pid):
            reply = connection.getresponse()
            assert [reply.readline() for _ in range(4)] == [b": loading\n", b"\n"] * 2
        assert reply.read().endswith(b"data: [DONE]\n\n")


def test_the_server_answers_others_while_an_answer_comes_and_while_an_engine_hangs(serve: Serve) -> None:
    server = serve()
    with streams(server, 2) as opened:
        assert server.get("/health").status == 200
        assert server.metric("requests_running") == 2
        next(opened[0])
        (worker,) = server.workers
        with stopped(worker):
            assert server.get("/health").status == 200
            assert server.get("/v1/models").status == 200
            assert server.chat(QUESTION).json["choices"][0]["message"]["content"] == ANSWER


def test_comments_come_while_nothing_else_does(serve: Serve) -> None:
    server = serve(limits={"hold_s": 0.05, "beat_s": 0.05})
    server.chat(STORY, max_tokens=1)
    (worker,) = server.workers
    with stopped(worker), server.stream("/v1/chat/completions", {**STORY, "stream": True}) as lines:
        seen = [next(lines) for _ in range(6)]
    assert all(line.startswith(": ") or not line for line in seen), seen


def test_an_answer_that_takes_too_long_ends_with_an_error(serve: Serve) -> None:
    server = serve(limits={"answer_s": 0.5})
    server.chat(STORY, max_tokens=1)
    (worker,) = server.workers
    with stopped(worker):
        late = server.chat(STORY)
    assert late.status == 504
    assert late.error["code"] == "timeout"
    wait_until(lambda: stands_still(worker))
