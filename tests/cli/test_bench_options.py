"""Options of ``phi bench`` that make no sense together, names that say little, and baselines that nobody can use."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from phicli.bench.runs.baseline import open_baseline
from phicli.bench.runs.run_files import read_runs
from phicli.bench.subjects import subjects
from phicli.commands.bench import bench
from phicli.commands.bench_options import endpoint_in
from phicli.errors import IntegrityError, UsageError
from phicli.records.history import History
from tests.support.bench_command import parsed
from tests.support.files import TINY_PHI
from tests.support.running import Phi
from tests.support.runs import run

TOGETHER: list[tuple[list[str], str]] = [
    (["--concurrency", "1,2"], "--concurrency requires an endpoint"),
    (["--requests", "3"], "--requests requires an endpoint"),
    (["--fail-below", "0.95"], "--fail-below requires --baseline"),
    (["--force"], "--force requires --baseline"),
    (["--llama-server", "x"], "--llama-server requires --engine llama-server"),
    (["--llama-server", "x", "--engine", "xllamacpp"], "--llama-server requires --engine llama-server"),
    (["--eval", "arithmetic"], "phi bench --eval is now phi eval"),
    (["--tune"], "phi bench --tune is now phi autotune"),
    (["--json", "--csv"], "--json and --csv cannot be used together"),
    (["-p", "0", "-n", "0"], "leave nothing to measure"),
    (["--speculation", "ngram"], "--speculation ngram is unknown"),
    (["--speculation", "none", "--depth", "64"], "--depth cannot be used with --speculation"),
    (["--speculation", "ngram-mod", "--quality"], "--quality cannot be used with --speculation"),
    (["--speculation", "none", "--quality"], "which measures speed and not quality"),
    (["--speculation", "ngram-mod", "-n", "0", "-p", "8"], "--speculation requires generation"),
    (["--speculation", "ngram-mod", "-n", "16,513"], "--tokens 513 is too many with --speculation"),
    (["http://127.0.0.1:1/v1", "--url", "http://127.0.0.1:2/v1"], "only one endpoint can be measured at a time"),
    (["other", "--url", "http://127.0.0.1:2/v1"], "only one model of an endpoint can be measured at a time"),
    (["--url", "http://127.0.0.1:2/v1", "--requests", "3", "--repeat", "5"], "both set the number of requests"),
]


@pytest.mark.parametrize(("typed", "words"), TOGETHER, ids=str)
def test_what_does_not_belong_together_is_refused(phi: Phi, typed: list[str], words: str) -> None:
    done = phi("bench", "tiny-phi", *typed)
    assert (done.code, done.out) == (2, "") or "--json" in typed
    assert done.code == 2
    assert words in done.out + done.err


ENDPOINT = ["http://127.0.0.1:1/v1"]
OF_MODELS = {
    "--depth": "0", "--context": "4096", "--threads": "2", "--batch-size": "128", "--kv-type": "f16",
    "--flash-attention": "auto", "--repack": "off", "--gpu-layers": "0", "--engine": "llama-server",
    "--llama-server": "x", "--no-quality": None, "--baseline": "last", "--fail-below": "0.9", "--force": None,
    "--plot": "x.svg", "--no-memory-check": None, "--speculation": "none", "--adapter": "x",
}  # fmt: skip


@pytest.mark.parametrize("option", OF_MODELS)
def test_an_endpoint_refuses_what_has_no_meaning_for_it(phi: Phi, option: str) -> None:
    """Also where what was typed is the default."""
    value = OF_MODELS[option]
    done = phi("bench", *ENDPOINT, option, *([value] if value is not None else []))
    assert done.code == 2
    assert f"{option} cannot be used with an endpoint" in done.err


def test_every_option_of_bench_is_common_or_of_one_kind() -> None:
    names = set(inspect.signature(bench).parameters)
    common = {"ctx", "models", "prompt_tokens", "tokens", "repeat", "quick", "url", "quiet"}
    common |= {"as_json", "jsonl", "csv", "markdown"}
    of_models = {option.removeprefix("--no-").removeprefix("--").replace("-", "_") for option in OF_MODELS}
    assert names == common | of_models | {"concurrency", "requests"}


def test_lists_are_read() -> None:
    models, options = parsed(["a", "b", "-t", "1,2", "--engine", "xllamacpp,LLAMA-SERVER", "--repack", "on,off"])
    assert list(models) == ["a", "b"]
    assert options.engines == ("xllamacpp", "llama-server")
    assert options.settings == {"threads": (1, 2), "repack": (True, False)}


def test_speculation_generates_texts_and_scores_nothing() -> None:
    _, options = parsed(["--speculation", "none,ngram-simple"])
    assert options.settings == {"speculation": ("none", "ngram-simple")}
    assert (options.prompt_tokens, options.generated_tokens, options.quality) == ((0,), (128,), False)
    _, options = parsed(["--speculation", "none", "--quick", "--no-quality", "-p", "64"])
    assert (options.prompt_tokens, options.generated_tokens, options.quality) == ((64,), (48,), False)
    _, options = parsed(["--speculation", "none", "--quick", "-n", "16"])
    assert options.generated_tokens == (16,)


@pytest.mark.parametrize("command", ["chat", "eval", "autotune"])
def test_only_bench_measures_speculation(phi: Phi, command: str) -> None:
    done = phi(command, "tiny-phi", "--speculation", "ngram-simple")
    assert (done.code, "no such option: --speculation" in done.err) == (2, True)


def test_the_command_refuses_with_an_envelope(phi: Phi) -> None:
    done = phi("bench", "tiny-phi", "--tune", "--json")
    assert done.code == 2
    assert done.json["error"] == {
        "code": "usage",
        "message": "phi bench --tune is now phi autotune",
        "hint": "type: phi autotune tiny-phi --json; see phi autotune --help",
    }


def test_an_address_is_an_endpoint_with_or_without_the_option() -> None:
    assert endpoint_in(["http://127.0.0.1:1/v1", "m"], None) == ("http://127.0.0.1:1/v1", "m")
    assert endpoint_in(["m"], "127.0.0.1:1") == ("127.0.0.1:1", "m")
    assert endpoint_in(["tiny-phi"], None) is None


def test_a_file_that_is_named_twice_keeps_its_first_name_and_is_told() -> None:
    said: list[str] = []
    (one,) = subjects(["tiny-phi", str(TINY_PHI)], tell=said.append)
    assert one.model == "tiny-phi"
    assert said == [f"{TINY_PHI.name} is the same file as tiny-phi: it is measured only once"]


def test_layers_on_a_processor_that_is_not_there(phi: Phi) -> None:
    done = phi("bench", "tiny-phi", "-p", "8", "-n", "2", "-r", "1", "--gpu-layers", "5", "--json")
    assert done.code == 0
    if not done.json["data"]["hardware"]["gpus"]:
        assert "the engine found no GPU" in done.err


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
def test_autotune_has_lengths_of_its_own(phi: Phi, option: str) -> None:
    done = phi("autotune", "tiny-phi", option, "64")
    assert (done.code, f"no such option: {option}" in done.err) == (2, True)
    reset = phi("autotune", "--reset", "--quick", "tiny-phi")
    assert (reset.code, "--reset cannot be combined" in reset.err) == (2, True)
