"""Quality from published scores and places in the order of the family; the cost of quantisation and of thinking."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phicli.catalog.load import catalog
from phicli.catalog.types import Score
from phicli.fit.quality import (
    LADDER_STEP,
    answer_tps,
    grade,
    kv_loss,
    quantisation_loss,
    thinking_ratio,
    thoughts_length,
)
from phicli.fit.tasks import TASKS

VARIANTS = catalog().variants
BY_ID = {variant.id: variant for variant in VARIANTS}


def points(name: str, task: str) -> float:
    graded = grade(BY_ID[name], TASKS[task], VARIANTS)
    assert graded is not None
    return graded.points


def test_a_published_score_of_the_scale_is_the_quality() -> None:
    graded = grade(BY_ID["phi-4"], TASKS["code"], VARIANTS)
    assert graded is not None
    assert (graded.points, graded.because) == (82.6, "HumanEval 82.6, published")


def test_without_a_score_the_place_between_the_neighbours_counts() -> None:
    low, high = points("phi-3-medium-4k", "code"), points("phi-3.5-moe", "code")
    assert points("phi-4-mini", "code") == pytest.approx(low + (high - low) * 2 / 3, abs=0.01)
    graded = grade(BY_ID["phi-4-mini"], TASKS["code"], VARIANTS)
    assert graded is not None
    assert graded.because.startswith("no HumanEval on this scale in the catalog; ")
    assert graded.because.endswith("above phi-3-medium-4k (62.2) and below phi-3.5-moe (70.7)")


def test_the_score_of_a_card_that_was_measured_in_the_same_way_counts() -> None:
    graded = grade(BY_ID["phi-4-mini"], TASKS["multilingual"], VARIANTS)
    assert graded is not None
    assert (graded.points, graded.published) == (63.9, True)
    assert graded.points > points("phi-3.5-moe", "multilingual")


def test_a_score_of_another_source_is_named_but_not_compared() -> None:
    graded = grade(BY_ID["phi-4-mini"], TASKS["chat"], VARIANTS)
    assert graded is not None
    assert "67.3" in graded.because
    assert graded.points > 67.3  # below phi-3-mini by that number, which was measured in another way


def test_beyond_the_scores_a_place_is_a_small_step() -> None:
    """Nobody knows how far it is: not half of the way to 100."""
    assert points("phi-4-mini-reasoning", "math") == points("phi-4", "math") + LADDER_STEP
    assert points("phi-4-reasoning-plus", "math") == points("phi-4", "math") + 3 * LADDER_STEP
    assert points("phi-4-mini-reasoning", "chat") == points("phi-3-mini-128k", "chat") - LADDER_STEP
    graded = [grade(BY_ID[name], TASKS["math"], VARIANTS) for name in ("phi-4", "phi-4-reasoning")]
    assert [one.published for one in graded if one] == [True, False]


def test_a_score_of_the_same_benchmark_under_another_name_counts() -> None:
    """The GPQA of the card of Phi-4 is its Diamond part, and MATH-500 is not MATH."""
    assert points("phi-4", "reasoning") == 56.1
    assert points("phi-4-reasoning-plus", "reasoning") == 68.9
    assert points("phi-4-reasoning", "reasoning") == 65.8
    assert points("phi-4-mini-reasoning", "reasoning") == 52.0
    graded = grade(BY_ID["phi-4-mini-reasoning"], TASKS["reasoning"], VARIANTS)
    assert graded is not None
    assert graded.because == "GPQA Diamond 52, published"
    assert points("phi-4-mini-reasoning", "math") not in (94.6, 91.2)


def test_a_variant_that_nobody_ranked_has_no_grade() -> None:
    assert grade(BY_ID["phi-2"], TASKS["chat"], VARIANTS) is None


def test_a_task_without_any_score_goes_by_the_order_alone() -> None:
    bare = [replace(variant, scores=()) for variant in VARIANTS]
    order = TASKS["chat"].order
    grades = [grade(next(one for one in bare if one.id == name), TASKS["chat"], bare) for name in order]
    assert [one.points for one in grades if one] == pytest.approx(
        [100 * place / (len(order) + 1) for place in range(1, len(order) + 1)], abs=0.005
    )


def test_a_score_on_the_scale_wins_over_one_that_comes_first() -> None:
    scores = (Score("MMLU", 1.0, "elsewhere"), Score("MMLU", 70.0, TASKS["chat"].source))
    graded = grade(replace(BY_ID["phi-4-mini"], scores=scores), TASKS["chat"], VARIANTS)
    assert graded is not None
    assert graded.points == 70.0


def test_coarser_quantisation_costs_more() -> None:
    losses = [quantisation_loss(quant) for quant in ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")]
    assert losses == sorted(losses)
    assert losses[0] == 0.0
    assert len(set(losses)) == len(losses)


def test_the_usual_quantisation_costs_about_a_point_by_the_published_table() -> None:
    assert quantisation_loss("Q4_K_M") == pytest.approx(0.3 * 100 * 0.1754 / 6.2332, abs=0.005)


@pytest.mark.parametrize(
    ("quant", "like"),
    [("q4_k_m", "Q4_K_M"), ("UD-Q4_K_L", "Q4_K_M"), ("IQ4_XS", "Q4_K_S"), ("IQ1_S", "Q2_K"), ("Q6_K_XL", "Q6_K")],
)
def test_what_the_table_lacks_is_judged_by_its_like(quant: str, like: str) -> None:
    assert quantisation_loss(quant) == quantisation_loss(like)


def test_a_quantised_cache_costs_little_at_8_bits_and_more_at_4() -> None:
    assert 0 == kv_loss("f16") < kv_loss("q8_0") < kv_loss("q4_0")


def test_thoughts_are_waiting_where_they_are_not_wanted() -> None:
    reasoner, chatter = BY_ID["phi-4-reasoning"], BY_ID["phi-4"]
    assert thinking_ratio(reasoner, TASKS["chat"]) > 0
    assert thinking_ratio(BY_ID["phi-4-reasoning-plus"], TASKS["chat"]) == 1.5 * thinking_ratio(reasoner, TASKS["chat"])
    assert answer_tps(45.0, reasoner, TASKS["chat"]) == pytest.approx(5.0)
    assert answer_tps(45.0, reasoner, TASKS["math"]) == 45.0
    assert answer_tps(45.0, chatter, TASKS["chat"]) == 45.0
    assert thoughts_length(BY_ID["phi-4-reasoning-plus"], TASKS["math"]) == 1.5 * thoughts_length(
        reasoner, TASKS["math"]
    )
    assert thoughts_length(BY_ID["phi-4-reasoning-plus"], TASKS["chat"]) == 1.0  # its ratio has it there
