"""Native kernels in the commands: a notice that is said once, what doctor and recommend report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from phicli.engine.kernels import Kernels
from tests.support.kernels import COMPILER, CRASHING, compiled, native_module, save_in
from tests.support.running import Phi, Run

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler")
ASK = ("chat", "tiny-phi", "What is the capital of France?")


@pytest.fixture
def home(environment: dict[str, str], tmp_path: Path) -> Path:
    """The folder of a phi that has no kernels, whatever the tests run on."""
    environment["PHI_HOME"] = str(tmp_path / "other")
    return tmp_path / "other"


def kernels(home: Path, folder: Path, **about: Any) -> Kernels:
    """A file that is not a module, saved like one."""
    path = folder / "libggml-cpu-zen4.so"
    path.write_text("not a module")
    saved = save_in(home, path, **about)
    assert saved is not None
    return saved


def notes(run: Run) -> list[str]:
    assert run.code == 0
    assert run.out == "The capital of France is Paris.\n"
    return [line for line in run.err.splitlines() if "kernels" in line]


def test_without_kernels_nothing_is_said(home: Path, phi: Phi) -> None:
    assert notes(phi(*ASK)) == []


def test_an_upgrade_of_the_engine_is_said_once(home: Path, phi: Phi, tmp_path: Path) -> None:
    kernels(home, tmp_path, engine="1.2.3")
    (note,) = notes(phi(*ASK))
    assert note.startswith("note: the native kernels are not used: they are for xllamacpp 1.2.3, but ")
    assert note.endswith("; build them again: phi engine build")
    assert notes(phi(*ASK)) == []


def test_a_home_that_is_shared_with_another_machine_is_said_once(home: Path, phi: Phi, tmp_path: Path) -> None:
    kernels(home, tmp_path, processor="Another Processor 9000")
    assert notes(phi(*ASK, "--quiet")) == []
    (note,) = notes(phi(*ASK))
    assert "built for another processor: Another Processor 9000" in note
    assert notes(phi(*ASK)) == []


def test_a_damaged_module_is_said_once(home: Path, phi: Phi, tmp_path: Path) -> None:
    kernels(home, tmp_path)
    (tmp_path / "libggml-cpu-zen4.so").write_text("not a m0dule")
    (note,) = notes(phi(*ASK))
    assert "libggml-cpu-zen4.so is damaged" in note
    assert notes(phi(*ASK)) == []


def test_a_module_that_cannot_be_loaded_is_said_once(home: Path, phi: Phi, tmp_path: Path) -> None:
    kernels(home, tmp_path)
    (note,) = notes(phi(*ASK))
    assert "it cannot be opened" in note
    assert notes(phi(*ASK)) == []
    done = phi("doctor", "--json")
    assert done.code == 9
    assert [problem["code"] for problem in done.json["data"]["problems"]] == ["kernels_unusable"]


@pytest.mark.parametrize(("command", "found"), [("bench", "runs"), ("eval", "evaluations")])
def test_results_name_the_kernels_that_really_ran(
    home: Path, phi: Phi, tmp_path: Path, command: str, found: str
) -> None:
    """The module is taken for native kernels until an engine loads it."""
    kernels(home, tmp_path)
    items = tmp_path / "items.jsonl"
    items.write_text('{"id": "ping", "question": "ping", "answer": "pong", "compare": "exact"}\n')
    more = ("--quick",) if command == "bench" else ("--set", str(items))
    done = phi(command, "tiny-phi", *more, "--quiet", "--json")
    assert done.code == 0
    (one,) = done.json["data"][found]
    assert one["build"].startswith("xllamacpp ")
    assert "kernels" not in one["build"]


@needs_compiler
def test_a_module_that_crashes_is_said_once(home: Path, phi: Phi, tmp_path: Path) -> None:
    assert save_in(home, compiled(tmp_path, CRASHING)) is not None
    (note,) = notes(phi(*ASK))
    assert "the engine crashed with SIGABRT while it loaded a model" in note
    assert notes(phi(*ASK)) == []
    done = phi("doctor")
    assert done.code == 9
    assert "kernels    wheel: the native kernels are not used: the engine crashed" in done.out
    assert "build them again: phi engine build" in done.out


@needs_compiler
def test_doctor_itself_survives_a_module_that_crashes(home: Path, phi: Phi, tmp_path: Path) -> None:
    assert save_in(home, compiled(tmp_path, CRASHING)) is not None
    found = phi("doctor", "--json").json["data"]
    assert [problem["code"] for problem in found["problems"]] == ["kernels_unusable"]
    assert found["answer_ms"] > 0
    assert found["engine"]["native"]["variant"] is None


def test_doctor_names_the_kernels_of_the_package(home: Path, phi: Phi) -> None:
    done = phi("doctor", "--json")
    assert done.code == 0
    engine = done.json["data"]["engine"]
    assert (engine["native"]["variant"], engine["native"]["reason"]) == (None, "no native kernels were built")
    assert "kernels)" not in engine["build"]


def test_recommend_has_the_kernels_as_data(home: Path, phi: Phi) -> None:
    here = phi("recommend", "--json").json["data"]
    assert set(here["hardware"]["native_kernels"]) == {"instruction_sets", "gain", "notice"}
    simulated = phi("recommend", "--machine", "laptop-16gb", "--json").json["data"]
    assert simulated["hardware"]["native_kernels"] == {"instruction_sets": [], "gain": None, "notice": ""}
    assert not any("phi engine build" in note for note in simulated["notes"])


@pytest.mark.skipif(native_module() is None, reason="PHI_TEST_KERNELS names no module")
def test_native_kernels_are_in_every_record(phi: Phi, environment: dict[str, str]) -> None:
    module = native_module()
    assert module is not None
    variant = module.stem.rpartition("-")[2]
    build = phi("--version").out.splitlines()[1].removeprefix("engine: ")
    assert build.endswith(f" ({variant} kernels)")
    assert f"engine: {build}" in phi(*ASK, "-v").err
    doctor = phi("doctor", "--json").json["data"]["engine"]
    assert (doctor["build"], doctor["native"]["variant"]) == (build, variant)
    (run,) = phi("bench", "tiny-phi", "--quick", "--quiet", "--json").json["data"]["runs"]
    assert run["build"] == build
    (saved,) = phi("runs", "list", "--json").json["data"]["runs"]
    assert saved["build"] == build
    folder = Path(environment["PHI_HOME"]) / "data" / "engines"
    (folder / "use").write_text("wheel")
    assert phi("--version").out.splitlines()[1] == f"engine: {build.partition(' (')[0]}"
    refused = phi("bench", "tiny-phi", "--quick", "--quiet", "--baseline", "last", "--fail-below", "0.5")
    assert refused.code == 2
    assert "engine build" in refused.err
