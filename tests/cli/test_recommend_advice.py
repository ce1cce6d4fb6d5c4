"""What is advised on common machines, task by task, and that nothing which is said of a pick is false.

A reason stands beside each: it is what somebody who knows these models would say.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from phicli.errors import DoesNotFitError
from phicli.fit.tasks import TASKS
from phicli.fit.types import Request
from phicli.hardware.simulation import profile_names
from phicli.plan.machine import MachineOptions
from phicli.plan.recommend_here import complete_request, report_for
from phicli.ui.recommendation_data import report_data
from tests.support.running import Phi

EXPECTED = [
    ("laptop-8gb", "code", "phi-4-mini", "Q4_K_M"),  # 4 GiB are free: nothing better fits with 8K of context
    ("laptop-8gb", "math", "phi-4-mini-reasoning", "Q4_K_M"),  # made for mathematics on constrained machines
    ("laptop-16gb", "tools", "phi-4-mini", "Q4_K_M"),  # the only small one that calls functions
    ("laptop-16gb", "multilingual", "phi-4-mini", "Q4_K_M"),  # 23 languages with a third of Phi-3.5-mini's cache
    ("container-4gb", "chat", "phi-4-mini", "Q4_K_M"),  # the usual size, nothing repacked
    ("container-4gb", "code", "phi-4-mini", "Q4_K_M"),  # 8K of context as q8_0
    ("raspberry-pi-5-8gb", "any", "phi-4-mini", "Q4_K_M"),  # slow, and told so; a worse file would be hardly faster
    ("desktop-64gb-rtx4090-24gb", "code", "phi-4", "Q6_K"),  # all on the card, nearly lossless
    ("desktop-64gb-rtx4090-24gb", "reasoning", "phi-4-reasoning-plus", "Q6_K"),  # fast enough for its long thoughts
    ("desktop-32gb-rtx3060-12gb", "any", "phi-4", "Q4_K_M"),  # Q5_K_M would not leave the card room for 4K of context
    ("server-128gb", "any", "phi-4", "Q4_K_M"),  # eight channels carry 14B above reading speed
]
"""Machine, task, and the pick."""


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))


def advice(profile: str, task: str, context: int | None = None) -> dict[str, Any]:
    """What ``phi recommend --json --explain`` shows; in this process, which is quicker for so many."""
    request = Request(task=task, context_tokens=context)
    report = report_for(complete_request(request, None), MachineOptions(profile=profile), lambda _: None)
    return report_data(report, explain=True)


@pytest.mark.parametrize(("profile", "task", "model", "quant"), EXPECTED)
def test_an_expert_would_sign(profile: str, task: str, model: str, quant: str) -> None:
    best = advice(profile, task)["picks"][0]
    assert (best["model"], best["quant"]) == (model, quant)


@pytest.mark.parametrize("profile", profile_names())
def test_what_is_said_of_a_pick_is_true(profile: str) -> None:
    for task in (name for name in TASKS if name != "vision"):
        try:
            data = advice(profile, task)
        except DoesNotFitError:
            assert task == "long-context"
            continue
        floor = data["request"]["floor_tps"]
        assert [pick["role"] for pick in data["picks"]] == [
            role for role in ("best", "faster", "smarter") if role in {pick["role"] for pick in data["picks"]}
        ]
        assert len({pick["model"] for pick in data["picks"]} - {data["picks"][0]["model"]}) <= 2
        for pick in data["picks"]:
            assert_true(pick, data["hardware"], floor)


def assert_true(pick: dict[str, Any], hardware: dict[str, Any], floor: float) -> None:
    memory, speed, reasons = pick["memory"], pick["speed"], " ".join(pick["reasons"])
    parts = ("weights_bytes", "kv_bytes", "compute_bytes", "repack_bytes", "overhead_bytes")
    assert sum(memory[part] for part in parts) == memory["total_bytes"]
    assert memory["resident_bytes"] <= hardware["memory"]["available_bytes"]
    assert memory["gpu_bytes"] <= sum(gpu["total_bytes"] for gpu in hardware["gpus"])
    assert ("--kv-type q8_0" in pick["command"]) == (pick["kv_type"] == "q8_0") == ("KV cache type is q8_0" in reasons)
    assert pick["command"].startswith(f"phi chat {pick['model']}:{pick['quant'].lower()}")
    layers = re.search(r"--gpu-layers (\d+)", pick["command"])
    if layers:
        assert hardware["gpus"]
        assert int(layers[1]) == pick["gpu_layers"]
    if pick["role"] == "best" and "and reaches" in reasons:
        assert speed["decode_at_context_tps"] >= floor or speed["decode_tps"] >= floor
    if "nothing sound that fits reaches" in reasons:
        assert "reasoning" in pick["model"] or min(speed["decode_tps"], speed["decode_at_context_tps"]) < floor
    numbers = [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", pick["sums"]["memory"])]
    assert memory["total_bytes"] in numbers
    terms = re.fullmatch(r"(-?[\d.]+) .*? - ([\d.]+) \(\w+\)(?: - ([\d.]+) \(.*\))? = ([\d.]+) points.*",
                         pick["sums"]["quality"])  # fmt: skip
    assert terms is not None
    points, loss, cache, left = (float(term or 0) for term in terms.groups())
    assert round(points - loss - cache, 2) == left == pick["quality"]


def test_an_odd_quantisation_is_no_faster_choice() -> None:
    """IQ4_XS is just 1.5 times as fast as the best here, Q4_K_M is 1.4 times: that is no reason to leave the usual."""
    usual = {"Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0"}
    for profile in profile_names():
        for pick in advice(profile, "multilingual")["picks"]:
            assert pick["role"] != "faster" or pick["quant"] in usual


def test_where_only_a_spoilt_file_fits_the_context_that_would_help_is_named() -> None:
    best = advice("laptop-8gb", "long-context")["picks"][0]
    assert best["quant"] == "Q2_K"
    (remark,) = (reason for reason in best["reasons"] if reason.startswith("better: Q4_K_M with a context of"))
    tokens = remark.rpartition("--context ")[2]
    shorter = advice("laptop-8gb", "long-context", int(tokens))["picks"][0]
    assert shorter["quant"] == "Q4_K_M"


def test_a_prompt_that_does_not_fit_the_context_is_refused(phi: Phi) -> None:
    run = phi("recommend", "--ram", "16G", "--task", "code", "--prompt-tokens", "9000", "--json")
    assert run.code == 2
    error = run.json["error"]
    assert error["message"] == "a prompt of 9,000 tokens leaves no tokens for an answer in a context of 8,192"
    arguments = error["hint"].partition("phi recommend ")[2].split()
    assert phi("recommend", "--ram", "16G", *arguments).code == 0
    short = phi("recommend", "--ram", "16G", "--context", "256", "--json")  # the usual prompt is cut to half of it
    assert short.json["data"]["request"]["prompt_tokens"] == 128


def test_where_the_usable_memory_comes_from(phi: Phi) -> None:
    explained = phi("recommend", "--ram", "16G", "--explain")
    line = next(line for line in explained.out.splitlines() if line.startswith("usable"))
    assert "17,179,869,184 available (--ram, all of it free) - 858,993,459 reserved for the system = " in line
    assert phi("recommend", "--ram", "16G", "--json").json["data"]["usable_bytes"] == 17_179_869_184 - 858_993_459
