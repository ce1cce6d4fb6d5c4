"""``phi bench MODEL…`` in a shell, with the engine and the model that come with ``phi``."""

from __future__ import annotations

import json
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.cache_layout import put_in_cache
from tests.support.files import TINY_PHI
from tests.support.processes import gone, wait_for_work
from tests.support.pulling import FILE, REPO
from tests.support.running import Phi

SHORT = ("-p", "32", "-n", "4", "-r", "2")


def runs_of(envelope: dict[str, Any]) -> list[dict[str, Any]]:
    assert (envelope["schema"], envelope["command"]) == (1, "bench")
    found = envelope["data"]["runs"]
    assert isinstance(found, list)
    return found


def test_the_fields_of_a_run(phi: Phi) -> None:
    done = phi("bench", "tiny-phi", *SHORT, "--threads", "1", "--json")
    assert done.code == 0, done.err
    data = done.json["data"]
    assert data["hardware"]["physical_cores"] >= 1
    (run,) = runs_of(done.json)
    assert (run["model"], run["quant"], run["engine"]) == ("tiny-phi", "F16", "xllamacpp")
    assert run["build"].startswith("xllamacpp ")
    assert (run["prompt_tokens"], run["generated_tokens"], run["depth_tokens"]) == (32, 4, 0)
    assert run["settings"]["threads"] == 1
    assert len(run["samples"]) == 2
    for sample in run["samples"]:
        assert sample["prompt_ms"] > 0
        assert sample["decode_ms"] > 0
        assert sample["ttft_ms"] >= sample["prompt_ms"]
    rates = [4000 / sample["decode_ms"] for sample in run["samples"]]
    assert run["decode_tps"]["mean"] == pytest.approx(sum(rates) / 2)
    assert run["cold_ttft_ms"] > run["load_ms"] > 0
    assert run["peak_rss_bytes"] > TINY_PHI.stat().st_size
    assert run["complete"]


def test_the_table(phi: Phi) -> None:
    done = phi("bench", "tiny-phi", *SHORT)
    assert done.code == 0, done.err
    assert "tiny-phi:f16" in done.out
    assert "\x1b" not in done.out + done.err


def test_no_part_is_measured_that_was_left_out(phi: Phi) -> None:
    (run,) = runs_of(phi("bench", "tiny-phi", "-p", "0", "-n", "4", "-r", "1", "--json").json)
    assert run["prompt_tps"] is None
    assert run["ttft_ms"] is None
    assert run["decode_tps"]["mean"] > 0
    (run,) = runs_of(phi("bench", "tiny-phi", "-p", "32", "-n", "0", "-r", "1", "--json").json)
    assert run["decode_tps"] is None
    assert run["prompt_tps"]["mean"] > 0


def test_a_grid_takes_turns(phi: Phi) -> None:
    done = phi("bench", "tiny-phi", *SHORT, "--threads", "1,2", "--depth", "0,64", "--json")
    assert done.code == 0, done.err
    found = runs_of(done.json)
    assert [(run["settings"]["threads"], run["depth_tokens"]) for run in found] == [(1, 0), (1, 64), (2, 0), (2, 64)]
    assert {run["schedule"] for run in found} == {"interleaved"}
    assert done.json["data"]["ratios"]


def test_speculation_is_measured_on_texts(phi: Phi) -> None:
    done = phi("bench", "tiny-phi", "--speculation", "none,ngram-simple", "-n", "24", "-r", "2", "--json")
    assert done.code == 0, done.err
    found = runs_of(done.json)
    assert [(run["settings"]["speculation"], run["text"]) for run in found] == [
        ("none", "copy"), ("none", "new"), ("ngram-simple", "copy"), ("ngram-simple", "new")
    ]  # fmt: skip
    assert {(run["prompt_tokens"], run["generated_tokens"]) for run in found} == {(0, 24)}
    assert all(len(sample["answer_sha256"]) == 64 for run in found for sample in run["samples"])
    assert [run.get("compared_answers") for run in found] == [None, None, 2, 2]
    again = phi("bench", "tiny-phi", "--speculation", "none", "-n", "24", "-r", "2", "--baseline", "last")
    assert again.code == 0, again.err
    refused = phi("bench", "tiny-phi", "-p", "0", "-n", "24", "-r", "2", "--baseline", "last")
    assert refused.code == 3, "no run of random tokens was saved"


def test_without_a_model_the_toy_is_measured_and_named_as_one(phi: Phi, home: Path) -> None:
    done = phi("bench", *SHORT, "--json")
    assert done.code == 0, done.err
    assert runs_of(done.json)[0]["model"] == "tiny-phi"
    assert "shows only whether the engine works" in done.err
    assert "shows only whether the engine works" not in phi("bench", *SHORT, "--quiet", "--json").err


def test_without_a_model_what_is_installed_is_measured(phi: Phi, home: Path, folder: Path) -> None:
    put_in_cache(folder, REPO, FILE)
    done = phi("bench", *SHORT, "--json")
    assert done.code == 0, done.err
    (run,) = runs_of(done.json)
    assert (run["model"], run["quant"], run["variant_id"]) == ("phi-4-mini", "Q4_K_M", "phi-4-mini")
    assert len(run["sha256"]) == 64
    assert "phi-4-mini" in done.err


