"""The choice: what is taken on machines of many kinds, what is left out and why, and what holds for all of them."""

from __future__ import annotations

from collections import Counter

import pytest

from phicli.catalog.load import catalog
from phicli.errors import DoesNotFitError, UnsupportedModelError, UsageError
from phicli.fit.placement import place
from phicli.fit.quality import quantisation_loss
from phicli.fit.ranking import TIE_POINTS, useful_tps
from phicli.fit.recommend import best_quant_for, planned_context
from phicli.fit.tasks import TASKS
from phicli.fit.types import Request
from phicli.hardware.types import Machine
from tests.support.recommending import GB, all_candidates, machine, name_of, pick, recommended, speed_on

LAPTOP_8 = machine(8, used_gib=2.5, bandwidth=30 * GB)
LAPTOP_16 = machine(16, used_gib=4, bandwidth=50 * GB)
GPU_24 = machine(64, used_gib=6, bandwidth=50 * GB, vram_gib=24)
CONTAINER_4 = machine(4, used_gib=0.1, bandwidth=30 * GB)
WORKSTATION_64 = machine(64, used_gib=5, bandwidth=160 * GB)
BOARD = machine(8, used_gib=1, bandwidth=10 * GB)
ALL = (LAPTOP_8, LAPTOP_16, GPU_24, CONTAINER_4, WORKSTATION_64, BOARD)
BY_ID = {variant.id: variant for variant in catalog().variants}


def best(here: Machine, task: str = "any") -> str | None:
    return name_of(pick(recommended(here, Request(task=task))))


def test_a_laptop_of_8_gb_gets_the_small_default_in_the_usual_size() -> None:
    """14B models do not fit at all; of the small ones Phi-4-mini is the best and has the lightest cache."""
    found = recommended(LAPTOP_8)
    assert name_of(pick(found)) == "phi-4-mini:Q4_K_M"
    assert pick(found, "smarter") is None


def test_a_laptop_of_16_gb_is_not_filled_because_it_can_be() -> None:
    """Phi-4 fits, but 4 tokens a second are slower than reading: it is offered as the smarter one, not taken."""
    found = recommended(LAPTOP_16)
    assert name_of(pick(found)) == "phi-4-mini:Q4_K_M"
    assert name_of(pick(found, "smarter")) == "phi-4:Q4_K_M"


def test_a_gpu_of_24_gb_runs_the_best_general_model_nearly_lossless() -> None:
    """Phi-4 at Q6_K: all layers fit, it is fast, and Q8_0 would be larger for a tenth of a point."""
    found = recommended(GPU_24)
    assert name_of(pick(found)) == "phi-4:Q6_K"
    chosen = pick(found)
    assert chosen is not None
    assert chosen.assessment.gpu_layers == chosen.assessment.candidate.shape.layers + 1
    assert (name_of(pick(found, "faster")) or "").startswith("phi-4-mini:")


def test_a_container_of_4_gb_still_gets_a_sound_model() -> None:
    """2.3 GiB of weights, half a GiB of context: Phi-4-mini fits at the usual size, with nothing repacked."""
    chosen = pick(recommended(CONTAINER_4))
    assert name_of(chosen) == "phi-4-mini:Q4_K_M"
    assert chosen is not None
    assert chosen.assessment.memory.repack_bytes == 0


def test_a_workstation_of_64_gb_runs_phi_4_and_has_the_mixture_as_the_faster_one() -> None:
    """Phi-4 is the best and above the floor; 42B in a mixture fit too and are faster, but not better."""
    found = recommended(WORKSTATION_64)
    assert name_of(pick(found)) == "phi-4:Q4_K_M"
    assert name_of(pick(found, "faster")) == "phi-3.5-moe:Q4_K_M"


def test_a_board_that_reaches_no_floor_gets_the_fastest_sound_model_and_is_told_so() -> None:
    chosen = pick(recommended(BOARD))
    assert name_of(chosen) == "phi-4-mini:Q4_K_M"
    assert chosen is not None
    assert "nothing sound that fits reaches the 8 tokens/s" in chosen.reasons[0]


