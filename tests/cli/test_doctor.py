"""``phi doctor`` in a shell."""

from __future__ import annotations

import os
import re
import socket
import sys
from pathlib import Path

import pytest

from tests.support.disks import small_file_system
from tests.support.hub import LoopbackHub
from tests.support.running import Phi
from tests.support.wheel_server import BUILD, install

KEYS = {
    "phi",
    "python",
    "huggingface_hub",
    "engine",
    "other_engines",
    "hub",
    "gpu",
    "memory",
    "cache",
    "answer_ms",
    "problems",
}


def codes(data: dict[str, list[dict[str, str]]]) -> list[str]:
    """The problems, without what this machine itself may lack."""
    own = {"gpu_unused", "memory_too_small", "disk_full"}
    return [problem["code"] for problem in data["problems"] if problem["code"] not in own]


def data_of(run: object) -> dict[str, list[dict[str, str]]]:
    data = run.json["data"]  # type: ignore[attr-defined]
    assert isinstance(data, dict)
    return data


def test_offline_the_hub_is_not_asked_and_not_a_problem(phi: Phi) -> None:
    data = data_of(phi("doctor", "--json"))
    assert data.keys() >= KEYS
    assert data["hub"]["reachable"] is None  # type: ignore[call-overload]
    assert data["answer_ms"] > 0  # type: ignore[operator]
    assert codes(data) == []


def test_a_hub_that_answers_is_asked_once(online: Phi, hub: LoopbackHub) -> None:
    run = online("doctor")
    assert re.search(rf"^  hub +{re.escape(hub.environment['HF_ENDPOINT'])}: reachable", run.out, re.MULTILINE)
    assert re.search(r"^  answer +tiny-phi took [0-9.]+ s", run.out, re.MULTILINE)


def test_a_hub_that_does_not_answer_is_a_problem(phi: Phi) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: refused
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        run = phi("doctor", "--json", HF_HUB_OFFLINE="", HF_ENDPOINT=endpoint)
    assert run.code == 9
    assert run.json["error"]["code"] == "check_failed"
    data = data_of(run)
    assert codes(data) == ["hub_unreachable"]
    assert data["hub"]["reachable"] is False  # type: ignore[call-overload]
    (problem,) = (one for one in data["problems"] if one["code"] == "hub_unreachable")
    assert endpoint in problem["message"]
    assert problem["hint"]


def test_a_read_only_cache(phi: Phi, tmp_path: Path) -> None:
    with small_file_system(tmp_path / "disk", "ro,size=1m") as disk:
        run = phi("doctor", HF_HUB_CACHE=str(disk))
    assert run.code == 9
    assert f"the cache {disk}: " in run.out
    assert "HF_HUB_CACHE" in run.out
    assert re.search(r"^error: [0-9]+ problems? found$", run.err, re.MULTILINE)


def test_settings_that_cannot_be_read_are_named_and_do_not_stop_it(phi: Phi, environment: dict[str, str]) -> None:
    file = Path(environment["PHI_HOME"]) / "config" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("[chat\n")
    run = phi("doctor", "--json")
    assert run.code == 9
    assert codes(data_of(run)) == ["settings_broken"]


def test_settings_that_stop_other_commands_are_named(phi: Phi, environment: dict[str, str]) -> None:
    file = Path(environment["PHI_HOME"]) / "config" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('nonsense = 3\n[recommend]\ncontext = "abc"\n')
    run = phi("doctor", "--json")
    assert run.code == 9
    assert codes(data_of(run)) == ["settings_broken", "settings_broken"]
    messages = " ".join(problem["message"] for problem in data_of(run)["problems"])
    assert "nonsense" in messages
    assert "abc" in messages


def test_an_engine_that_is_set_and_is_not_here_is_named(phi: Phi, tmp_path: Path) -> None:
    nowhere = {"PHI_ENGINE": "llama-server", "PHI_LLAMA_SERVER": str(tmp_path / "nowhere")}
    run = phi("doctor", "--json", **nowhere)
    (problem,) = data_of(run)["problems"]
    assert problem["message"] == f"PHI_ENGINE=llama-server: program not found: {tmp_path / 'nowhere'}"
    assert codes(data_of(phi("doctor", "--json", PHI_BENCH_ENGINE="xllamacpp"))) == []


def test_a_home_that_cannot_be_written(phi: Phi, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    run = phi("doctor", "--json", PHI_HOME=str(file))
    assert codes(data_of(run)) == ["state_read_only"]


@pytest.mark.skipif(sys.platform == "win32", reason="the program is a script")
def test_a_llama_server_on_path_is_shown(phi: Phi, tmp_path: Path) -> None:
    program = install(tmp_path / "bin")
    path = {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    assert re.search(rf"^  other engine +{re.escape(BUILD)} at {program}$", phi("doctor", **path).out, re.MULTILINE)
    (found,) = data_of(phi("doctor", "--json", **path))["other_engines"]
    assert found == {"name": "llama-server", "path": str(program), "build": BUILD, "failure": None}
    program.write_text("#!/bin/sh\necho hello\n")
    broken = phi("doctor", "--json", **path)
    (found,) = data_of(broken)["other_engines"]
    assert (found["build"], codes(data_of(broken))) == (None, [])
    assert "does not report a version" in found["failure"]
