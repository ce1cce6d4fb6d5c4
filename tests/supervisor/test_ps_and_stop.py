"""``phi ps`` and ``phi stop``, as people use them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from phicli.supervisor.client import UnixConnection
from tests.supervisor.asking import QUESTION, ask
from tests.support.processes import gone
from tests.support.running import Phi
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")


def test_nothing_runs(phi: Phi) -> None:
    shown = phi("ps")
    assert (shown.code, shown.out) == (0, "")
    assert "phi serve is not running; to start it: phi serve --background" in shown.err
    assert phi("ps", "--json").json["data"] == {"running": False, "server": None, "models": []}
    for command in (["stop"], ["stop", "tiny-phi"], ["stop", "--all"]):
        refused = phi(*command)
        assert (refused.code, refused.out) == (3, "")
        assert refused.err == "error: phi serve is not running\n  → to start it: phi serve --background\n"
    assert phi("stop", "--json").json["error"]["code"] == "not_found"


def test_a_server_in_the_background_answers_is_listed_and_stops(
    phi: Phi, phi_home: Path, state: Callable[[], dict[str, Any]]
) -> None:
    started = phi("serve", "--background")
    assert started.code == 0, started.err
    path = state()["socket"]
    assert started.out == f"unix:{path}\n"
    answer = ask(path, "POST", "/v1/chat/completions", QUESTION)
    assert answer["choices"][0]["message"]["content"] == "The capital of France is Paris."
    listed = phi("ps")
    assert listed.code == 0
    head, row = listed.out.splitlines()
    assert head.split("  ")[0] == "MODEL"
    assert row.startswith("tiny-phi")
    assert "without use it ends in 30 minutes" in listed.err
    (model,) = phi("ps", "--json").json["data"]["models"]
    assert model["model"].startswith("tiny-phi")
    stopped = phi("stop", "tiny-phi")
    assert (stopped.code, stopped.out) == (0, "")
    assert f"unloaded {model['model']}\n" in stopped.err
    assert phi("ps", "--json").json["data"]["models"] == []
    again = phi("stop", "tiny-phi")
    assert again.code == 3
    assert again.err == "error: model 'tiny-phi' is not loaded\n  → see the loaded models: phi ps\n"
    assert phi("stop", "--json").json["data"] == {"stopped": [], "ended": False}
    pid = state()["pid"]
    assert phi("stop", "--all").code == 0
    assert gone(pid)
    assert not Path(path).exists()
    assert phi("stop", "--all").code == 3
    log = (phi_home / "state" / "logs" / "serve.log").read_text()
    assert "Traceback" not in log, log


def test_a_server_of_another_version_is_named_and_can_be_ended(
    phi: Phi, phi_home: Path, state: Callable[[], dict[str, Any]]
) -> None:
    phi("serve", "--background")
    file = phi_home / "state" / "serve" / "serve.json"
    facts = state()
    file.write_text(json.dumps(facts | {"version": "0.0.1", "schema": 2}))
    refused = phi("serve", "--background")
    assert refused.code == 2
    assert "phi serve of version 0.0.1 runs, but this is version" in refused.err
    assert "phi stop --all" in refused.err
    assert phi("ps").code == 2
    file.write_text(json.dumps(facts))
    assert phi("stop", "--all").code == 0
    assert gone(facts["pid"])


def test_a_server_in_a_terminal_is_found_too(phi: Phi, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "phicli", "serve", "--port", "0"]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        address = first.stdout.readline().strip()
        data = phi("ps", "--json").json["data"]
        assert (data["server"]["pid"], data["server"]["address"]) == (first.pid, address)
        assert data["server"]["background"] is False
        assert data["server"]["ends_at"] is None
        again = phi("serve", "--background")
        assert (again.code, again.out) == (0, f"{address}\n")
        assert "already running" in again.err
        with subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as second:
            assert second.stdout is not None
            assert second.stderr is not None
            assert second.stdout.readline().startswith("http://127.0.0.1:")
            assert "another phi serve runs for this user" in second.stderr.readline()
            second.send_signal(signal.SIGTERM)
        assert phi("stop", "--all").code == 0
        assert first.wait(60) == 0


def test_a_model_in_use_is_not_unloaded(phi: Phi, state: Callable[[], dict[str, Any]]) -> None:
    phi("serve", "--background")
    path = state()["socket"]
    connection = UnixConnection(Path(path), 60)
    body = QUESTION | {"stream": True, "max_tokens": 1000, "messages": [{"role": "user", "content": "Tell a story."}]}
    text = json.dumps(body)
    connection.connect()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(text) + 1}\r\n\r\n{text}"
    connection.sock.sendall(head.encode())  # one byte is missing: the request runs until it comes
    wait_until(lambda: phi("ps", "--json").json["data"]["server"]["idle_s"] == 0)
    refused = phi("stop", "--all")
    assert refused.code == 2
    assert "error: in use: 1 request\n" in refused.err
    assert "--force" in refused.err
    assert phi("ps", "--json").json["data"]["running"] is True
    pid = state()["pid"]
    assert phi("stop", "--all", "--force").code == 0
    assert gone(pid)
    connection.close()


def test_a_model_and_all_contradict_each_other(phi: Phi) -> None:
    refused = phi("stop", "tiny-phi", "--all")
    assert refused.code == 2
    assert "--all unloads all models, but one was named" in refused.err


@pytest.mark.parametrize("body", [b"x", b"[]", b'{"model": 1}', b"\xff", b"[" * 100_000])
def test_an_order_that_makes_no_sense_is_refused(phi: Phi, state: Callable[[], dict[str, Any]], body: bytes) -> None:
    phi("serve", "--background")
    connection = UnixConnection(Path(state()["socket"]), 60)
    connection.request("POST", "/phi/stop", body)
    reply = connection.getresponse()
    assert reply.status == 400
    assert json.loads(reply.read())["error"]["message"]
    connection.close()
