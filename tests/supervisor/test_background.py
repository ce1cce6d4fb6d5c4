"""``phi serve --background``, as people use it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from phicli.server.residence import ENDS_AFTER
from phicli.supervisor import background
from phicli.supervisor.background import DETACHED, Wanted, start
from tests.supervisor.asking import QUESTION, ask
from tests.support.processes import gone
from tests.support.running import Phi, Run
from tests.support.waiting import wait_until

KEY = "correct-horse"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")


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


def test_a_port_that_the_running_server_does_not_have_is_an_error(
    phi: Phi, state: Callable[[], dict[str, Any]]
) -> None:
    phi("serve", "--background")
    pid = state()["pid"]
    for more in ((), ("--json",)):
        refused = phi("serve", "--background", "--port", "0", *more, PHI_SERVE_KEY=KEY)
        assert refused.code == 2
    refused = phi("serve", "--background", "--port", "0", PHI_SERVE_KEY=KEY)
    assert refused.out == ""
    assert refused.err == (
        "error: phi serve already runs, and has no port\n  → end it with: phi stop --all; then run the command again\n"
    )
    assert state()["pid"] == pid


def test_another_port_or_key_than_that_of_the_running_server(phi: Phi, state: Callable[[], dict[str, Any]]) -> None:
    first = phi("serve", "--background", "--port", "0", PHI_SERVE_KEY=KEY)
    port = first.out.strip().rpartition(":")[2]
    again = phi("serve", "--background", "--port", "0", PHI_SERVE_KEY=KEY)
    assert (again.code, again.out, again.err) == (0, first.out, "already running\n")
    assert phi("serve", "--background", PHI_SERVE_KEY=KEY).err == "already running\n"
    refused = phi("serve", "--background", "--port", "1", PHI_SERVE_KEY=KEY)
    assert refused.code == 2
    assert f"already runs, and listens on http://127.0.0.1:{port}\n" in refused.err
    other = phi("serve", "--background", "--port", "0", PHI_SERVE_KEY="another-key")
    assert (other.code, other.out) == (0, first.out)
    assert other.err.startswith("already running, with another key\n")
    assert KEY not in other.err
    assert "another-key" not in other.err
    data = phi("serve", "--background", "--json", PHI_SERVE_KEY="another-key").json["data"]
    assert (data["already_running"], data["other_options"]) == (True, True)
    assert ask(state()["socket"], "POST", "/phi/key", {"key": KEY}) == {"same": True}
    assert ask(state()["socket"], "POST", "/phi/key", {"key": 1}) == {"same": False}


def test_a_start_that_fails_gives_its_own_reason_and_exit_code(phi: Phi, phi_home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        failed = phi("serve", "--background", "--port", port, PHI_SERVE_KEY="k" * 40)
    assert (failed.code, failed.out) == (2, "")
    assert f"error: port {port} is in use\n" in failed.err
    assert "→ use another port" in failed.err
    place = phi_home / "state" / "serve"
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


@pytest.mark.process
def test_ctrl_c_just_before_it_waits_is_seen_and_ends_what_was_started(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float | None] = []
    started: list[int] = []

    def interrupted(*ends: Any) -> Any:  # as Python, which sees a signal between two waits only
        limits.append(ends[3] if len(ends) > 3 else None)
        started.extend(child.pid for child in psutil.Process().children())
        raise KeyboardInterrupt

    before = {child.pid for child in psutil.Process().children()}
    monkeypatch.setattr(background, "select", SimpleNamespace(select=interrupted))  # others wait by it, too
    with pytest.raises(KeyboardInterrupt):
        start(Wanted(["serve", "--background"]), version="1")
    assert limits[0] is not None
    (pid,) = set(started) - before
    assert gone(pid)


@pytest.mark.process
def test_ctrl_c_while_the_process_is_made_ends_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As early as can be: before the command knows that there is a process."""
    make, started = subprocess.Popen.__init__, list[subprocess.Popen[bytes]]()

    def interrupted(self: subprocess.Popen[bytes], *given: Any, **more: Any) -> None:
        make(self, *given, **more)
        started.append(self)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(subprocess.Popen, "__init__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start(Wanted(["serve", "--background"]), version="1")
    (process,) = started
    assert gone(process.pid)
    process.wait()


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


def test_a_signal_ends_it_cleanly(phi: Phi, state: Callable[[], dict[str, Any]], phi_home: Path) -> None:
    phi("serve", "--background")
    facts = state()
    os.kill(facts["pid"], signal.SIGTERM)
    assert gone(facts["pid"])
    assert {path.name for path in (phi_home / "state" / "serve").iterdir()} == {"serve.lock"}
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


def test_an_idle_server_ends(phi: Phi) -> None:
    def start() -> Run:
        return phi("serve", "--background", "--json", **{ENDS_AFTER: "1"})

    pid = start().json["data"]["pid"]
    wait_until(lambda: phi("ps", "--json").json["data"]["running"] is False)
    assert gone(pid)
    assert start().json["data"]["already_running"] is False


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
