"""The two products that can be asked here: ``phi serve``, and llama.cpp's server as it is without phi."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from phicli.answering.asked import Asked
from phicli.answering.formed import FormedModel, FormError
from phicli.answering.types import Answer
from phicli.chat_format.types import Message, ToolCall
from phicli.plan.locate import locate
from phicli.remotes.asking import RemoteAsking
from phicli.remotes.types import KindName
from phicli.structured.form import SchemaForm
from phicli.structured.grammars import choice_form, regex_form
from phicli.tools.types import Tool
from tests.support.remotes import answer_of, events_of, notices_in, remote_model
from tests.support.servers import ANSWER, QUESTION, Serve
from tests.support.wheel_server import install

pytestmark = pytest.mark.process
KEY = "key-of-the-tests"
ASKED = (Message("user", QUESTION["messages"][0]["content"]),)
DIGIT: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["a"],
    "additionalProperties": False,
}
TOOL = Tool("get_weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
SERVERS = ("phi", "llama-server")


@pytest.fixture
def llama_server(tmp_path: Path) -> Iterator[str]:
    """The address of a llama-server with tiny-phi and its own template."""
    for _ in range(5):  # another program may take the port meanwhile
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with _running(tmp_path, port) as server:
            if _is_ready(port, server):
                yield f"http://127.0.0.1:{port}/v1"
                return
    raise AssertionError((tmp_path / "log").read_text())


@contextmanager
def _running(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    options = {
        "-m": str(locate("tiny-phi").path), "-c": "1024", "-t": "1", "-b": "512", "--cache-type-k": "f16",
        "-fa": "auto", "--parallel": "1", "--port": str(port),
    }  # fmt: skip
    words = [word for pair in options.items() for word in pair]
    environment = {**os.environ, "LLAMA_API_KEY": KEY}
    environment.pop("LLAMA_ARG_CHAT_TEMPLATE", None)
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([str(install(folder)), *words], env=environment, stderr=log)
    try:
        yield server
    finally:
        server.kill()
        server.wait(60)


@pytest.fixture
def url(request: pytest.FixtureRequest, kind: KindName, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of the server of this kind."""
    monkeypatch.setenv("LAB_KEY", KEY)
    if kind == "llama-server":
        return str(request.getfixturevalue("llama_server"))
    serve: Serve = request.getfixturevalue("serve")
    return f"{serve(PHI_SERVE_KEY=KEY).address}/v1"


@pytest.mark.parametrize("kind", SERVERS)
def test_they_answer(kind: KindName, url: str) -> None:
    """One server for all questions: to start it takes most of the time."""
    with remote_model(url, kind=kind, model="tiny-phi", key_env="LAB_KEY") as model:
        events = events_of(model, ASKED, max_tokens=40, seed=3, top_k=5, repeat_penalty=1.0, likeliest=2)
        assert notices_in(events) == []
        answer = events[-1]
        assert isinstance(answer, Answer)
        assert (answer.text, answer.finish_reason) == (ANSWER, "stop")
        assert answer.usage.completion_tokens == 8 or kind == "phi"
        assert answer.usage.prompt_tokens > 5
        assert (answer.timings is not None) == (kind == "llama-server")
        assert answer.likely is not None
        assert "".join(one.text for one in answer.likely) == ANSWER
        assert all(one.log_probability is not None and len(one.likeliest) == 2 for one in answer.likely)
        assert model.context_tokens == 1024
        cut = answer_of(model, ASKED, max_tokens=3)
        assert (cut.text, cut.finish_reason) == ("The capital of", "length")
        begun = (*ASKED, Message("assistant", "The capital of"))
        assert answer_of(model, begun, max_tokens=40).text == " France is Paris."
        _answers_with_a_form(model, kind)


def _answers_with_a_form(model: Any, kind: KindName) -> None:
    held = answer_of(FormedModel(model, SchemaForm(DIGIT), 0), ASKED, max_tokens=60)
    assert held.parsed["a"] in range(10)
    if kind == "llama-server":
        assert answer_of(FormedModel(model, choice_form("yes,no"), 0), ASKED, max_tokens=9).text in ("yes", "no")
    pattern = FormedModel(model, regex_form("[a-z]{3}"), 1)
    answering = pattern.answer(ASKED, sampling=model.usual)
    with pytest.raises(FormError, match="does not match --regex after 2 attempts"):
        list(answering)


def test_phi_serve_calls_tools(serve: Serve) -> None:
    """tiny-phi was trained to call one; a call that is required is held to its form by the server."""
    with remote_model(f"{serve().address}/v1", model="tiny-phi") as model:
        asked = Asked("lab/tiny-phi", ASKED, tools=(TOOL,), tool_choice="required", sampling={"max_tokens": 60})
        *_, answer = RemoteAsking(model).answering(asked)
        assert isinstance(answer, Answer)
        assert answer.finish_reason == "tool_calls"
        (call,) = answer.tool_calls
        assert call.name == "get_weather"
        history = (*ASKED, answer.message, Message("tool", '"sunny"'), Message("user", "And now?"))
        *_, last = RemoteAsking(model).answering(Asked("lab/tiny-phi", history, tools=(TOOL,)))
        assert isinstance(last, Answer)
        assert isinstance(call, ToolCall)


def _is_ready(port: int, server: subprocess.Popen[bytes]) -> bool:
    """Return once the model is loaded; False where the server ends, since it cannot have the port."""
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as reply:
                if reply.status == 200 and server.poll() is None:
                    return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    return False
