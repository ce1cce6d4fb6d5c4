"""``--engine ctransformers``: chat and bench, what it refuses, and an installation without it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.lookback import NEEDS_CTRANSFORMERS, write_lookback, write_script
from tests.support.processes import gone
from tests.support.running import Phi
from tests.support.waiting import wait_until

ENGINE = ("--engine", "ctransformers")
SMALL = ("-p", "8", "-n", "2", "-r", "1")
WORDS = ["The", "▁capital", "▁of", "▁France", "▁is", "▁Paris", "."]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.gguf"
    write_script(path, WORDS)
    return path


@NEEDS_CTRANSFORMERS
def test_it_answers_like_the_default_engine(phi: Phi, script: Path) -> None:
    found, usual = (phi("chat", str(script), "Where?", *more, "--json").json["data"] for more in (ENGINE, ()))
    assert found["text"] == usual["text"] == "The capital of France is Paris."
    assert found["engine"] == "ctransformers"
    assert found["build"].startswith("ctransformers ")
    assert found["usage"] == usual["usage"]


@NEEDS_CTRANSFORMERS
@pytest.mark.parametrize(
    ("arguments", "problem", "others"),
    [
        (["--schema", "{}"], "hold an answer to a schema or a grammar", "--engine xllamacpp or --engine llama-server"),
        (["--choice", "a,b"], "hold an answer to a schema or a grammar", "--engine xllamacpp or --engine llama-server"),
        (["--regex", "a+"], "hold an answer to a regular expression or a grammar in Lark", "--engine xllamacpp"),
        (["--choice", "a,b", "--dry-run"], "hold an answer", "--engine xllamacpp or --engine llama-server"),
        (["--logprobs", "2"], "report the probabilities of tokens", "--engine xllamacpp or --engine llama-server"),
    ],
)
def test_it_says_that_it_holds_no_forms_and_reports_no_probabilities(
    phi: Phi, script: Path, arguments: list[str], problem: str, others: str
) -> None:
    run = phi("chat", str(script), "Where?", *ENGINE, *arguments, "--json")
    assert (run.code, run.json["error"]["code"]) == (2, "usage")
    assert run.json["error"]["message"].startswith(f"ctransformers cannot {problem}")
    assert run.json["error"]["hint"] == f"use an engine that can: {others}"


@NEEDS_CTRANSFORMERS
def test_bench_compares_it(phi: Phi, script: Path) -> None:
    run = phi("bench", str(script), "--engine", "xllamacpp,ctransformers", *SMALL, "--json")
    assert run.code == 0, run.err
    runs = run.json["data"]["runs"]
    assert [one["engine"] for one in runs] == ["xllamacpp", "ctransformers"]
    assert runs[1]["build"].startswith("ctransformers ")
    assert all(one["decode_tps"]["mean"] > 0 and one["prompt_tps"]["mean"] > 0 for one in runs)


@NEEDS_CTRANSFORMERS
def test_bench_compares_no_quality_with_it(phi: Phi, tmp_path: Path) -> None:
    files = [tmp_path / f"model-{quant}.gguf" for quant in ("F16", "Q8_0")]
    for file in files:
        write_lookback(file, quant=file.stem.removeprefix("model-"))
    run = phi("bench", *map(str, files), *ENGINE, *SMALL, "--json")
    assert run.code == 0, run.err
    assert not run.json["data"].get("quality")


@NEEDS_CTRANSFORMERS
@pytest.mark.parametrize("command", [("chat", "tiny-phi", "hi"), ("bench", "tiny-phi")], ids=lambda words: words[0])
def test_other_models_are_refused(phi: Phi, command: tuple[str, ...]) -> None:
    run = phi(*command, *ENGINE)
    assert (run.code, run.out) == (6, "")
    assert "error: ctransformers cannot run tiny-phi.gguf: it uses LongRoPE" in run.err
    assert "--engine xllamacpp" in run.err
    assert phi(*command, *ENGINE, "--json").json["error"]["code"] == "unsupported_model"


@NEEDS_CTRANSFORMERS
@pytest.mark.parametrize(
    "option", [("--kv-type", "q8_0"), ("--repack", "on"), ("--gpu-layers", "3")], ids=lambda words: words[0]
)
def test_settings_that_it_lacks_are_refused_before_anything_is_written(
    phi: Phi, environment: dict[str, str], script: Path, option: tuple[str, str]
) -> None:
    for command in (("chat", str(script), "hi"), ("bench", str(script)), ("eval", str(script), "--set", "arithmetic")):
        run = phi(*command, *ENGINE, *option)
        assert (run.code, run.out) == (2, ""), run.err
        assert "error: ctransformers cannot " in run.err
    assert not [path for path in Path(environment["PHI_HOME"]).rglob("*") if path.suffix in (".gguf", ".jsonl")]


@NEEDS_CTRANSFORMERS
def test_a_sampler_that_it_lacks_is_told(phi: Phi, script: Path) -> None:
    run = phi("chat", str(script), "hi", *ENGINE, "--temp", "0.1")
    assert (run.code, run.out) == (0, "The capital of France is Paris.\n")
    assert run.err == "note: ctransformers cannot sample with min-p: this has no effect\n"


@NEEDS_CTRANSFORMERS
@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_ctrl_c_ends_the_engine_too(script: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "phicli", "bench", str(script), *ENGINE, "-n", "3000", "-r", "99"]
    with psutil.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=-1, stderr=-1) as process:
        engines: list[int] = []

        def runs() -> bool:
            assert process.poll() is None
            for child in process.children():
                with contextlib.suppress(psutil.Error):
                    engines.extend([child.pid] if "ctransformers_worker" in " ".join(child.cmdline()) else [])
            return bool(engines)

        wait_until(runs)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
    assert gone(engines[0])


def test_without_the_package(phi: Phi, script: Path, tmp_path: Path) -> None:
    hidden = tmp_path / "sitecustomize.py"
    hidden.write_text(
        "import importlib.metadata as metadata\nfound = metadata.version\n"
        "def version(name):\n    if name == 'ctransformers':\n        raise metadata.PackageNotFoundError(name)\n"
        "    return found(name)\nmetadata.version = version\n"
    )
    for command in (("chat", str(script), "hi"), ("bench", str(script))):
        run = phi(*command, *ENGINE, PYTHONPATH=str(tmp_path))
        assert (run.code, run.out) == (3, ""), run.err
        assert "error: ctransformers is not installed" in run.err
        assert ".[ctransformers]" in run.err


@NEEDS_CTRANSFORMERS
def test_eval_asks_one_question_at_a_time(phi: Phi, script: Path) -> None:
    run = phi(
        "eval", str(script), "--engine", "xllamacpp,ctransformers", "--set", "arithmetic", "--limit", "4", "--json"
    )
    assert run.code == 0, run.err
    usual, found = run.json["data"]["evaluations"]
    assert [one["text"] for one in found["results"]] == [one["text"] for one in usual["results"]]
    assert phi("eval", "tiny-phi", *ENGINE, "--set", "arithmetic").code == 6
