"""``phi serve --background``, ``phi ps`` and ``phi stop``, as people use them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from phicli.server.residence import ENDS_AFTER
from phicli.supervisor.background import DETACHED
from phicli.supervisor.client import UnixConnection
from tests.support.processes import gone
from tests.support.running import Phi, Run
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")

QUESTION = {"model": "tiny-phi", "messages": [{"role": "user", "content": "What is the capital of France?"}]}


@pytest.fixture
def home(environment: dict[str, str]) -> Path:
    return Path(environment["PHI_HOME"])


@pytest.fixture
def state(home: Path) -> Callable[[], dict[str, Any]]:
    """Reads the state file of the server."""
    return lambda: json.loads((home / "state" / "serve" / "serve.json").read_text())


@pytest.fixture
def phi(phi: Phi, home: Path) -> Iterator[Phi]:
    """The command; what it starts in the background ends with the test."""
    yield phi
    phi("stop", "--all", "--force")
    file = home / "state" / "serve" / "serve.json"
    if file.exists():
        pid = json.loads(file.read_text())["pid"]
        if psutil.pid_exists(pid) and "serve" in psutil.Process(pid).cmdline():
            os.kill(pid, signal.SIGKILL)


def ask(path: str, method: str, target: str, body: Any = None) -> Any:
    connection = UnixConnection(Path(path), 60)
    connection.request(method, target, json.dumps(body), {"Content-Type": "application/json"})
    reply = connection.getresponse()
    content = json.loads(reply.read())
    connection.close()
    return content


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
    phi: Phi, home: Path, state: Callable[[], dict[str, Any]]
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
    assert f"stopped {model['model']}\n" in stopped.err
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
    log = (home / "state" / "logs" / "serve.log").read_text()
    assert "Traceback" not in log, log


def test_it_is_a_process_of_its_own_session_that_keeps_no_folder(phi: Phi, state: Callable[[], dict[str, Any]]) -> None:
    phi("serve", "--background")
    process = psutil.Process(state()["pid"])
    assert os.getsid(process.pid) == process.pid
    assert process.cwd() == "/"
    assert process.terminal() is None
    assert {Path(f"/proc/{process.pid}/fd/{n}").readlink().name for n in (1, 2)} == {"serve.log"}


def test_a_second_start_says_that_one_runs(phi: Phi, state: Callable[[], dict[str, Any]]) -> None:
    first = phi("serve", "--background")
    pid = state()["pid"]
    second = phi("serve", "--background")
    assert (second.code, second.out) == (0, first.out)
    assert second.err == "already running\n"
    data = phi("serve", "--background", "--json").json["data"]
    assert data["already_running"] is True
    assert data["pid"] == pid == state()["pid"]
    other = phi("serve", "--background", "--parallel", "3")
    assert other.code == 0
    assert "already running, with other options: phi serve\n" in other.err
    assert "phi stop --all" in other.err


def test_a_server_of_another_version_is_named_and_can_be_ended(
    phi: Phi, home: Path, state: Callable[[], dict[str, Any]]
) -> None:
    phi("serve", "--background")
    file = home / "state" / "serve" / "serve.json"
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


def test_a_start_that_fails_gives_its_own_reason_and_exit_code(phi: Phi, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        failed = phi("serve", "--background", "--port", port, PHI_SERVE_KEY="k" * 40)
    assert (failed.code, failed.out) == (2, "")
    assert f"error: port {port} is in use\n" in failed.err
    assert "→ use another port" in failed.err
    place = home / "state" / "serve"
    place.chmod(0o755)
    refused = phi("serve", "--background")
    assert refused.code == 2
    assert "may be entered by other users" in refused.err
    assert f"chmod 700 {place}" in refused.err
    assert phi("ps").code == 2
    place.chmod(0o700)
    assert phi("ps").code == 0


def in_the_child(folder: Path, code: str) -> dict[str, str]:
    """Variables with which the process in the background, and no other, runs ``code`` first."""
    folder.mkdir()
    indented = "\n".join(f"    {line}" for line in code.splitlines())
    (folder / "sitecustomize.py").write_text(f"import os\nif {DETACHED!r} in os.environ:\n{indented}\n")
    return {"PYTHONPATH": str(folder)}


def test_a_start_that_is_killed_says_so(phi: Phi, tmp_path: Path) -> None:
    code = "os.write(2, b'the last words\\n')\nos.kill(os.getpid(), 9)"
    killed = phi("serve", "--background", **in_the_child(tmp_path / "child", code))
    assert (killed.code, killed.out) == (6, "")
    assert "phi serve was killed by signal 9 before it was ready; its log ends with: the last words" in killed.err
    assert "serve.log" in killed.err
    left = phi("serve", "--background", **in_the_child(tmp_path / "other", "os._exit(3)"))
    assert "phi serve ended with exit code 3 before it was ready" in left.err


def test_ctrl_c_while_it_starts_ends_what_was_started(environment: dict[str, str], tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\nimport time\ntime.sleep(600)"
    more = in_the_child(tmp_path / "child", code)
    with subprocess.Popen(
        [sys.executable, "-m", "phicli", "serve", "--background"], env=environment | more, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as starting:  # fmt: skip
        wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")
        starting.send_signal(signal.SIGINT)
        assert starting.wait(60) == 130
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_killed_server_takes_its_engines_along_and_the_next_one_starts(
    phi: Phi, state: Callable[[], dict[str, Any]]
) -> None:
    phi("serve", "--background")
    before = state()
    ask(before["socket"], "POST", "/v1/chat/completions", QUESTION)
    workers = [child.pid for child in psutil.Process(before["pid"]).children(recursive=True)]
    assert workers
    os.kill(before["pid"], signal.SIGKILL)
    assert all(gone(pid) for pid in workers)
    assert Path(before["socket"]).exists()
    assert phi("ps", "--json").json["data"]["running"] is False
    assert phi("stop", "--all").code == 3
    assert phi("serve", "--background").code == 0
    assert state()["pid"] != before["pid"]
    assert phi("ps", "--json").json["data"]["running"] is True


def test_a_signal_ends_it_cleanly(phi: Phi, state: Callable[[], dict[str, Any]], home: Path) -> None:
    phi("serve", "--background")
    facts = state()
    os.kill(facts["pid"], signal.SIGTERM)
    assert gone(facts["pid"])
    assert {path.name for path in (home / "state" / "serve").iterdir()} == {"serve.lock"}
    assert not Path(facts["socket"]).exists()


def test_folders_that_were_named_from_here_stay_the_same(
    phi: Phi, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The process in the background leaves this folder."""
    monkeypatch.chdir(tmp_path)
    more = {"PHI_HOME": "phi", "HF_HOME": "hf"}
    try:
        started = phi("serve", "--background", "--quiet", **more)
        assert (started.code, started.err) == (0, "")
        answer = ask(started.out.strip().removeprefix("unix:"), "POST", "/v1/chat/completions", QUESTION)
        assert answer["choices"][0]["message"]["content"] == "The capital of France is Paris."
    finally:
        assert phi("stop", "--all", **more).code == 0
    assert list(Path(os.sep).glob("phi/*")) == []


