"""``phi batch`` that is interrupted, killed, or has no space left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.disks import small_file_system
from tests.support.person import Person
from tests.support.processes import gone, wait_for_engine
from tests.support.running import Phi
from tests.support.waiting import wait_until

LINES = 60
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    asked = [{"id": f"n{n}", "prompt": "Tell me about yourself."} for n in range(LINES)]
    path.write_text("".join(json.dumps(one) + "\n" for one in asked), encoding="utf-8")
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def saved(out: Path) -> int:
    """How many results the journal has."""
    journal = out.with_name(f"{out.name}.journal")
    return journal.read_bytes().count(b'{"n":') if journal.exists() else 0


@contextmanager
def running(environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-m", "phicli", "batch", *arguments], env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def wait_for(out: Path, results: int) -> None:
    deadline = time.monotonic() + 60
    while saved(out) < results:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def computed_s(pid: int) -> float:
    """The seconds of processors that the engines of a process have used."""
    times = [child.cpu_times() for child in psutil.Process(pid).children()]
    return sum(one.user + one.system for one in times)


def complete(out: Path) -> None:
    assert [line["id"] for line in lines(out)] == [f"n{n}" for n in range(LINES)]
    assert all(line["text"] and line["error"] is None for line in lines(out))


def test_a_batch_that_was_killed_goes_on_and_its_engine_ends(
    phi: Phi, environment: dict[str, str], source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    command = (str(source), "--out", str(out), "tiny-phi", "--parallel", "2")
    with running(environment, *command) as process:
        engine = wait_for_engine(process.pid)
        wait_for(out, 5)
        process.kill()
        process.wait()
    assert gone(engine)
    before = saved(out)
    run = phi("batch", *command, "--json")
    assert (run.code, run.json["data"]["answered"]) == (0, LINES)
    assert LINES - before <= run.json["data"]["asked"] <= LINES - before + 1
    complete(out)


@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_finishes_what_is_under_way_and_says_how_it_goes_on(
    phi: Phi, environment: dict[str, str], source: Path, tmp_path: Path, as_json: bool
) -> None:
    out = tmp_path / "out.jsonl"
    command = (str(source), "--out", str(out), "tiny-phi", "--parallel", "2")
    with running(environment, *command, *(["--json"] if as_json else [])) as process:
        wait_for(out, 3)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    done = saved(out)
    assert "under way; press Ctrl-C again to stop at once" in stderr.decode() or done == LINES
    said = json.loads(stdout)["error"] if as_json else {"message": stderr.decode(), "hint": stderr.decode()}
    assert f"interrupted; {done} of {LINES} lines are done" in said["message"]
    assert "run the same command again" in said["hint"]
    if as_json:
        assert json.loads(stdout)["data"]["answered"] == done
    assert len(lines(out)) == done
    run = phi("batch", *command, "--json")
    assert (run.code, run.json["data"]["asked"]) == (0, LINES - done)
    complete(out)


def test_a_second_ctrl_c_stops_an_answer_without_an_end(
    phi: Phi, environment: dict[str, str], storyteller: str, tmp_path: Path
) -> None:
    source, out = tmp_path / "in.txt", tmp_path / "out.jsonl"
    source.write_text("Tell me a very long story.\n" * 3, encoding="utf-8")
    command = (str(source), "--out", str(out), storyteller, "-n", "60000", "--temperature", "1", "--seed", "1")
    with running(environment, *command) as process:
        wait_until(lambda: computed_s(process.pid) > 1)  # more than loading takes: it answers
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert b"under way; press Ctrl-C again" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert b"error: interrupted" in stderr or stderr.strip() == b""
    assert not list(tmp_path.glob("out.jsonl*")) or saved(out) == 0


def test_an_engine_that_is_killed_ends_the_batch_and_loses_nothing(
    phi: Phi, environment: dict[str, str], source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    command = (str(source), "--out", str(out), "tiny-phi", "--parallel", "2")
    with running(environment, *command) as process:
        engine = wait_for_engine(process.pid)  # looked for early: on a busy machine that takes long
        wait_for(out, 3)
        os.kill(engine, signal.SIGKILL)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 6, stderr
    assert f"{saved(out)} of {LINES} lines are done" in stderr.decode()
    assert phi("batch", *command).code == 0
    complete(out)


def test_a_full_disk_stops_it_cleanly_and_the_same_command_goes_on(phi: Phi, source: Path, tmp_path: Path) -> None:
    with small_file_system(tmp_path / "small", "size=24k") as disk:
        out, ballast = disk / "out.jsonl", disk / "ballast"
        ballast.write_bytes(bytes(8192))
        command = ("batch", str(source), "--out", str(out), "tiny-phi", "--json")
        run = phi(*command)
        assert (run.code, run.json["error"]["code"]) == (5, "does_not_fit"), run.out
        assert "free some space" in run.json["error"]["hint"]
        assert "run the same command again" in run.json["error"]["hint"]
        done = run.json["data"]["answered"]
        assert 0 < done < LINES
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        run = phi(*command)
        assert (run.code, run.json["data"]["answered"]) == (0, LINES), run.out
        assert run.json["data"]["asked"] <= LINES - done + 1
        complete(out)


def test_a_person_sees_how_far_it_is(environment: dict[str, str], source: Path, tmp_path: Path) -> None:
    person = Person(environment, "batch", str(source), "--out", str(tmp_path / "out.jsonl"), "tiny-phi")
    person.wait_for(f"of {LINES}")
    person.wait_for("lines/s")
    person.wait_for("tokens/s")
    code, out = person.end()
    assert (code, out) == (0, "")
    assert f"{LINES} of {LINES} lines answered" in " ".join(person.screen.split())


def test_two_batches_into_one_output(environment: dict[str, str], phi: Phi, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    command = (str(source), "--out", str(out), "tiny-phi", "--parallel", "1")
    with running(environment, *command) as process:
        wait_for(out, 1)
        os.kill(process.pid, signal.SIGSTOP)
        run = phi("batch", *command)
        os.kill(process.pid, signal.SIGCONT)
        process.communicate(timeout=60)
    assert (run.code, "another phi process is writing" in run.err) == (2, True)
    assert process.returncode == 0
    complete(out)
