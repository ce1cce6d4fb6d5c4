"""The sides of a comparison: their environments, kernels, rates; and a model that is loaded in another process."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

import phicli
from benchmarks.loaded import cost, serve
from benchmarks.processes import measure
from benchmarks.sides import checkout, checkouts, is_native, private_environment
from tests.benchmarks.loaded_fakes import loaded

TINY_PHI = Path(phicli.__file__).with_name("data") / "tiny-phi.gguf"


def test_settings_of_phi_in_the_environment_do_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PHI_THREADS", "1")
    monkeypatch.setenv("OTHER", "kept")
    environment = private_environment(tmp_path)
    assert environment["PHI_HOME"] == str(tmp_path)
    assert environment["OTHER"] == "kept"
    assert "PHI_THREADS" not in environment


def test_native_kernels_are_copied_into_a_home_of_their_own(tmp_path: Path) -> None:
    saved = tmp_path / "home" / "data" / "engines" / "1-zen4-abc"
    saved.mkdir(parents=True)
    (saved / "kernels.json").write_text("{}")
    wheel, native = checkouts("both", tmp_path / "work", tmp_path / "home")
    assert (wheel.kernels, native.kernels) == ("wheel", "native")
    assert (Path(native.environment["PHI_HOME"]) / "data" / "engines" / "1-zen4-abc" / "kernels.json").exists()
    assert not Path(wheel.environment["PHI_HOME"]).exists()


def test_missing_native_kernels_are_named_with_the_command_that_builds_them(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"native kernels not found in .*engines\n→ build them: phi engine build"):
        checkouts("native", tmp_path, tmp_path / "home")


def test_the_build_says_whether_its_kernels_are_native() -> None:
    assert is_native("xllamacpp 2026.10.11549 (zen4 kernels)")
    assert not is_native("xllamacpp 2026.10.11549")


def test_rates_are_tokens_per_second_and_per_cpu_second_times_threads() -> None:
    reply = {"first_s": 2.0, "first_cpu_s": 4.0, "rest_s": 1.0, "rest_cpu_s": 1.6}
    model = loaded([reply, reply], threads=2)
    rate = model.prompt_rate(range(100))
    assert (rate.clock, rate.cpu) == (50.0, 50.0)
    rate = model.generation_rate([1], 8)
    assert (rate.clock, rate.cpu) == (8.0, 10.0)
    assert model.process.stdin is not None
    asked = [json.loads(line) for line in model.process.stdin.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert [(len(one["prompt"]), one["tokens"]) for one in asked] == [(100, 1), (1, 9)]


def test_requests_are_answered_line_by_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"prompt": [1, 2], "tokens": 3}\n'))
    seen: list[object] = []

    def stream(prompt: list[int], tokens: int) -> list[int]:
        seen.append((prompt, tokens))
        return [0] * tokens

    serve(stream, {"build": "1"})
    about, reply = map(json.loads, capsys.readouterr().out.splitlines())
    assert about == {"build": "1"}
    assert reply.keys() == {"first_s", "first_cpu_s", "rest_s", "rest_cpu_s"}
    assert seen == [([1, 2], 3)]


def test_a_stream_without_a_token_has_no_cost() -> None:
    with pytest.raises(ValueError, match="unpack"):
        cost([])


@pytest.mark.process
def test_a_model_is_loaded_as_phi_loads_it_and_answers_requests(tmp_path: Path) -> None:
    side = checkout("wheel", tmp_path)
    with side.loaded(TINY_PHI, "one answer", "on") as model:
        assert model.settings["repack"] is True
        assert model.build.startswith("xllamacpp ")
        assert model.prompt_rate([5, 6, 7]).clock > 0
        assert model.generation_rate([8], 4).clock > 0


@pytest.mark.process
def test_kernels_that_were_not_loaded_are_an_error(tmp_path: Path) -> None:
    empty = tmp_path / "home" / "data" / "engines"
    empty.mkdir(parents=True)
    side = checkout("native", tmp_path, tmp_path / "home")
    with (
        pytest.raises(RuntimeError, match="has not loaded the native kernels: xllamacpp"),
        side.loaded(TINY_PHI, "one answer"),
    ):
        pass


@pytest.mark.process
def test_a_question_is_asked_as_an_argument_or_through_a_pipe(tmp_path: Path) -> None:
    side = checkout("wheel", tmp_path)
    for piped in (False, True):
        run = side.first_token(TINY_PHI, "What is the capital of France?", piped=piped)
        assert run.peak_rss_bytes > 0
        assert run.first_output_cpu_s > 0


@pytest.mark.process
def test_a_command_that_does_not_end_is_ended_after_some_output() -> None:
    program = "import time\nwhile True: print('x', flush=True); time.sleep(0.01)"
    assert measure([sys.executable, "-c", program], pieces=3).first_output_s > 0


@pytest.mark.process
@pytest.mark.parametrize(("program", "pieces"), [("raise SystemExit('why')", None), ("raise SystemExit('why')", 3)])
def test_a_command_that_prints_nothing_is_an_error(program: str, pieces: int | None) -> None:
    with pytest.raises(RuntimeError, match="ended with 1 and printed b'': why"):
        measure([sys.executable, "-c", program], pieces=pieces)


@pytest.mark.process
def test_a_command_reads_its_standard_input() -> None:
    program = "import sys; sys.exit(sys.stdin.read() != 'abc' or print('ok'))"
    measure([sys.executable, "-c", program], text="abc")


@pytest.mark.process
def test_a_model_whose_process_ended_is_an_error(tmp_path: Path) -> None:
    with checkout("wheel", tmp_path).loaded(TINY_PHI, "one answer") as model:
        model.process.kill()
        model.process.wait()
        with pytest.raises(RuntimeError, match="the process with the model ended with"):
            model.prompt_rate([5, 6, 7])
