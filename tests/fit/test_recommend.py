"""The choice: what is taken on machines of many kinds, what is left out and why, and what holds for all of them."""

from __future__ import annotations

from collections import Counter

import pytest

from phicli.catalog.load import catalog
from phicli.errors import DoesNotFitError
from phicli.fit.contexts import planned_context
from phicli.fit.placement import place
from phicli.fit.quality import quantisation_loss
from phicli.fit.ranking import useful_tps
from phicli.fit.recommend import best_quant_for
from phicli.fit.tasks import TASKS
from phicli.fit.types import Request
from phicli.hardware.types import Machine
from tests.support.machines import ALL, BOARD, CONTAINER_4, GPU_24, LAPTOP_8, LAPTOP_16, WORKSTATION_64
from tests.support.recommending import GB, all_candidates, machine, name_of, pick, recommended, speed_on

TIE_POINTS = 1.0
"""Less than this nobody notices: it is what Q4_K_M costs."""

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
    assert pick(found, "faster") is None  # nobody waits for this one


def test_a_container_of_4_gb_still_gets_a_sound_model() -> None:
    """2.3 GiB of weights, half a GiB of context: Phi-4-mini fits at the usual size."""
    chosen = pick(recommended(CONTAINER_4))
    assert name_of(chosen) == "phi-4-mini:Q4_K_M"
    assert chosen is not None


def test_a_workstation_of_64_gb_runs_phi_4_and_has_the_small_one_as_the_faster_one() -> None:
    """Phi-4 is the best at 13 tokens/s; 42B in a mixture are faster and fit too, but take a download of 25 GB."""
    found = recommended(WORKSTATION_64)
    assert name_of(pick(found)) == "phi-4:Q4_K_M"
    assert (name_of(pick(found, "faster")) or "").startswith("phi-4-mini:")


def test_a_board_that_reaches_no_target_gets_a_sound_model_and_is_told_so() -> None:
    chosen = pick(recommended(BOARD))
    assert name_of(chosen) == "phi-4-mini:Q4_K_M"
    assert chosen is not None
    assert "its 3.0 tokens/s are below the target of 8" in chosen.reasons[0]


@pytest.mark.parametrize(
    ("here", "task", "expected"),
    [
        (LAPTOP_16, "math", "phi-4-mini-reasoning:Q4_K_M"),  # made for mathematics on constrained machines
        (LAPTOP_16, "tools", "phi-4-mini:Q4_K_M"),  # the only one that runs here and calls functions
        (LAPTOP_16, "multilingual", "phi-4-mini:Q4_K_M"),  # 23 languages, and a third of Phi-3.5-mini's cache
        (LAPTOP_16, "long-context", "phi-4-mini:Q4_K_M"),  # 32K tokens take 4 GiB; 12 GiB with Phi-3.5-mini
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


def test_a_machine_that_does_not_tell_its_memory_refuses_nothing() -> None:
    silent = machine(8)
    unknown = Machine(memory=None, cpu=silent.cpu, bandwidth=silent.bandwidth)
    found = recommended(unknown)
    assert not [out for out in found.rejected if out.gate == "memory"]
    assert "fits" not in " ".join(reason for one in found.picks for reason in one.reasons)


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


@pytest.mark.parametrize("task", ["chat", "code", "math", "multilingual"])
def test_there_is_no_cliff(task: str) -> None:
    """A machine that is a little faster gets the same model or one that is better: the choice turns around once."""
    order = TASKS[task].order
    places = []
    for percent in range(100, 800, 5):
        chosen = pick(recommended(machine(32, bandwidth=percent / 100 * 15 * GB), Request(task=task)))
        assert chosen is not None
        places.append(order.index(chosen.assessment.candidate.variant.id))
    assert places == sorted(places)


def test_a_larger_model_with_a_lower_score_is_never_the_smarter_one() -> None:
    """The mixture has 58.7 points at languages, Phi-4-mini has 63.9 by its own card, and a tenth of the size."""
    wish = Request(task="multilingual")
    for here in (machine(32, used_gib=4, bandwidth=75 * GB), machine(128, bandwidth=200 * GB)):
        found = recommended(here, wish)
        best = pick(found)
        assert best is not None
        assert best.assessment.candidate.variant.id == "phi-4-mini"
        assert "phi-4 scores higher (MGSM 80.6), but is not listed for languages other than English" in best.reasons
        assert pick(found, "smarter") is None


def test_a_model_that_is_wholly_on_the_gpu_comes_before_a_finer_one_that_is_shared() -> None:
    chosen = pick(recommended(machine(32, bandwidth=50 * GB, vram_gib=11.2)))
    assert name_of(chosen) == "phi-4:Q4_K_M"
    assert chosen is not None
    assert chosen.assessment.gpu_layers == chosen.assessment.candidate.shape.layers + 1
