"""``phi bench --baseline`` in a shell: what cannot be compared is refused before the engine starts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.running import Phi

SHORT = ("-p", "32", "-n", "4", "-r", "2")
Write = Callable[..., Path]


@pytest.fixture
def baseline(phi: Phi, tmp_path: Path) -> Write:
    """Writes a run that was measured here, with fields changed, into a file."""
    done = phi("bench", "tiny-phi", *SHORT, "--json")
    assert done.code == 0, done.err
    (run,) = done.json["data"]["runs"]

    def write(**change: Any) -> Path:
        path = tmp_path / "baseline.json"
        path.write_text(json.dumps({**run, "complete": True, **change}))
        return path

    return write


def kept(phi: Phi) -> int:
    return len(phi("runs", "list", "--json").json["data"]["runs"])


@pytest.mark.parametrize(
    ("change", "typed", "code", "said"),
    [
        ({"model": "phi-4", "sha256": "cd" * 32, "size_bytes": 5}, SHORT, 2, "model: phi-4, now tiny-phi"),
        ({"quant": "Q8_0", "size_bytes": 5}, SHORT, 2, "quant: Q8_0, now F16"),
        ({"engine": "llama-server"}, SHORT, 2, "engine: llama-server, now xllamacpp"),
        ({"build": "xllamacpp 1"}, SHORT, 2, "engine build: xllamacpp 1, now xllamacpp 20"),
        (
            {"build": "xllamacpp 1.2.3 (other kernels)"},
            SHORT,
            2,
            "build: xllamacpp 1.2.3 (other kernels), now xllamacpp 20",
        ),
        ({"hardware": {"cpu": "Z80"}}, SHORT, 2, "processor: Z80, now"),
        ({}, ("-p", "32", "-n", "4", "-r", "2", "--repack", "on"), 2, "repacking: off, now on"),
        ({}, ("-p", "16", "-n", "4"), 2, "workload: 32 + 4 tokens, now 16 + 4 tokens"),
        ({"complete": False}, SHORT, 2, "interrupted"),
        ({"complete": "false"}, SHORT, 8, 'complete is "false"; it must be true or false'),
        ({"samples": []}, SHORT, 2, "contains none of the requested measurements"),
    ],
    ids=str,
)
def test_what_cannot_be_compared_is_refused_before_anything_is_measured(
    phi: Phi, baseline: Write, change: dict[str, Any], typed: tuple[str, ...], code: int, said: str
) -> None:
    path = str(baseline(**change))
    done = phi("bench", "tiny-phi", *typed, "--baseline", path, "--fail-below", "0.9", "--json")
    assert done.code == code, done.out
    assert said in done.json["error"]["message"]
    assert done.json["error"]["hint"]
    assert "data" not in done.json, "nothing was measured"
    assert kept(phi) == 1


def test_a_last_run_of_something_else_is_refused_before_anything_is_measured(phi: Phi, baseline: Write) -> None:
    done = phi("bench", "tiny-phi", *SHORT, "--kv-type", "q8_0", "--baseline", "last", "--json")
    assert done.code == 3
    assert "KV cache type: f16, now q8_0" in done.json["error"]["message"]
    assert "data" not in done.json
    assert kept(phi) == 1


def test_an_interrupted_baseline_is_compared_with_by_force(phi: Phi, baseline: Write) -> None:
    path = str(baseline(complete=False, others_busy_cores=64.0, hardware={"threads": 64}))
    done = phi("bench", "tiny-phi", *SHORT, "--baseline", path, "--force", "--json")
    assert done.code == 0, done.out
    found = done.json["data"]["baseline"]
    assert found["differences"] == ["interrupted"]
    (warning,) = found["warnings"]
    assert warning.endswith("the machine was busy: other programs used 64.0 of 64 processors during the measurement")
    text = phi("bench", "tiny-phi", *SHORT, "--baseline", path, "--force")
    assert text.out.count(warning) == 1