@pytest.mark.parametrize(
    ("here", "task", "expected"),
    [
        (LAPTOP_16, "math", "phi-4-mini-reasoning:Q4_K_M"),  # made for mathematics on constrained machines
        (LAPTOP_16, "tools", "phi-4-mini:Q4_K_M"),  # the only one that runs here and calls functions
        (LAPTOP_16, "multilingual", "phi-4-mini:Q4_K_M"),  # 23 languages, and a third of Phi-3.5-mini's cache
        (LAPTOP_16, "long-context", "phi-4-mini:Q5_K_M"),  # 32K tokens take 4 GiB; 12 GiB with Phi-3.5-mini
        (GPU_24, "reasoning", "phi-4-reasoning-plus:Q6_K"),  # the highest accuracy, and fast enough for its thoughts
        (GPU_24, "code", "phi-4:Q6_K"),  # the reasoning models are better, and one waits ten times as long
        (CONTAINER_4, "math", "phi-4-mini-reasoning:Q4_K_M"),  # fits with an 8-bit cache; Q2_K would be fast and wrong
    ],
)
def test_what_an_expert_would_take(here: Machine, task: str, expected: str) -> None:
    assert best(here, task) == expected


@pytest.mark.parametrize("task", [name for name in TASKS if name != "vision"])
def test_more_memory_never_gives_a_worse_pick(task: str) -> None:
    """Worse by more than what counts as a tie; speed is the same, as only the memory differs."""
    before = 0.0
    for ram in (3, 4, 6, 8, 12, 16, 24, 32, 48, 64):
        try:
            chosen = pick(recommended(machine(ram, bandwidth=60 * GB), Request(task=task)))
        except DoesNotFitError:
            assert before == 0.0, f"{ram} GiB are not enough where less was"
            continue
        assert chosen is not None
        assert chosen.assessment.quality > before - TIE_POINTS
        before = max(before, chosen.assessment.quality)


def test_a_longer_context_never_needs_less() -> None:
    for candidate in all_candidates():
        sums = [place(candidate.shape, machine(2), tokens, "f16").missing_bytes for tokens in (512, 4096, 8192, 65536)]
        assert sums == sorted(sums)


@pytest.mark.parametrize("here", ALL)
def test_every_candidate_is_picked_would_do_or_has_one_reason(here: Machine) -> None:
    found = recommended(here)
    shown = [one.assessment.candidate for one in found.picks] + [one.candidate for one in found.others]
    names = [(one.variant.id, one.quant) for one in shown]
    names += [(out.variant_id, out.quant) for out in found.rejected if out.quant]
    assert Counter(names) == Counter((one.variant.id, one.quant) for one in all_candidates())
    whole = [out.variant_id for out in found.rejected if out.quant is None]
    assert set(whole) | {name for name, _ in names} == set(BY_ID)
    assert len(set(whole)) == len(whole)


@pytest.mark.parametrize("here", ALL)
def test_nothing_that_cannot_run_or_does_not_fit_is_picked(here: Machine) -> None:
    for task in (name for name in TASKS if name not in {"vision", "long-context"}):
        for one in recommended(here, Request(task=task)).picks:
            chosen = one.assessment
            assert chosen.candidate.variant.runs_here
            assert chosen.candidate.variant.packaged_file is None
            assert set(TASKS[task].needs) & set(chosen.candidate.variant.capabilities)
            assert place(chosen.candidate.shape, here, chosen.context_tokens, chosen.kv_type).fits


@pytest.mark.parametrize("here", ALL)
def test_the_faster_is_faster_and_the_smarter_smarter(here: Machine) -> None:
    for task in (name for name in TASKS if name not in {"vision", "long-context"}):
        found = recommended(here, Request(task=task))
        first, faster, smarter = pick(found), pick(found, "faster"), pick(found, "smarter")
        assert first is not None
        if faster:
            assert useful_tps(faster.assessment, TASKS[task]) >= 1.5 * useful_tps(first.assessment, TASKS[task])
        if smarter:
            assert smarter.assessment.quality >= first.assessment.quality + 2


def test_the_same_question_has_the_same_answer() -> None:
    assert recommended(LAPTOP_16) == recommended(LAPTOP_16)