def test_a_benched_file_is_measured_for_the_recommendation(phi: Phi, home: Path, folder: Path) -> None:
    put_in_cache(folder, REPO, FILE)
    ask = ("recommend", "--installed", "--context", "512", "--json")
    before = phi(*ask)
    assert before.code == 0, before.out
    assert {pick["speed"]["method"] for pick in before.json["data"]["picks"]} == {"estimated"}
    done = phi("bench", "phi-4-mini", *SHORT, "--json")
    (run,) = runs_of(done.json)
    (pick,) = (one for one in phi(*ask).json["data"]["picks"] if one["role"] == "best")
    assert (pick["model"], pick["speed"]["method"]) == ("phi-4-mini", "measured")
    assert pick["speed"]["decode_tps"] == pytest.approx(run["decode_tps"]["mean"], rel=0.05)


def test_every_finished_run_is_kept(phi: Phi) -> None:
    done = phi("bench", "tiny-phi", *SHORT, "--depth", "0,32", "--json")
    kept = {entry["run_id"]: entry for entry in map(json.loads, phi("runs", "export").out.splitlines())}
    assert {run["run_id"]: run for run in runs_of(done.json)} == {name: one["data"] for name, one in kept.items()}


def test_a_history_that_cannot_be_written_loses_no_result(phi: Phi, tmp_path: Path) -> None:
    (tmp_path / "phi").mkdir()
    (tmp_path / "phi" / "data").write_text("a file where the folder should be")
    done = phi("bench", "tiny-phi", *SHORT, "--json")
    assert done.code == 0, done.err
    assert runs_of(done.json)[0]["complete"]
    assert "warning: the run was not saved" in done.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
def test_a_full_disk_for_the_results(phi: Phi, environment: dict[str, str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "phicli", "bench", "tiny-phi", *SHORT, "--json"],
            env=environment, stdout=full, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False, timeout=120,
        )  # fmt: skip
    assert done.returncode == 5
    assert b"disk is full" in done.stderr


def test_a_baseline(phi: Phi) -> None:
    first = phi("bench", "tiny-phi", *SHORT, "--baseline", "last", "--json")
    assert first.code == 3
    assert phi("bench", "tiny-phi", *SHORT).code == 0
    passed = phi("bench", "tiny-phi", *SHORT, "--baseline", "last", "--fail-below", "0.000001", "--json")
    assert passed.code == 0, passed.out
    assert passed.json["data"]["baseline"]["failed"] == []
    failed = phi("bench", "tiny-phi", *SHORT, "--baseline", "last", "--fail-below", "10", "--json")
    assert failed.code == 9
    assert failed.json["error"]["code"] == "check_failed"
    assert len(failed.json["data"]["runs"]) == 1
    assert failed.json["data"]["baseline"]["failed"]
    text = phi("bench", "tiny-phi", *SHORT, "--baseline", "last", "--fail-below", "10")
    assert text.code == 9
    assert "tiny-phi:f16" in text.out
    assert "too slow compared with baseline" in text.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--depth", "1000"], 2, "--depth 1000"),
        (["--depth", "500", "--context", "256"], 2, "more than --context 256"),
        (["--context", "2048"], 2, "--context 2048 is more than the 1024"),
        (["-n", "0", "-p", "0"], 2, "nothing to measure"),
        (["-n", "0", "--depth", "64"], 2, "--depth requires generation"),
        (["-p", "1,,2"], 2, "empty value"),
        (["--threads", "0"], 2, "--threads 0"),
        (["--engine", "ollama"], 2, "--engine ollama is unknown"),
        (["--engine", "llama-server", "--llama-server", "/no/such/binary"], 3, "program not found: /no/such/binary"),
        (["--kv-type", "q8_0", "--flash-attention", "off"], 2, "only with flash attention"),
        (["--fail-below", "0.9"], 2, "--fail-below requires --baseline"),
        (["--plot", "/no/such/folder/plot.svg"], 2, "does not exist"),
        (["--markdown", "--csv"], 2, "cannot be used together"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_told_before_anything_is_loaded(
    phi: Phi, arguments: list[str], code: int, words: str
) -> None:
    done = phi("bench", "tiny-phi", *arguments)
    assert done.code == code, done.err
    assert words in done.err
    assert "→" in done.err
    assert done.out == ""


def test_a_model_that_does_not_fit(phi: Phi, tmp_path: Path) -> None:
    """One that was "trained" for a thousand million tokens: it is refused before the engine sees it."""
    data = bytearray(TINY_PHI.read_bytes())
    key = b"phi3.context_length"
    at = data.index(key) + len(key) + 4  # behind the key stands the type of the value
    struct.pack_into("<I", data, at, 2**30)
    path = tmp_path / "huge.gguf"
    path.write_bytes(data)
    done = phi("bench", "tiny-phi", str(path), *SHORT, "--context", "1024", "--json")
    assert done.code == 0, done.err
    done = phi("bench", str(path), *SHORT, "--context", str(2**30), "--json")
    assert done.code == 5, done.out
    assert done.json["error"]["code"] == "does_not_fit"
    assert done.json["error"]["hint"] == "it fits with --context 256"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_an_interruption_prints_what_was_finished(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "phicli", "bench", "tiny-phi", "-p", "512", "-n", "0", "-r", "1000", "--json"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        engine = wait_for_work(process.pid, 1.0)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    envelope = json.loads(out)
    assert envelope["error"]["code"] == "interrupted"
    (run,) = envelope["data"]["runs"]
    assert not run["complete"]
    assert 0 < len(run["samples"]) < 1000
    assert gone(engine)
