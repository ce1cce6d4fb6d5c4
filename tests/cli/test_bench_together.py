"""Every option of ``phi bench`` with every kind of benchmark: it has a meaning there, or it is refused."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import Any

import pytest

from phicli.bench.endpoint.types import Load
from phicli.commands.bench import bench
from phicli.commands.benching.endpoint import loads_of
from phicli.commands.benching.options import BenchOptions
from phicli.commands.benching.typed import Typed
from phicli.errors import UsageError

KINDS: dict[str, dict[str, Any]] = {
    "--url": {"url": "http://127.0.0.1:1/v1"},
    "--tune": {"tune": True},
    "--eval": {"eval_file": "arithmetic"},
}
TYPED: dict[str, Any] = {
    "prompt_tokens": "512", "tokens": "128", "depth": "0", "repeat": 5, "quick": True, "context": 4096, "threads": "2",
    "batch_size": "128", "kv_type": "f16", "flash_attention": "auto", "repack": "off", "gpu_layers": "0",
    "engine": "llama-server", "llama_server": Path("llama-server"), "quality": False, "baseline": "last",
    "fail_below": 0.9, "force": True, "plot": Path("x.svg"), "concurrency": "1", "requests": 8, "reset": True,
    "limit": 3, "restart": True, "seed": 2,
}  # fmt: skip
"""One value of each option; where there is a default that does not tell what was typed, that one."""

SETTINGS = {"threads", "batch_size", "kv_type", "flash_attention", "repack"}
MEANT = {
    "--url": {"prompt_tokens", "tokens", "repeat", "quick", "concurrency", "requests"},
    "--tune": SETTINGS | {"quick", "reset", "gpu_layers", "engine"},
    "--eval": SETTINGS | {"tokens", "context", "gpu_layers", "engine", "limit", "restart", "seed"},
}
COMMON = {"models", "as_json", "jsonl", "csv", "markdown", "quiet"}


def read(**typed: Any) -> BenchOptions:
    return Typed(**typed).read(as_json=False, jsonl=False, csv=False, markdown=False)


def test_the_list_here_has_every_option() -> None:
    kinds = {name for typed in KINDS.values() for name in typed}
    assert set(inspect.signature(bench).parameters) - COMMON == set(TYPED) | kinds
    assert {field.name for field in dataclasses.fields(Typed)} - COMMON == set(TYPED) | kinds


@pytest.mark.parametrize("name", [name for name in TYPED if name != "llama_server"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_option_has_a_meaning_or_is_refused(kind: str, name: str) -> None:
    typed = {**KINDS[kind], name: TYPED[name]}
    if name in MEANT[kind]:
        read(**typed)
        return
    with pytest.raises(UsageError, match="quality" if name == "quality" else name.replace("_", "-")) as refused:
        read(**typed)
    assert refused.value.hint


@pytest.mark.parametrize("name", ["quick", *SETTINGS])
def test_forgetting_takes_nothing_else(name: str) -> None:
    with pytest.raises(UsageError, match="does not go with --reset"):
        read(tune=True, reset=True, **{name: TYPED[name]})


@pytest.mark.parametrize("name", ["concurrency", "requests", "reset", "limit", "restart", "seed"])
def test_an_option_of_another_kind_says_of_which(name: str) -> None:
    with pytest.raises(UsageError, match=f"--{name} is for --"):
        read(**{name: TYPED[name]})


def test_repetitions_of_an_endpoint_are_taken_where_they_are_the_default_of_other_benchmarks() -> None:
    assert loads_of(read(url="http://127.0.0.1:1/v1", repeat=5)) == (Load(512, 128, 1, 5),)
    assert loads_of(read(url="http://127.0.0.1:1/v1")) == (Load(512, 128, 1, 8),)
    assert [load.requests for load in loads_of(read(url="http://127.0.0.1:1/v1", quick=True))] == [4]
    with pytest.raises(UsageError, match="both say how many"):
        read(url="http://127.0.0.1:1/v1", repeat=5, requests=3)