def test_what_is_missing_is_told_with_the_remedy() -> None:
    found = recommended(
        machine(12.2, bandwidth=200 * GB), Request(context_tokens=16_384, kv_type="f16", quant="Q4_K_M")
    )
    out = next(one for one in found.rejected if (one.variant_id, one.quant) == ("phi-4", "Q4_K_M"))
    assert (out.gate, out.remedy) == ("memory", "q8_0 KV would fit: --kv-type q8_0")
    assert out.missing_bytes is not None
    assert out.missing_bytes > 0
    assert "more memory with a context of 16,384 tokens" in out.reason


def test_a_cache_of_8_bits_is_the_remedy_that_is_taken_by_itself() -> None:
    here = machine(4.8, bandwidth=60 * GB)
    chosen = pick(recommended(here, Request(context_tokens=16_384, quant="q4_k_m")))
    assert chosen is not None
    assert chosen.command == "phi chat phi-4-mini:q4_k_m --context 16384 --kv-type q8_0"
    assert any("as f16 it would not fit" in reason for reason in chosen.reasons)


def test_nothing_fits_says_what_is_missing() -> None:
    with pytest.raises(DoesNotFitError, match=r"nothing fits: 512\.0 MiB can be used; the nearest, phi-") as caught:
        recommended(machine(1))
    assert caught.value.data is not None
    assert caught.value.data["missing_bytes"] > 0
    assert {out["gate"] for out in caught.value.data["rejected"]} >= {"memory", "engine", "capability"}


def test_a_shorter_context_that_would_fit_is_proposed() -> None:
    with pytest.raises(DoesNotFitError) as caught:
        recommended(CONTAINER_4, Request(task="long-context"))
    assert "phi recommend --task long-context --context " in caught.value.hint
    tokens = int(caught.value.hint.rpartition(" ")[2])
    assert recommended(CONTAINER_4, Request(task="long-context", context_tokens=tokens)).picks