def test_it_outlives_the_shell_that_started_it(
    phi: Phi, environment: dict[str, str], state: Callable[[], dict[str, Any]]
) -> None:
    script = f'"{sys.executable}" -m phicli serve --background && echo started && sleep 60'
    with subprocess.Popen(
        ["bash", "-c", script], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as shell:  # fmt: skip
        assert shell.stdout is not None
        assert shell.stdout.readline().startswith("unix:")
        assert shell.stdout.readline() == "started\n"
        os.killpg(shell.pid, signal.SIGKILL)
    data = phi("ps", "--json").json["data"]
    assert data["server"]["pid"] == state()["pid"]


def test_two_that_start_at_once_become_one(phi: Phi, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "phicli", "serve", "--background", "--json"]
    for _ in range(3):
        both = [
            subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            for _ in range(2)
        ]
        replies = [one.communicate(timeout=120) for one in both]
        assert [one.returncode for one in both] == [0, 0], replies
        data = [json.loads(out)["data"] for out, _ in replies]
        assert data[0]["pid"] == data[1]["pid"]
        assert sorted(one["already_running"] for one in data) == [False, True]
        assert phi("stop", "--all").code == 0


def test_an_idle_server_ends(phi: Phi, environment: dict[str, str], state: Callable[[], dict[str, Any]]) -> None:
    def start() -> Run:
        return phi("serve", "--background", **{ENDS_AFTER: "0.1"})

    assert start().code == 0
    pid = state()["pid"] if (Path(environment["PHI_HOME"]) / "state" / "serve" / "serve.json").exists() else None
    wait_until(lambda: phi("ps", "--json").json["data"]["running"] is False)
    assert pid is None or gone(pid)
    assert start().code == 0


def test_a_long_home_has_its_socket_in_the_folder_for_temporary_files(
    phi: Phi, environment: dict[str, str], tmp_path: Path
) -> None:
    short = tmp_path / "r"
    short.mkdir()
    long = str(tmp_path / ("long" * 30))
    temporary = tempfile.gettempdir()
    more = {"PHI_HOME": long, "TMPDIR": temporary}
    try:
        started = phi("serve", "--background", **more)
        assert started.code == 0, started.err
        path = Path(started.out.strip().removeprefix("unix:"))
        assert path.is_socket()
        assert path.parent.parent == Path(temporary)
        elsewhere = {**more, "TMPDIR": str(short), "XDG_RUNTIME_DIR": str(short)}
        assert phi("ps", "--json", **elsewhere).json["data"]["server"]["socket"] == str(path)
    finally:
        stopped = phi("stop", "--all", **more)
    assert stopped.code == 0
    assert not path.parent.exists()


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


def test_a_model_in_use_is_not_stopped(phi: Phi, state: Callable[[], dict[str, Any]]) -> None:
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
    assert "--all stops all models, but one was named" in refused.err


@pytest.mark.parametrize("body", [b"x", b"[]", b'{"model": 1}', b"\xff", b"[" * 100_000])
def test_an_order_that_makes_no_sense_is_refused(phi: Phi, state: Callable[[], dict[str, Any]], body: bytes) -> None:
    phi("serve", "--background")
    connection = UnixConnection(Path(state()["socket"]), 60)
    connection.request("POST", "/phi/stop", body)
    reply = connection.getresponse()
    assert reply.status == 400
    assert json.loads(reply.read())["error"]["message"]
    connection.close()
