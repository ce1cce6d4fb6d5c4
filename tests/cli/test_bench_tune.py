"""``phi autotune`` in a shell, on the embedded model, and what chat, show and recommend make of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from phicli.hardware.cpu_facts import describe_cpu
from tests.support.files import TINY_PHI
from tests.support.processes import children, gone
from tests.support.running import Phi, Run
from tests.support.waiting import wait_until
from tests.support.wheel_server import BUILD, install

FEW = ("--threads", "1", "--kv-type", "f16", "--flash-attention", "auto", "--batch-size", "128", "--quick")
"""Values that leave little to try."""

QUIET, SPOILT = 9.0, -9.0
"""Shares of the processors that others may use: of more than all of them, and of less than nothing."""


def tune(environment: dict[str, str], share: float, *more: str, home: str = "") -> Run:
    """``phi autotune tiny-phi``, where what other programs do in the time of a test does not matter."""
    code = (
        "import sys\n"
        "from phicli.bench.measuring import surroundings\n"
        f"surroundings._SPOILT_SHARES = ({share}, {share})\n"
        "from phicli.app import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", code, "autotune", "tiny-phi", *more]
    given = environment | ({"PHI_HOME": home} if home else {})
    return Run(subprocess.run(command, env=given, stdin=subprocess.DEVNULL, capture_output=True, check=False))


def settings(phi: Phi, *more: str, **environment: str) -> dict[str, object]:
    data = phi("chat", "tiny-phi", "hello", "--json", "-n", "2", *more, **environment).json["data"]
    return dict(data["settings"])


def methods(shown: dict[str, Any]) -> list[str]:
    """Where the speeds come from that ``phi show`` has."""
    return [row["speed"]["method"] for row in shown["on_this_machine"]["rows"] if row["speed"]]


def entries(home: str) -> list[Path]:
    return sorted((Path(home) / "data" / "tuned").glob("*.json"))


def last_run(phi: Phi) -> dict[str, Any]:
    return dict(phi("runs", "show", "last", "--json").json["data"])


def test_winners_are_found_kept_used_shown_told_stale_and_forgotten(phi: Phi, environment: dict[str, str]) -> None:
    home = environment["PHI_HOME"]
    assert settings(phi)["tuned"] is False

    run = tune(environment, QUIET, *FEW)
    assert run.code == 0
    for part in ("Before and after", "conversation", "Tried", "threads 1"):
        assert part in run.out
    assert "phi chat" in run.err
    tuning = last_run(phi)
    assert tuning["kind"] == "tune"
    assert {speed["variant_id"] for speed in tuning["data"]["speeds"]} == {"tiny-phi"}

    # a chat takes what is kept; here it is changed by hand, so that it is not the default by chance
    [path] = entries(home)
    data = json.loads(path.read_text())
    data["tuned"][0]["winners"]["one_answer"] |= {"threads": 1, "batch_tokens": 64, "default": False, "ratio": 1.25}
    path.write_text(json.dumps(data))
    used = settings(phi)
    assert (used["tuned"], used["threads"], used["batch_tokens"]) == (True, 1, 64)
    assert settings(phi, "--threads", "2")["threads"] == 2

    shown = phi("show", "tiny-phi")
    assert "Tuned on this machine" in shown.out
    assert "1.25 x" in shown.out
    data_shown = phi("show", "tiny-phi", "--json").json["data"]
    [on_file] = data_shown["tuned"]
    assert on_file["winners"]["one_answer"]["threads"] == 1
    assert methods(data_shown) == ["measured"]

    data["tuned"][0]["build"] = "xllamacpp 1"
    data["marks"] = {}
    path.write_text(json.dumps(data))
    quiet = phi("chat", "tiny-phi", "hello", "-n", "2", "--quiet")
    assert quiet.err == ""
    told = phi("chat", "tiny-phi", "hello", "--json", "-n", "2")
    assert "xllamacpp 1" in told.err
    assert "phi autotune tiny-phi" in told.err
    assert told.json["data"]["settings"]["tuned"] is False
    assert phi("chat", "tiny-phi", "hello", "--json", "-n", "2").err == ""  # once

    forgotten = phi("autotune", "--reset", "tiny-phi", "--json").json["data"]
    assert forgotten == {"forgotten": ["tiny-phi"], "files": 1}
    assert entries(home) == []
    assert "no tuned settings are saved" in phi("autotune", "--reset").err


def test_of_a_search_between_the_work_of_others_nothing_is_kept(phi: Phi, environment: dict[str, str]) -> None:
    """Neither winners for ``phi chat``, nor speeds that ``phi recommend`` would call measured."""
    home = environment["PHI_HOME"]
    run = tune(environment, SPOILT, *FEW, "--json")
    assert (run.code, run.json["command"]) == (0, "autotune")
    assert "the machine was busy" in run.err
    [tuning] = run.json["data"]["tunings"]
    assert {one["use"] for one in tuning["uses"]} == {"one_answer", "conversation", "batch"}
    assert not any(one["changed"] for one in tuning["uses"])
    assert tuning["trials"][0]["prefill_ms"] > 0
    assert tuning["trials"][0]["start_ms"] > 0
    assert (tuning["complete"], tuning["kept"]) == (True, False)
    assert tuning["build"].startswith("xllamacpp ")
    assert "the machine was busy" in tuning["warnings"][0]
    assert entries(home) == []
    assert "speeds" not in last_run(phi)["data"]
    assert "measured" not in methods(phi("show", "tiny-phi", "--json").json["data"])
    assert last_run(phi)["data"]["warnings"] == tuning["warnings"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "no model was given"),
        (("tiny-phi", "--engine", "ollama"), 2, "--engine"),
        (("tiny-phi", "--llama-server", "x"), 2, "--llama-server requires --engine llama-server"),
        (("tiny-phi", "--engine", "llama-server", "--llama-server", "/no/such/program"), 3, "program not found"),
        (("tiny-phi", "--engine", "xllamacpp,llama-server", "--llama-server", sys.executable), 6, "does not report"),
        (("--reset", "--engine", "llama-server"), 2, "--reset cannot be combined"),
        (("tiny-phi", "--csv"), 2, "--csv"),
        (("tiny-phi", "--gpu-layers", "3"), 2, "--gpu-layers"),
        (("no-such-model",), 3, "no-such-model"),
        (("--reset", "no-such-model"), 3, "no-such-model"),
    ],
)
def test_what_makes_no_sense(phi: Phi, arguments: tuple[str, ...], code: int, words: str) -> None:
    run = phi("autotune", *arguments)
    assert (run.code, run.out) == (code, "")
    assert words in run.err


def test_a_home_that_cannot_be_written_is_told(environment: dict[str, str]) -> None:
    threads = str(describe_cpu()[0].physical_cores)  # those of the default: nothing is left to try
    run = tune(environment, QUIET, *FEW, "--threads", threads, "--json", home="/dev/null/nowhere")
    assert run.code == 0
    assert "phi chat cannot use these settings" in run.err
    [tuning] = run.json["data"]["tunings"]
    assert (tuning["complete"], tuning["kept"]) == (True, False)


def test_what_was_found_of_one_model_is_shown_when_the_next_one_fails(
    environment: dict[str, str], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(TINY_PHI.read_bytes().replace(b"blk.3.ffn_down.weight", b"blk.9.ffn_down.weight"))
    threads = str(describe_cpu()[0].physical_cores)
    run = tune(environment, QUIET, str(bad), *FEW, "--threads", threads, "--json")
    assert (run.code, run.json["error"]["code"]) == (6, "engine")
    assert [(one["model"], one["kept"]) for one in run.json["data"]["tunings"]] == [("tiny-phi", True)]
    assert len(entries(environment["PHI_HOME"])) == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_ctrl_c_shows_what_was_found_and_keeps_nothing(environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "phicli", "autotune", "tiny-phi", "--json"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    workers: set[int] = set()

    def two_engines_came() -> bool:
        workers.update(children(process.pid))
        return len(workers) > 1

    wait_until(two_engines_came)  # by then it compares settings
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in errors, errors.decode()
    envelope = json.loads(out)
    assert envelope["error"]["code"] == "interrupted"
    [tuning] = envelope["data"]["tunings"]
    assert (tuning["complete"], tuning["kept"]) == (False, False)
    assert entries(environment["PHI_HOME"]) == []
    assert all(gone(worker) for worker in workers)


@pytest.mark.skipif(sys.platform == "win32", reason="the program is a script")
def test_an_engine_that_is_faster_is_used_by_chat_while_it_is_there(
    phi: Phi, environment: dict[str, str], tmp_path: Path
) -> None:
    program = install(tmp_path / "bin")
    environment["PATH"] = f"{program.parent}{os.pathsep}{environment['PATH']}"
    run = tune(environment, QUIET, *FEW, "--engine", "llama-server,xllamacpp", "--json")
    assert run.code == 0, run.err
    ours, other = run.json["data"]["tunings"]
    assert (ours["engine"], ours["against"], other["engine"]) == ("xllamacpp", None, "llama-server")
    assert (ours["kept"], other["kept"], other["build"]) == (True, True, BUILD)
    assert other["against"]["build"] == ours["build"]
    assert {one["use"] for one in other["against"]["compared"]} == {"one_answer", "conversation", "batch"}
    assert last_run(phi)["data"].get("speeds") is None

    # both are the same engine here, so that one is faster is written by hand
    [path] = entries(environment["PHI_HOME"])
    data = json.loads(path.read_text())
    entry = next(one for one in data["tuned"] if one["engine"] == "llama-server")
    assert (entry["program"], entry["faster_than"]) == (str(program), ours["build"])
    entry["faster"] = {"one_answer": 1.25}
    entry["winners"]["one_answer"]["batch_tokens"] = 64
    path.write_text(json.dumps(data))
    found = phi("chat", "tiny-phi", "hello", "--json", "-n", "2").json["data"]
    assert (found["build"], found["settings"]["tuned"], found["settings"]["batch_tokens"]) == (BUILD, True, 64)
    asked = phi("chat", "tiny-phi", "hello", "--json", "-n", "2", "--engine", "xllamacpp").json["data"]
    assert (asked["engine"], asked["settings"]["tuned"], asked["settings"]["batch_tokens"]) == ("xllamacpp", True, 128)
    assert "one answer (1.25 x): phi chat uses llama-server" in phi("show", "tiny-phi").out
    assert {one["engine"] for one in phi("show", "tiny-phi", "--json").json["data"]["tuned"]} == {
        "xllamacpp", "llama-server",
    }  # fmt: skip

    program.unlink()
    told = phi("chat", "tiny-phi", "hello", "--json", "-n", "2")
    assert told.json["data"]["engine"] == "xllamacpp"
    assert "one of the two has changed or is missing" in told.err
    assert "phi autotune tiny-phi --engine xllamacpp,llama-server" in told.err
    assert phi("chat", "tiny-phi", "hello", "--json", "-n", "2").err == ""  # once
    assert phi("autotune", "--reset", "tiny-phi", "--json").json["data"]["files"] == 1


@pytest.mark.skipif(sys.platform == "win32", reason="the program is a script")
def test_one_engine_alone_is_tuned_and_not_compared(phi: Phi, environment: dict[str, str], tmp_path: Path) -> None:
    program = ("--engine", "llama-server", "--llama-server", str(install(tmp_path / "bin")))
    run = tune(environment, QUIET, *FEW, *program)
    assert run.code == 0, run.err
    assert f"with {BUILD}" in run.out
    assert "Against" not in run.out
    assert phi("chat", "tiny-phi", "hello", "--json", "-n", "2").json["data"]["engine"] == "xllamacpp"
    found = phi("chat", "tiny-phi", "hello", "--json", "-n", "2", *program).json["data"]
    assert (found["engine"], found["settings"]["tuned"]) == ("llama-server", True)


@pytest.mark.skipif(sys.platform == "win32", reason="the program is a script")
def test_on_a_busy_machine_engines_are_not_compared(environment: dict[str, str], tmp_path: Path) -> None:
    program = install(tmp_path / "bin")
    engines = ("--engine", "xllamacpp,llama-server", "--llama-server", str(program))
    run = tune(environment, SPOILT, *FEW, *engines, "--json")
    assert run.code == 0
    _, other = run.json["data"]["tunings"]
    assert (other["kept"], other["against"]) == (False, None)
    assert any("were not compared" in warning for warning in other["warnings"])
    assert entries(environment["PHI_HOME"]) == []
