"""Options of ``phi bench`` that make no sense together, names that say little, and baselines that nobody can use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from phicli.bench.runs.baseline import open_baseline
from phicli.bench.runs.run_files import read_runs
from phicli.commands.benching.subjects import subjects
from phicli.commands.benching.typed import Typed
from phicli.errors import IntegrityError, UsageError
from phicli.records.history import History
from tests.support.files import TINY_PHI
from tests.support.running import Phi
from tests.support.runs import run

TOGETHER: list[tuple[dict[str, Any], str]] = [
    ({"url": "http://127.0.0.1:1/v1", "tune": True}, "--url and --tune are two benchmarks"),
    ({"url": "http://127.0.0.1:1/v1", "eval_file": "arithmetic"}, "--url and --eval are two benchmarks"),
    ({"tune": True, "eval_file": "arithmetic"}, "--tune and --eval are two benchmarks"),
    ({"concurrency": "1,2"}, "--concurrency is for --url"),
    ({"requests": 3}, "--requests is for --url"),
    ({"tune": True, "requests": 3}, "--requests is for --url"),
    ({"reset": True}, "--reset is for --tune"),
    ({"limit": 3}, "--limit is for --eval"),
    ({"restart": True}, "--restart is for --eval"),
    ({"fail_below": 0.95}, "--fail-below is for --baseline"),
    ({"force": True}, "--force is for --baseline"),
    ({"llama_server": Path("llama-server")}, "--llama-server names the program for --engine llama-server"),
    ({"llama_server": Path("llama-server"), "engine": "xllamacpp"}, "--engine llama-server"),
]


def read(typed: Typed) -> Any:
    return typed.read(as_json=False, jsonl=False, csv=False, markdown=False)


@pytest.mark.parametrize(("typed", "words"), TOGETHER, ids=str)
def test_what_does_not_belong_together_is_refused(typed: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        read(Typed(**typed))
    assert refused.value.hint


def test_what_belongs_together_is_taken() -> None:
    assert read(Typed(baseline="last", fail_below=0.95, force=True)).fail_below == 0.95
    assert read(Typed(url="http://127.0.0.1:1/v1", concurrency="1,2", requests=3)).concurrency == (1, 2)
    assert read(Typed(tune=True, reset=True)).reset
    assert read(Typed(eval_file="arithmetic", limit=2, restart=True)).limit == 2
    assert "llama-server" in read(Typed(engine="xllamacpp,LLAMA-SERVER", llama_server=Path("x"))).engines


def test_the_command_refuses_with_an_envelope(phi: Phi) -> None:
    done = phi("bench", "tiny-phi", "--tune", "--eval", "arithmetic", "--json")
    assert done.code == 2
    assert done.json["error"]["code"] == "usage"
    assert done.json["error"]["message"] == "--tune and --eval are two benchmarks"
    assert done.json["error"]["hint"]


def test_a_file_that_is_named_twice_keeps_its_first_name_and_is_told() -> None:
    said: list[str] = []
    (one,) = subjects(["tiny-phi", str(TINY_PHI)], tell=said.append)
    assert one.model == "tiny-phi"
    assert said == [f"{TINY_PHI.name} is the same file as tiny-phi before it: it is measured once"]


def test_layers_on_a_processor_that_is_not_there(phi: Phi) -> None:
    done = phi("bench", "tiny-phi", "-p", "8", "-n", "2", "-r", "1", "--gpu-layers", "5", "--json")
    assert done.code == 0
    if not done.json["data"]["hardware"]["gpus"]:
        assert "no graphics processor" in done.err


@pytest.mark.parametrize(
    "damage",
    [{"quant": 5}, {"sha256": 7}, {"variant_id": [1]}, {"generated_tokens": 10**400}],
    ids=str,
)
def test_a_baseline_with_values_of_another_kind(tmp_path: Path, damage: dict[str, Any]) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps(run().to_data() | damage))
    with pytest.raises(IntegrityError):
        read_runs(path)


@pytest.mark.parametrize("time_ms", [1e-320, 1e308, 0.0, -1.0, float("nan"), float("inf")])
def test_a_baseline_with_times_that_give_no_rate(tmp_path: Path, time_ms: float) -> None:
    data = run().to_data()
    data["samples"][0]["decode_ms"] = time_ms
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps(data))
    with pytest.raises(IntegrityError, match="sample 1: decode_ms is"):
        read_runs(path)


@pytest.mark.parametrize("name", ["", " "])
def test_a_baseline_without_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="the name of the baseline is empty"):
        open_baseline(name, None, History(tmp_path / "runs.sqlite"))


@pytest.mark.parametrize("option", ["--prompt-tokens", "--tokens", "--depth", "--repeat", "--context"])
def test_tuning_has_lengths_of_its_own(option: str) -> None:
    value = 64 if option in ("--repeat", "--context") else "64"
    typed = Typed(tune=True, **{option.removeprefix("--").replace("-", "_"): value})
    with pytest.raises(UsageError, match=f"so {option} is not for it"):
        typed.read(as_json=False, jsonl=False, csv=False, markdown=False)
