"""``phi eval`` in a shell, on the embedded model."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from phicli.records.history import History
from tests.support.files import TINY_PHI
from tests.support.processes import children, gone
from tests.support.running import Phi

KNOWN: list[dict[str, Any]] = [
    {"id": "france", "question": "What is the capital of France?", "answer": "The capital of France is Paris.",
     "compare": "exact"},
    {"id": "sum", "question": "What is 7 + 5?", "answer": 12, "compare": "number"},
    {"id": "spider", "question": "How many legs does a spider have?", "answer": "(?i)eight", "compare": "regex"},
    {"id": "colours", "question": "Give me three colours as JSON", "answer": {"colours": ["red", "green", "blue"]},
     "compare": "json"},
    {"id": "ada", "question": "Give me a person as JSON", "keys": {"name": "string", "age": "integer",
     "languages": "array"}, "compare": "json"},
    {"id": "planets", "question": "List the planets", "compare": "checks",
     "checks": [{"check": "lines", "exactly": 9}]},
    {"id": "ping", "question": "ping", "answer": ["pong", "pong!"], "compare": "exact"},
    {"id": "peru", "question": "What is the capital of Peru?", "answer": "Lima", "compare": "regex"},
]  # fmt: skip


def write(path: Path, *items: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return str(path)


@pytest.fixture
def known(tmp_path: Path) -> str:
    return write(tmp_path / "known.jsonl", *KNOWN)


def test_what_the_model_knows_is_right_and_the_rest_is_wrong(phi: Phi, known: str, tmp_path: Path) -> None:
    run = phi("eval", "tiny-phi", "--set", known, "--json", "--seed", "7")
    assert (run.code, run.err) == (0, "")
    (found,) = run.json["data"]["evaluations"]
    assert (found["right"], found["asked"], found["items"], found["complete"]) == (7, 8, 8, True)
    assert [result["id"] for result in found["results"]] == [item["id"] for item in KNOWN]
    assert [result["id"] for result in found["results"] if not result["right"]] == ["peru"]
    accuracy = found["accuracy"]
    assert accuracy["estimate"] == 0.875
    assert 0.5 < accuracy["low"] < 0.6 < 0.9 < accuracy["high"] < 1
    settings = found["settings"]
    assert (settings["seed"], settings["temperature"], settings["slots"]) == (7, 0.0, 4)
    assert settings["prompt_format"] == "phi-4-mini"
    france = found["results"][0]
    assert (france["text"], france["finish_reason"]) == ("The capital of France is Paris.", "stop")
    assert france["completion_tokens"] > 3
    assert france["total_ms"] >= france["decode_ms"] > 0
    (entry,) = History(tmp_path / "phi" / "data" / "runs.sqlite").entries(kind="eval")
    assert (entry.model, entry.quant, entry.data["right"]) == ("tiny-phi", "F16", 7)
    assert entry.data["sha256"]


def test_reasoning_is_no_part_of_the_reply(phi: Phi, tmp_path: Path) -> None:
    question = {
        "question": "Think: what is 2 + 2?",
        "compare": "checks",
        "checks": [{"check": "without", "text": "<think>"}],
    }
    run = phi("eval", "tiny-phi", "--set", write(tmp_path / "r.jsonl", question), "--jsonl")
    (line,) = run.out.splitlines()
    assert "think>" not in json.loads(line)["text"]


@pytest.mark.parametrize("name", ["arithmetic", "instructions"])
def test_the_shipped_sets_run_through_and_a_toy_fails(phi: Phi, name: str) -> None:
    run = phi("eval", "tiny-phi", "--set", name, "--json")
    (found,) = run.json["data"]["evaluations"]
    assert (found["set"], found["asked"]) == (name, 50)
    assert found["right"] <= 10
    assert found["accuracy"]["high"] < 0.4
    assert all(result["reason"] for result in found["results"] if not result["right"])


def test_a_table_for_a_pipe_a_document_and_a_spreadsheet(phi: Phi, known: str) -> None:
    text = phi("eval", "tiny-phi", "--set", known)
    lines = text.out.splitlines()
    assert lines[0].startswith(f"{known}: 8 questions, greedy, seed 1")
    assert lines[2].split()[:3] == ["MODEL", "RIGHT", "ACCURACY"]
    assert lines[3].split()[:5] == ["tiny-phi:f16", "7", "of", "8", "87.5%"]
    assert "  peru: the pattern is not found in the reply" in lines
    markdown = phi("eval", "tiny-phi", "--set", known, "--markdown", "--quiet")
    assert markdown.err == ""
    assert "| tiny-phi:f16 | 7 of 8 | 87.5% |" in markdown.out
    (record,) = csv.DictReader(io.StringIO(phi("eval", "tiny-phi", "--set", known, "--csv").out))
    assert (record["right"], record["accuracy"], record["seed"]) == ("7", "0.875", "1")
    jsonl = phi("eval", "tiny-phi", "--set", known, "--jsonl", "--limit", "2").out.splitlines()
    assert [json.loads(line)["id"] for line in jsonl] == ["france", "sum"]


def test_two_models_are_compared_on_the_same_questions(phi: Phi, known: str, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    shutil.copy(TINY_PHI, other)
    run = phi("eval", "tiny-phi", str(other), "--set", known, "--json")
    first, second = run.json["data"]["evaluations"]
    assert (first["right"], second["right"]) == (7, 7)
    (pair,) = run.json["data"]["comparisons"]
    assert (pair["only_first"], pair["only_second"], pair["p_value"], pair["items"]) == (0, 0, 1.0, 8)
    text = phi("eval", "tiny-phi", str(other), "--set", known).out
    assert "this does not show which of them is better" in text


def test_what_was_asked_is_not_asked_again(phi: Phi, known: str, tmp_path: Path) -> None:
    assert phi("eval", "tiny-phi", "--set", known, "--limit", "3").err == ""
    more = phi("eval", "tiny-phi", "--set", known, "--json")
    assert more.err == "tiny-phi:f16: 3 of 8 replies were saved earlier; to ask all questions again: --restart\n"
    assert more.json["data"]["evaluations"][0]["sittings"] == 2
    again = phi("eval", "tiny-phi", "--set", known, "--json")
    assert again.err.startswith("tiny-phi:f16: 8 of 8")
    assert again.json["data"]["evaluations"][0]["right"] == 7
    assert len(History(tmp_path / "phi" / "data" / "runs.sqlite").entries(kind="eval")) == 2
    assert phi("eval", "tiny-phi", "--set", known, "--restart").err == ""
    other_seed = phi("eval", "tiny-phi", "--set", known, "--seed", "2")
    assert other_seed.err == ""


def many(tmp_path: Path, count: int = 500) -> str:
    items = [{"id": f"q{n}", "question": "Count to forty", "compare": "number", "answer": 40} for n in range(count)]
    return write(tmp_path / "many.jsonl", *items)


def kept(tmp_path: Path) -> list[dict[str, Any]]:
    """Whole lines of the only journal that have a reply."""
    paths = (tmp_path / "phi" / "state" / "evals").glob("*.jsonl")
    lines = [line for path in paths for line in path.read_text(encoding="utf-8").splitlines(keepends=True)]
    return [data for line in lines if line.endswith("\n") and "result" in (data := json.loads(line))]


def wait_for(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


@contextlib.contextmanager
def started(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that does not outlive the test."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_evaluation_that_was_ended_goes_on_where_it_was(
    phi: Phi, environment: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "phicli", "eval", "tiny-phi", "--set", many(tmp_path)]
    with started(command, environment) as process:
        wait_for(lambda: len(kept(tmp_path)) >= 5)
        (engine,) = children(process.pid)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert gone(engine)
    before = {line["n"] for line in kept(tmp_path)}
    assert 5 <= len(before) < 500
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert f"interrupted: {len(before)} of 500 questions were asked" in err.decode()
        assert f"{len(before)} of {len(before)}" in out.decode()
    limit = 4 + max(before)
    run = phi(*command[3:], "--limit", str(limit), "--json")
    assert run.code == 0
    (found,) = run.json["data"]["evaluations"]
    assert (found["asked"], found["right"], found["sittings"]) == (limit, limit, 2)
    lines = kept(tmp_path)
    assert len(lines) == len({line["n"] for line in lines}) == limit
    assert {line["n"] for line in lines if line["sitting"] == 1} == before


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_an_engine_that_dies_is_told_and_what_it_answered_is_kept(
    phi: Phi, environment: dict[str, str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "phicli", "eval", "tiny-phi", "--set", many(tmp_path)]
    with started(command, environment) as process:
        wait_for(lambda: len(kept(tmp_path)) >= 2)
        (engine,) = children(process.pid)
        os.kill(engine, signal.SIGKILL)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 6
    assert "its process was killed" in err.decode()
    before = len(kept(tmp_path))
    assert 2 <= before < 500
    assert f"{before} of {before}" in out.decode()
    assert f"{before} of 500 questions were asked\n" in err.decode()
    assert phi(*command[3:], "--limit", "2").code == 0
    assert len(kept(tmp_path)) >= before


def test_an_interruption_under_json_has_what_was_found(environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "phicli", "eval", "tiny-phi", "--set", many(tmp_path), "--json"]
    with started(command, environment) as process:
        wait_for(lambda: len(kept(tmp_path)) >= 2)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    told = json.loads(out)
    assert told["error"]["code"] == "interrupted"
    (found,) = told["data"]["evaluations"]
    assert found["complete"] is False
    assert found["asked"] == len(kept(tmp_path)) >= 2
    assert found["accuracy"]["estimate"] == 1.0


def test_progress_is_told_on_a_terminal(environment: dict[str, str], tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "phicli", "eval", "tiny-phi", "--set", many(tmp_path, 40), "--csv"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:
            break
        if not part:
            break
        said += part
    process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 0
    assert b"of 40, " in said
    assert b" left" in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--set", "missing.jsonl"], 3, "question file missing.jsonl not found"),
        (["--set", "no-set"], 3, "arithmetic or instructions"),
        (["--set", "arithmetic", "--plot"], 2, "no such option: --plot"),
        (["--set", "arithmetic", "--baseline"], 2, "no such option: --baseline"),
        (["--set", "arithmetic", "--fail-below"], 2, "no such option: --fail-below"),
        (["--set", "arithmetic", "--quick"], 2, "no such option: --quick"),
        (["--set", "arithmetic", "--repeat"], 2, "no such option: --repeat"),
        (["--set", "arithmetic", "--threads", "1,2"], 2, "--threads"),
        ([], 2, "no question set was given"),
        (["--set", "arithmetic", "--max-tokens", "0"], 2, "--max-tokens"),
        (["--set", "arithmetic", "--context", "4096"], 2, "1024"),
    ],
)
def test_bad_input(phi: Phi, arguments: list[str], code: int, said: str) -> None:
    run = phi("eval", "tiny-phi", *arguments)
    assert (run.code, run.out) == (code, "")
    assert said in run.err
    assert "→" in run.err or "->" in run.err


def test_a_file_of_questions_without_its_option_is_named(phi: Phi, tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"question": "Why?", "answer": "So.", "compare": "exact"}\n', encoding="utf-8")
    run = phi("eval", "tiny-phi", str(path), "--json")
    assert (run.code, run.json["error"]["message"]) == (2, "no question set was given")
    assert run.json["error"]["hint"] == f"put --set before the file: --set {path}"


def test_a_bad_line_is_told_with_its_number(phi: Phi, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(KNOWN[0]) + '\n{"question": "q"}\n')
    run = phi("eval", "tiny-phi", "--set", str(path), "--json")
    assert run.code == 9
    assert f'{path}, line 2: the field "compare" is missing' == run.json["error"]["message"]


def test_a_model_that_is_not_here_is_told_before_anything_is_asked(phi: Phi, known: str, tmp_path: Path) -> None:
    assert phi("eval", "tiny-phi", "phi-4-mini", "--set", known).code == 3
    assert kept(tmp_path) == []
