"""What is advised on common machines, task by task, and that nothing which is said of a pick is false.

A reason stands beside each: it is what somebody who knows these models would say.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from phicli.fit.tasks import TASKS
from phicli.fit.types import Request
from phicli.hardware.simulation import profile_names
from phicli.plan.machine import MachineOptions
from phicli.plan.recommend_here import complete_request, report_for
from phicli.ui.recommendation_data import report_data
from tests.support.running import Phi

MINI, FINER, THINKS, BIG, THINKS_LONG = (
    "phi-4-mini:q4_k_m", "phi-4-mini:q6_k", "phi-4-mini-reasoning:q4_k_m", "phi-4:q4_k_m",
    "phi-4-reasoning-plus:q4_k_m",
)  # fmt: skip
SMALL = {"chat": MINI, "code": MINI, "tools": MINI, "multilingual": MINI, "math": THINKS, "reasoning": THINKS}
EXPECTED = {
    "laptop-8gb": {  # 4 GiB are left to use: the small ones in the usual quantization, which nothing better fits beside
        **SMALL, "long-context": "phi-4-mini:iq4_xs",  # 16,384 tokens with some room; Q4_K_M would leave 8,192
    },
    "laptop-16gb": {  # phi-4 would give 3.5 tokens/s, half of reading speed: it is the smarter pick, not the best
        **SMALL, "long-context": MINI,  # 16,384 tokens, read in 14 minutes; 32,768 would take 47
    },
    "laptop-32gb": {  # phi-4 at 5 tokens/s stays below the target of 8; a mixture of 25 GB is no choice for five points
        **SMALL, "long-context": MINI,  # all 32,768 tokens, in under half an hour
    },
    "macbook-air-16gb": {  # phi-4 fits its GPU at 9 tokens/s; for code, with 8K, it is too slow and the smarter one
        "chat": BIG, "code": FINER, "tools": FINER, "multilingual": FINER, "math": THINKS, "reasoning": THINKS,
        "long-context": "phi-4-mini:q5_k_m",
    },
    "macbook-pro-36gb": {  # 14B on the GPU at 14 tokens/s; -plus thinks half as long again, and is the smarter one
        "chat": BIG, "code": BIG, "math": "phi-4-mini-reasoning:q8_0", "reasoning": "phi-4-reasoning:q4_k_m",
        "tools": FINER, "multilingual": FINER, "long-context": FINER,
    },
    "desktop-32gb-rtx3060-12gb": {  # all on the card: Q5_K_M would leave a layer to the processor, for half a point
        "chat": BIG, "code": BIG, "math": THINKS_LONG, "reasoning": THINKS_LONG, "tools": FINER, "multilingual": FINER,
        "long-context": FINER,
    },
    "desktop-64gb-rtx4090-24gb": {  # all on the card, nearly lossless, and fast enough for long thoughts
        "chat": "phi-4:q6_k", "code": "phi-4:q6_k", "math": "phi-4-reasoning-plus:q6_k",
        "reasoning": "phi-4-reasoning-plus:q6_k", "tools": FINER, "multilingual": FINER, "long-context": FINER,
    },
    "workstation-64gb": {  # two channels carry phi-4 at 5 tokens/s: not what one wants to wait for in a conversation
        "chat": "phi-4-mini:q5_k_m", "code": MINI, "math": THINKS, "reasoning": THINKS,
        "multilingual": "phi-4-mini:q5_k_m", "long-context": MINI,
    },
    "raspberry-pi-5-8gb": {  # slow, and told so; a worse file would be hardly faster
        **SMALL, "long-context": MINI,  # 8,192 tokens: more than that is not read in half an hour
    },
    "container-4gb": {  # the usual quantization fits, and 8K of context as q8_0
        **SMALL, "long-context": MINI,
    },
    "server-128gb": {  # eight channels carry 14B above reading speed
        "chat": BIG, "code": BIG, "math": "phi-4-mini-reasoning:q8_0", "reasoning": "phi-4-reasoning:q4_k_m",
        "tools": FINER, "multilingual": FINER, "long-context": FINER,
    },
}  # fmt: skip
"""Machine to task to the pick."""


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))


def advice(profile: str, task: str, context: int | None = None) -> dict[str, Any]:
    """What ``phi recommend --json --explain`` shows; in this process, which is quicker for so many."""
    request = Request(task=task, context_tokens=context)
    report = report_for(complete_request(request, None), MachineOptions(profile=profile), lambda _: None)
    return report_data(report, explain=True)


@pytest.mark.parametrize("profile", profile_names())
def test_an_expert_would_sign(profile: str) -> None:
    picks = {task: advice(profile, task)["picks"][0] for task in EXPECTED[profile]}
    assert {task: f"{pick['model']}:{pick['quant'].lower()}" for task, pick in picks.items()} == EXPECTED[profile]


@pytest.mark.parametrize("profile", profile_names())
def test_what_is_said_of_a_pick_is_true(profile: str) -> None:
    for task in (name for name in TASKS if name != "vision"):
        data = advice(profile, task)
        floor = data["request"]["floor_tps"]
        assert [pick["role"] for pick in data["picks"]] == [
            role for role in ("best", "faster", "smarter") if role in {pick["role"] for pick in data["picks"]}
        ]
        assert len({pick["model"] for pick in data["picks"]} - {data["picks"][0]["model"]}) <= 2
        for pick in data["picks"]:
            assert_true(pick, data["hardware"], floor)
            assert_role(pick, data["picks"][0])


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
    if pick["gpu_layers"]:
        assert f"--context {pick['context_tokens']}" in pick["command"]
    elif hardware["gpus"]:
        assert "--gpu-layers 0" in pick["command"]
    assert ("below the target" in reasons) <= (min(speed["decode_tps"], speed["decode_at_context_tps"]) < floor)
    assert ("it reasons first" in reasons) == ("reasoning" in pick["model"])
    numbers = [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", pick["sums"]["memory"])]
    assert memory["total_bytes"] in numbers
    about = "" if pick["quality_published"] else "about "
    terms = re.fullmatch(rf"{about}(-?[\d.]+) .*? - ([\d.]+) \(\w+\)(?: - ([\d.]+) \(.*\))? = {about}([\d.]+) points.*",
                         pick["sums"]["quality"])  # fmt: skip
    assert terms is not None
    points, loss, cache, left = (float(term or 0) for term in terms.groups())
    assert round(points - loss - cache, 2) == left == pick["quality"]


def assert_role(pick: dict[str, Any], best: dict[str, Any]) -> None:
    """Nobody is advised a second choice that fills the memory or spoils the model."""
    if pick["role"] == "best":
        return
    assert pick["memory_share"] <= 0.9
    assert pick["worth"]["loss"] < 2.5
    assert pick["quant"] in {"Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0"}
    if pick["role"] == "faster":
        assert pick["memory"]["weights_bytes"] <= best["memory"]["weights_bytes"]
    else:
        assert pick["quality"] >= best["quality"] + 2


def test_the_commands_of_picks_have_options_that_phi_chat_knows(phi: Phi) -> None:
    asked = [(profile, task) for profile in profile_names() for task in ("chat", "reasoning", "long-context")]
    commands = [pick["command"] for profile, task in asked for pick in advice(profile, task)["picks"]]
    options = {word for command in commands for word in command.split() if word.startswith("--")}
    assert {"--context", "--kv-type"} <= options
    shown = phi("chat", "--help").out
    assert not [option for option in options if f"{option} " not in shown]


def test_a_document_that_does_not_fit_has_a_shorter_context_and_the_pick_says_so() -> None:
    best = advice("laptop-8gb", "long-context")["picks"][0]
    assert best["context_tokens"] == 16_384
    assert best["memory_share"] <= 0.85
    (missing,) = (reason for reason in best["reasons"] if reason.startswith("32,768 tokens would need "))
    assert missing.endswith(" more memory")
    assert "--context 16384" in best["command"]
    small = advice("container-4gb", "long-context")["picks"][0]  # with the least that is of use it may be nearly full
    assert (small["context_tokens"], small["kv_type"]) == (8192, "q8_0")


def test_a_context_that_was_asked_for_is_never_shortened_but_a_better_one_is_named() -> None:
    asked = advice("laptop-8gb", "long-context", 32_768)["picks"][0]
    assert (asked["context_tokens"], asked["quant"]) == (32_768, "Q2_K")
    (better,) = (reason for reason in asked["reasons"] if reason.startswith("better on this machine: "))
    assert better.startswith("better on this machine: --context 16384 with phi-4-mini:iq4_xs, read in about ")
    free = advice("laptop-16gb", "long-context", 16_384)["picks"][0]
    assert not [reason for reason in free["reasons"] if "better on this machine" in reason]


def test_a_long_document_states_the_minutes_that_it_takes() -> None:
    best = advice("laptop-16gb", "long-context")["picks"][0]
    minutes = round(best["speed"]["context_s"] / 60)
    assert 10 < minutes <= 30
    assert f"a document of 16,384 tokens takes about {minutes} minutes to read" in best["reasons"]
    (full,) = (reason for reason in best["reasons"] if reason.startswith("32,768 tokens would take "))
    assert full.endswith(" minutes to read; to use them anyway: --context 32768")
    whole = advice("laptop-16gb", "long-context", 32_768)["picks"][0]
    assert f"{round(whole['speed']['context_s'] / 60)} minutes" in full


def test_thoughts_are_told_in_minutes_and_have_room() -> None:
    for profile, tokens in (("raspberry-pi-5-8gb", 4000), ("desktop-64gb-rtx4090-24gb", 6000)):
        best = advice(profile, "reasoning")["picks"][0]
        assert best["context_tokens"] == 32_768
        (said,) = (reason for reason in best["reasons"] if reason.startswith("it reasons first: about "))
        assert said.startswith(f"it reasons first: about {tokens:,} tokens, about ")
        low, high = (tokens / best["speed"][key] for key in ("decode_tps", "decode_at_context_tps"))
        number, unit = said.split()[-2:]
        assert low * 0.9 < int(number) * (60 if unit.startswith("minute") else 1) < high


def test_long_context_is_wholly_on_a_gpu_that_holds_it_with_a_smaller_cache() -> None:
    request = complete_request(Request(task="long-context"), None)
    report = report_for(request, MachineOptions(ram="32G", vram="6G"), lambda _: None)
    one = report.found.picks[0].assessment
    assert one.gpu_layers > one.candidate.shape.layers
    assert one.kv_type == "q8_0"


def picked(task: str, **numbers: str | int) -> Any:
    request = complete_request(Request(task=task), None)
    return report_for(request, MachineOptions(**numbers), lambda _: None).found.picks  # type: ignore[arg-type]


def test_a_mac_of_16_gb_is_offered_a_smarter_one_that_it_holds() -> None:
    for task in ("code", "math", "reasoning"):
        smarter = advice("macbook-air-16gb", task)["picks"][-1]
        assert smarter["role"] == "smarter"
        assert smarter["gpu_layers"] == 41
    (thoughts,) = (
        reason for reason in smarter["reasons"] if reason.startswith("its reasoning is limited to 8,192 tokens: ")
    )
    assert thoughts.endswith(" more memory")
    (cache,) = (reason for reason in smarter["reasons"] if reason.startswith("the KV cache type is q8_0: "))
    assert re.search(r"f16; f16 would fill \d\d% of the usable memory$", cache)
    small = picked("any", profile="macbook-air-16gb", ram="8G")[0]
    assert small.assessment.gpu_layers == 33


def test_who_reasons_has_room_for_it_whatever_the_task_is() -> None:
    smarter = advice("desktop-64gb-rtx4090-24gb", "code")["picks"][-1]
    assert (smarter["model"], smarter["context_tokens"]) == ("phi-4-reasoning", 32_768)


def test_a_conversation_on_a_gpu_may_grow_until_that_is_four_fifths_full() -> None:
    for profile in ("desktop-64gb-rtx4090-24gb", "desktop-32gb-rtx3060-12gb", "macbook-pro-36gb"):
        report = report_for(
            complete_request(Request(task="chat"), None), MachineOptions(profile=profile), lambda _: None
        )
        for one in report.found.picks:
            full = one.assessment.memory.gpu_bytes / report.gpu_usable_bytes
            assert full <= 0.8 or one.assessment.context_tokens == 4096
            assert f"--context {one.assessment.context_tokens}" in one.command
    assert advice("desktop-64gb-rtx4090-24gb", "chat")["picks"][0]["context_tokens"] == 16_384


def test_a_larger_card_reads_a_document_that_is_no_shorter() -> None:
    contexts = [picked("long-context", ram="64G", vram=f"{size}G")[0].assessment.context_tokens for size in range(2, 9)]
    assert contexts == sorted(contexts)


def test_a_ruined_file_counts_less_than_sound_ones_that_are_as_good_and_no_others() -> None:
    points = []
    for ram in ("5G", "5.5G", "6G", "8G"):
        best = picked("reasoning", ram=ram)[0].assessment
        assert best.candidate.variant.id == "phi-4-mini-reasoning"
        points.append(best.quality)
    assert points == sorted(points)


def test_the_true_cause_of_a_shorter_document_is_named() -> None:
    for vram in (2, 3, 4, 5, 6):
        for ram in ("8G", "16G", "64G"):
            for pick in picked("long-context", ram=ram, vram=f"{vram}G"):
                for said in (reason for reason in pick.reasons if reason.startswith("32,768 tokens would ")):
                    share = re.search(r"fill (\d+)%", said)
                    assert share is None or int(share[1]) >= 85, said


def test_a_context_that_fills_the_memory_names_a_better_one() -> None:
    full = [advice("laptop-16gb", "any", tokens)["picks"][0] for tokens in (131_072, 4096)]
    said = [[reason for reason in one["reasons"] if reason.startswith("better on this machine: ")] for one in full]
    assert full[0]["memory_share"] > 0.9
    assert [len(one) for one in said] == [1, 0]


RAMS = [{"ram": f"{size / 4}G", "bandwidth": "60GB/s"} for size in (*range(24, 40), *range(40, 160, 8))]
CARDS = [
    {"ram": "64G", "bandwidth": "75GB/s", "cores": 16, "vram": f"{size / 4}G" if size else None}
    for size in (0, *range(5, 26), *range(26, 100, 8))
]


@pytest.mark.parametrize("machines", [RAMS, CARDS], ids=["memory", "a card"])
@pytest.mark.parametrize("task", ["chat", "reasoning", "long-context"])
def test_more_memory_or_a_larger_card_never_gives_a_pick_that_is_worth_less(
    task: str, machines: list[dict[str, Any]]
) -> None:
    before = 0.0, ""
    for numbers in machines:
        request = complete_request(Request(task=task), None)
        report = report_for(request, MachineOptions(**numbers), lambda _: None)
        one = report.found.picks[0].assessment
        now = report.ranking.worth(one).points
        assert now >= before[0] - 0.01, f"{numbers}: {one.candidate.name} after {before[1]}"
        before = now, one.candidate.name


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
    assert "12,884,901,888 available (--ram, less what a typical laptop uses; --free sets the free memory)" in line
    assert " - 858,993,459 reserved for the system = " in line
    assert phi("recommend", "--ram", "16G", "--json").json["data"]["usable_bytes"] == 12_884_901_888 - 858_993_459
