"""What is said of a pick, word for word."""

from __future__ import annotations

from dataclasses import replace

from phicli.catalog.load import catalog
from phicli.fit.picks import Wording, tps_at
from phicli.fit.recommend import ranking_for
from phicli.fit.tasks import TASKS
from phicli.fit.types import Assessment, Recommendation, Request
from phicli.hardware.types import Machine
from tests.support.machines import GPU_24, LAPTOP_16
from tests.support.recommending import pick, recommended


def wording(task: str, here: Machine) -> Wording:
    return Wording(Request(task=task), ranking_for(TASKS[task], catalog()), here)


def first(found: Recommendation) -> Assessment:
    chosen = pick(found)
    assert chosen is not None
    return chosen.assessment


def test_a_strength_is_named_where_it_belongs_to_the_task() -> None:
    chat, maths = (pick(recommended(LAPTOP_16, Request(task=task))) for task in ("chat", "math"))
    assert chat is not None
    assert maths is not None
    assert (
        chat.reasons[0]
        == "of the models that fit, the best balance of quality and speed for everyday questions and conversation"
    )
    assert maths.reasons[0].endswith(" for mathematics (mathematical reasoning)")


def test_points_that_are_the_same_are_not_compared() -> None:
    one = first(recommended(LAPTOP_16))
    reason = wording("any", LAPTOP_16).pick("faster", replace(one, quality=one.quality + 0.49), one).reasons[0]
    assert reason == "answers 1.0 times as fast as the best pick; the same quality for general use"
    low, high = replace(one, quality=73.6, published=True), replace(one, quality=74.4, published=True)
    reason = wording("any", LAPTOP_16).pick("faster", low, high).reasons[0]
    assert reason.endswith("; 73.6 vs. 74.4 points for general use")


def test_what_the_smarter_one_costs_has_two_parts_at_most() -> None:
    smarter = pick(recommended(LAPTOP_16), "smarter")
    assert smarter is not None
    assert smarter.reasons[0] == (
        "better: 84 vs. about 74 points for general use; but it generates 4.1 tokens/s and its download is 9.1 GB"
    )


def test_what_is_on_a_gpu_has_its_context_in_the_command() -> None:
    chosen = pick(recommended(GPU_24))
    assert chosen is not None
    assert chosen.command == "phi chat phi-4:q6_k --context 16384"  # all that it was trained for: nobody can go beyond


def test_no_weights_are_repacked_and_the_command_is_short() -> None:
    chosen = pick(recommended(LAPTOP_16))
    assert chosen is not None
    assert chosen.assessment.candidate.shape.repackable_bytes > 0
    assert chosen.assessment.memory.repack_bytes == 0
    assert chosen.command == "phi chat phi-4-mini:q4_k_m"


def test_a_speed_in_between_has_a_time_in_between() -> None:
    speed = replace(first(recommended(LAPTOP_16)).speed, decode_tps=10.0, decode_at_context_tps=5.0)
    assert (tps_at(speed, 4096, 0), tps_at(speed, 4096, 4096)) == (10.0, 5.0)
    assert round(1000 / tps_at(speed, 4096, 2048)) == 150
