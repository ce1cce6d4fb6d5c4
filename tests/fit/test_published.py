"""The estimate against what others have published for their machines; arithmetic alone, nothing is timed."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from benchmarks.published import (
    CLASSES,
    Figure,
    constants,
    covered,
    decode_errors,
    figures,
    line,
    percentile_90,
    prefill_errors,
    summary,
)
from phicli.fit.estimate import estimated_costs
from phicli.fit.placement import Placement, place
from phicli.fit.speed import estimate
from phicli.hardware.simulation import simulate
from tests.support.speeds import candidate

ROOT = Path(__file__).parents[2]
FIGURES = figures()

# 90th percentiles above the 40 % that we aim at, and why: see docs/accuracy.md.
MISSED = {("cpu", "prefill"): 0.66, ("apple", "decode"): 0.43, ("apple", "prefill"): 0.41}


def of(name: str) -> list[Figure]:
    return [one for one in FIGURES if one.group == name]


@pytest.mark.parametrize("name", CLASSES)
def test_there_are_enough_figures_of_each_class(name: str) -> None:
    group = of(name)
    assert len({one.chip for one in group}) >= 10
    assert sum(one.decode_tps is not None for one in group) >= 10
    assert sum(one.prefill_tps is not None for one in group) >= 10


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("what", ["decode", "prefill"])
def test_a_chip_is_predicted_from_the_others(name: str, what: str) -> None:
    found = decode_errors(of(name)) if what == "decode" else prefill_errors(of(name))
    for each in (found.shipped, found.left_out):
        assert statistics.median(map(abs, each)) <= 0.20
        assert percentile_90(each) <= MISSED.get((name, what), 0.40)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("prefill", [False, True])
def test_the_range_covers_what_was_published(name: str, prefill: bool) -> None:
    assert covered(of(name), prefill=prefill) >= 0.80


def test_the_constants_are_what_the_figures_say() -> None:
    for what, implied, value in constants(FIGURES):
        assert value == pytest.approx(implied, rel=0.05), what


def test_the_graphics_of_a_mac_are_faster_than_its_processor() -> None:
    """Both read the same memory, and the graphics more of it."""
    model = candidate(quant="Q4_K_M", weights=2_490_000_000)
    for profile in ("macbook-air-16gb", "macbook-pro-36gb"):
        machine = simulate(profile=profile)
        whole = place(model.shape, machine, 4096, "f16")
        assert whole.gpu_layers == model.shape.layers + 1
        there = estimate(model, machine, whole, prompt_tokens=512)
        here = estimate(model, machine, Placement(4096, "f16", whole.memory), prompt_tokens=512)
        assert there.decode_tps > here.decode_tps
        assert there.prefill_tps > 1.5 * here.prefill_tps
        assert there.grade == here.grade == "estimated from published figures"


def test_what_we_measured_ourselves_says_nothing_of_published_figures() -> None:
    model = candidate()
    machine = simulate(profile="container-4gb")
    costs = estimated_costs(model, machine, place(model.shape, machine, 4096, "f16"))
    assert not costs.published
    assert costs.speed(context_tokens=4096, prompt_tokens=512).grade == "estimated"


def test_the_tables_in_the_documents_are_these() -> None:
    """``python -m benchmarks.published`` prints them anew."""
    text = (ROOT / "docs" / "accuracy.md").read_text("utf-8")
    rows = [row for name in CLASSES for row in summary(name, of(name))] + [line(one) for one in FIGURES]
    rows += [f"| {what} | {implied:.3g} | {value:.3g} |" for what, implied, value in constants(FIGURES)]
    assert [row for row in rows if row not in text] == []
