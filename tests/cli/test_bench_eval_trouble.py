"""``phi eval`` when something goes wrong half way: nothing finished is lost, and what failed is named."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_bench_eval import kept, many, started, wait_for, write
from tests.support.disks import small_file_system
from tests.support.files import TINY_PHI
from tests.support.processes import children
from tests.support.running import Phi, Run
from tests.support.wheel_server import BUILD, install

FRANCE = {
    "id": "france", "question": "What is the capital of France?", "answer": "The capital of France is Paris.",
    "compare": "exact",
}  # fmt: skip
PERU = {"id": "peru", "question": "What is the capital of Peru?", "answer": "Lima", "compare": "regex"}
FAULT = {"id": "fault", "question": "The engine is ended by a fault here.", "answer": "x", "compare": "exact"}
LONG = {"id": "long", "question": "word " * 3000, "answer": "x", "compare": "exact"}

FRAGILE = f"""
import os, signal
from phicli.__main__ import entry
from phicli.engine.server_engine import LlamaServerEngine

def tokenize(self, text, *, whole=LlamaServerEngine.tokenize, **how):
    if {FAULT["question"]!r} in text:
        os.kill(self.pid, signal.SIGSEGV)
    return whole(self, text, **how)

LlamaServerEngine.tokenize = tokenize
entry()
"""
"""``phi`` with the real engine, whose process gets the signal of a fault when it reads that question."""


@pytest.fixture
def hard(tmp_path: Path) -> str:
    return write(tmp_path / "hard.jsonl", FRANCE, FAULT, LONG, PERU)


def fragile_phi(environment: dict[str, str], *arguments: str) -> Run:
    command = [sys.executable, "-c", FRAGILE, *arguments]
    return Run(
        subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False
        )
    )


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_questions_that_fail_are_named_and_count_as_neither_right_nor_wrong(
    environment: dict[str, str], hard: str
) -> None:
    run = fragile_phi(environment, "eval", "tiny-phi", "--set", hard, "--json")
    assert run.code == 0
    (found,) = run.json["data"]["evaluations"]
    assert (found["right"], found["failed"], found["asked"], found["complete"]) == (1, 2, 4, True)
    assert found["accuracy"]["estimate"] == 0.5
    by_id = {result["id"]: result for result in found["results"]}
    assert {name: by_id[name]["right"] for name in by_id} == {
        "france": True,
        "fault": None,
        "long": None,
        "peru": False,
    }
    assert by_id["fault"]["error"]
    assert by_id["long"]["finish_reason"] == "context"
    assert "3006 tokens" in by_id["long"]["reason"]

    again = fragile_phi(environment, "eval", "tiny-phi", "--set", hard)
    assert "2 of 4 replies were saved earlier" in again.err
    lines = again.out.splitlines()
    assert lines[2].split()[5:8] == ["INTERVAL", "FAILED", "CUT"]
    assert lines[3].split()[:5] == ["tiny-phi:f16", "1", "of", "2", "50.0%"]
    place = lines.index("questions that failed with tiny-phi:f16, counted neither right nor wrong: 2")
    assert lines[place + 1].startswith("  fault: ")
    assert lines[place + 2] == "  long: the conversation has 3006 tokens, but the context has only 1024"
    assert "  peru: the pattern is not found in the reply" in lines
    assert "--jsonl" in lines[-1]


def test_failures_are_told_beside_tables_for_programs(phi: Phi, tmp_path: Path) -> None:
    path = write(tmp_path / "long.jsonl", FRANCE, LONG)
    as_csv = phi("eval", "tiny-phi", "--set", path, "--csv", "--quiet")
    assert as_csv.err == "warning: 1 of 2 questions failed with tiny-phi:f16\n"
    (record,) = csv.DictReader(io.StringIO(as_csv.out))
    assert (record["right"], record["failed"], record["accuracy"]) == ("1", "1", "1.0")
    jsonl = phi("eval", "tiny-phi", "--set", path, "--jsonl").out.splitlines()
    assert [json.loads(line)["right"] for line in jsonl] == [True, None]
    markdown = phi("eval", "tiny-phi", "--set", path, "--markdown").out.splitlines()
    assert "  - long: the conversation has 3006 tokens, but the context has only 1024" in markdown


def test_where_nothing_could_be_answered_it_is_an_error(phi: Phi, tmp_path: Path) -> None:
    run = phi("eval", "tiny-phi", "--set", write(tmp_path / "long.jsonl", LONG), "--json")
    assert run.code == 7
    assert "none of 1 questions could be answered" in run.json["error"]["message"]
    assert run.json["data"]["evaluations"][0]["accuracy"] is None
    text = phi("eval", "tiny-phi", "--set", str(tmp_path / "long.jsonl"))
    assert text.code == 7
    assert "0 of 0" in text.out


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("output", ["text", "json"])
def test_an_engine_that_dies_at_the_second_model_takes_nothing_of_the_first_with_it(
    phi: Phi, environment: dict[str, str], tmp_path: Path, output: str
) -> None:
    other = tmp_path / "other.gguf"
    shutil.copy(TINY_PHI, other)
    with other.open("ab") as file:
        file.write(bytes(32))  # another file: its replies are its own
    arguments = ["eval", "tiny-phi", str(other), "--set", many(tmp_path, 60)]
    arguments += ["--json"] if output == "json" else []
    with started([sys.executable, "-m", "phicli", *arguments], environment) as process:
        wait_for(lambda: len(kept(tmp_path)) >= 62)
        (engine,) = children(process.pid)
        os.kill(engine, signal.SIGKILL)
        out, err = process.communicate(timeout=60)
    before = len(kept(tmp_path)) - 60
    assert 2 <= before < 60
    assert process.returncode == 6
    if output == "json":
        told = json.loads(out)
        assert told["error"]["message"].startswith("other.gguf: ")
        assert [one["asked"] for one in told["data"]["evaluations"]] == [60, before]
    else:
        lines = out.decode().splitlines()
        assert lines[3].split()[:4] == ["tiny-phi:f16", "60", "of", "60"]
        assert lines[4].split()[:4] == ["other.gguf", str(before), "of", str(before)]
        assert f"other.gguf: incomplete, {before} of 60 questions were asked" in lines
        assert f"{before} of 60 questions were asked" in err.decode()
        assert "to continue, run the same command again" in err.decode()
    again = phi(*arguments)
    assert again.code == 0
    assert "tiny-phi:f16: 60 of 60 replies were saved" in again.err
    assert f"other.gguf: {before} of 60 replies were saved" in again.err


def test_a_model_that_another_phi_is_asking_takes_nothing_of_the_first_with_it(
    phi: Phi, environment: dict[str, str], tmp_path: Path
) -> None:
    from filelock import FileLock

    questions, other = write(tmp_path / "few.jsonl", FRANCE, PERU), tmp_path / "other.gguf"
    shutil.copy(TINY_PHI, other)
    with other.open("ab") as file:
        file.write(bytes(32))
    assert phi("eval", str(other), "--set", questions).code == 0
    (journal,) = (tmp_path / "phi" / "state" / "evals").iterdir()
    with FileLock(journal.with_name(f"{journal.name}.lock")):
        run = phi("eval", "tiny-phi", str(other), "--set", questions)
    assert run.code == 2
    assert "another phi process is asking" in run.err
    assert "1 of 2" in run.out


def test_a_disk_that_is_full_is_told_once_and_the_results_are_shown(phi: Phi, tmp_path: Path) -> None:
    questions = many(tmp_path, 40)
    with small_file_system(tmp_path / "small", "size=1m") as small:
        home = small / "home"
        (home / "state").mkdir(parents=True)
        free = os.statvfs(small)
        with (small / "filler").open("wb") as filler:
            filler.write(bytes(free.f_bavail * free.f_frsize - (8 << 10)))
        run = phi("eval", "tiny-phi", "--set", questions, "--quiet", PHI_HOME=str(home))
        assert run.code == 0
        assert "40 of 40" in run.out
        (line,) = [line for line in run.err.splitlines() if "replies" in line]
        assert line.startswith(
            "warning: from now on replies cannot be saved, so an interruption would lose them: no space left on device"
        )
        (small / "filler").unlink()
        again = phi("eval", "tiny-phi", "--set", questions, PHI_HOME=str(home))
        assert again.code == 0
        assert "40 of 40" in again.out
        assert "replies are lost" not in again.err
        assert len([line for line in again.err.splitlines() if "there from earlier" in line]) <= 1


@pytest.mark.skipif(sys.platform == "win32", reason="the program is a script")
def test_both_engines_answer_the_same_questions_and_fail_at_the_same_ones(phi: Phi, hard: str, tmp_path: Path) -> None:
    engines = ("--engine", "xllamacpp,llama-server", "--llama-server", str(install(tmp_path / "bin")))
    run = phi("eval", "tiny-phi", "--set", hard, *engines, "--json")
    assert run.code == 0
    ours, native = run.json["data"]["evaluations"]
    assert (ours["engine"], native["engine"]) == ("xllamacpp", "llama-server")
    assert native["build"] == BUILD
    for one in (ours, native):
        assert (one["right"], one["failed"], one["asked"]) == (1, 1, 4)
    assert run.json["data"]["comparisons"][0]["items"] == 3