@pytest.mark.parametrize(
    ("request_", "words", "hint"),
    [
        (Request(task="cooking"), "no task called 'cooking'", "long-context"),
        (Request(context_tokens=200_000), "the longest is 131,072", "--context 131072"),
        (Request(task="tools", context_tokens=200_000), "131,072 (phi-4-mini)", "--task tools --context 131072"),
        (Request(license="GPL"), "--license GPL excludes everything", "MIT"),
        (Request(quant="Q9_Z"), "--quant Q9_Z excludes everything", "Q4_K_M"),
        (Request(max_size_bytes=1000), "--max-size 1000 B excludes everything", "and more"),
        (Request(installed_only=True), "--installed excludes everything", "phi recommend"),
        (
            Request(quant="F16", max_size_bytes=2 << 30),
            "excludes everything that --quant F16 leaves",
            "--max-size 2.00 GiB",
        ),
        (Request(kv_type="q3"), "no cache type called 'q3'", "q8_0"),
        (Request(min_tps=0), "--min-tps must be more than 0", "--help"),
        (Request(min_tps=float("nan")), "--min-tps must be more than 0", "--help"),
        (Request(context_tokens=-1), "--context must be more than 0", "--help"),
    ],
)
def test_what_makes_no_sense_is_told(request_: Request, words: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        recommended(LAPTOP_16, request_)
    assert words in caught.value.message
    assert hint in caught.value.hint


def test_pictures_are_for_others_and_that_is_said() -> None:
    with pytest.raises(UnsupportedModelError, match="no engine here can be used for pictures") as caught:
        recommended(GPU_24, Request(task="vision"))
    assert "phi-4-multimodal (ONNX Runtime GenAI" in caught.value.hint
    assert "text only" in caught.value.message


def test_a_speed_that_was_asked_for_is_kept_to() -> None:
    found = recommended(LAPTOP_16, Request(min_tps=12))
    assert [one.role for one in found.picks if one.role == "smarter"] == []
    assert all(one.assessment.speed.decode_tps >= 12 for one in found.picks)
    with pytest.raises(DoesNotFitError, match="nothing that fits reaches 500 tokens/s; the fastest, "):
        recommended(LAPTOP_16, Request(min_tps=500))


def test_filters_are_kept_to() -> None:
    found = recommended(LAPTOP_16, Request(quant="q5-k-m", license="mit", max_size_bytes=4 << 30))
    shown = [one.assessment for one in found.picks] + list(found.others)
    assert {one.candidate.quant for one in shown} == {"Q5_K_M"}
    assert all(one.candidate.shape.weights_bytes <= 4 << 30 for one in shown)


def test_what_is_installed_wins_a_tie_but_nothing_more() -> None:
    assert name_of(pick(recommended(GPU_24, None, "phi-4:Q4_K_M"))) == "phi-4:Q4_K_M"
    assert name_of(pick(recommended(GPU_24, None, "phi-4-mini:Q8_0"))) == "phi-4:Q6_K"
    only = recommended(GPU_24, Request(installed_only=True), "phi-3.5-mini:Q4_K_M")
    assert [name_of(one) for one in only.picks] == ["phi-3.5-mini:Q4_K_M"]


def test_a_machine_that_does_not_tell_its_memory_refuses_nothing() -> None:
    silent = machine(8)
    unknown = Machine(memory=None, cpu=silent.cpu, bandwidth=silent.bandwidth)
    assert not [out for out in recommended(unknown).rejected if out.gate == "memory"]


def test_layers_are_shared_with_a_gpu_that_is_too_small() -> None:
    chosen = pick(recommended(machine(32, bandwidth=50 * GB, vram_gib=8), Request(quant="Q4_K_M")))
    assert name_of(chosen) == "phi-4:Q4_K_M"
    assert chosen is not None
    assert 0 < chosen.assessment.gpu_layers <= 40
    assert any("layers run on the GPU" in reason for reason in chosen.reasons)


def test_a_gpu_that_shares_main_memory_is_not_counted_twice() -> None:
    here = machine(16, used_gib=4, vram_gib=11, unified=True)
    for one in recommended(here, Request(quant="Q8_0")).others:
        assert one.candidate.shape.weights_bytes < 11 << 30


def test_the_context_that_is_planned_stops_where_the_model_does() -> None:
    assert planned_context(BY_ID["phi-3-mini-4k"], Request(task="code"), TASKS["code"]) == 4096
    assert planned_context(BY_ID["phi-4-mini"], Request(task="code"), TASKS["code"]) == 8192
    assert planned_context(BY_ID["phi-4-mini"], Request(context_tokens=1000), TASKS["code"]) == 1000


@pytest.mark.parametrize(
    ("variant", "here", "expected"),
    [
        ("phi-4-mini", LAPTOP_8, "Q4_K_M"),
        ("phi-4-mini", GPU_24, "Q6_K"),
        ("phi-4", machine(11, bandwidth=200 * GB), "Q4_K_M"),
        ("phi-2", LAPTOP_8, "Q4_K_M"),  # no task knows it: whoever names it gets a file for it all the same
        ("phi-4", CONTAINER_4, None),
    ],
)
def test_the_file_of_a_given_model(variant: str, here: Machine, expected: str | None) -> None:
    speed_of = speed_on(here)
    chosen = best_quant_for(BY_ID[variant], catalog(), all_candidates(), here, speed_of)
    assert (chosen.candidate.quant if chosen else None) == expected


def test_a_ruined_model_is_taken_only_where_nothing_else_fits() -> None:
    chosen = pick(recommended(machine(2.6, bandwidth=30 * GB)))
    assert chosen is not None
    loss = quantisation_loss(chosen.assessment.candidate.quant)
    assert loss > 5
    assert f"costs about {loss:.0f} points" in " ".join(chosen.reasons)


def test_twice_the_size_has_to_be_worth_it() -> None:
    """42B at three bits would be two points better than Phi-4-mini, for eight times the memory."""
    here = machine(20, bandwidth=120 * GB)
    only = Request(quant="Q3_K_M")
    assert name_of(pick(recommended(here, only))) == "phi-4:Q3_K_M"
    slow = machine(20, bandwidth=55 * GB)
    assert name_of(pick(recommended(slow))) == "phi-4-mini:Q4_K_M"


def test_a_floor_that_is_lowered_for_one_is_lowered_for_all() -> None:
    """Only small files of Phi-4-mini reach 12 tokens/s; its usual file is as fast as that of the better model."""
    chosen = pick(recommended(machine(5, bandwidth=34 * GB), Request(task="math")))
    assert name_of(chosen) == "phi-4-mini-reasoning:Q4_K_M"
    assert chosen is not None
    assert "nearly reaches the 12 tokens/s" in chosen.reasons[0]
