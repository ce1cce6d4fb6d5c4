"""Every quantisation of one model on a machine: what fits, what does not, and what stands first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phicli.catalog.load import catalog
from phicli.catalog.quants import PREFERRED_QUANTS
from phicli.fit.placement import place
from phicli.fit.recommend import best_quant_for, every_quant_of
from phicli.fit.types import Assessment, Rejection
from phicli.hardware.types import Machine
from tests.support.machines import ALL, CONTAINER_4, LAPTOP_8, WORKSTATION_64
from tests.support.recommending import all_candidates, machine, speed_on

BY_ID = {variant.id: variant for variant in catalog().variants}


def rows(name: str, here: Machine, *installed: str) -> tuple[tuple[Assessment, Rejection | None], ...]:
    return every_quant_of(BY_ID[name], catalog(), all_candidates(*installed), here, speed_on(here))


@pytest.mark.parametrize("here", ALL)
@pytest.mark.parametrize("name", ["phi-4-mini", "phi-4", "phi-2"])
def test_every_file_has_a_row_and_what_is_taken_is_one_that_fits(here: Machine, name: str) -> None:
    found = rows(name, here)
    quants = sorted(one.candidate.quant for one, _ in found)
    assert quants == sorted(one.quant for one in all_candidates() if one.variant.id == name)
    taken = best_quant_for(BY_ID[name], catalog(), all_candidates(), here, speed_on(here))
    fitting = [one for one, out in found if out is None]
    assert taken in fitting if fitting else taken is None


@pytest.mark.parametrize("here", ALL)
def test_what_is_said_to_fit_does_and_the_rest_misses_what_is_said(here: Machine) -> None:
    for one, out in rows("phi-4", here):
        placed = place(one.candidate.shape, here, one.context_tokens, one.kv_type)
        assert placed.memory == one.memory
        assert placed.missing_bytes == (0 if out is None else out.missing_bytes)
        assert placed.fits is (out is None)


def test_what_fits_stands_first_in_the_usual_order() -> None:
    quants = [one.candidate.quant for one, _ in rows("phi-4-mini", WORKSTATION_64)]
    assert tuple(quants[: len(PREFERRED_QUANTS)]) == PREFERRED_QUANTS
    assert next(one.candidate.quant for one, _ in rows("phi-4-mini", WORKSTATION_64, "phi-4-mini:Q2_K")) == "Q2_K"
    outs = [out for _, out in rows("phi-4", machine(11))]
    assert None in outs
    missing = [out.missing_bytes for out in outs if out is not None]
    assert outs[: outs.count(None)] == [None] * outs.count(None)
    assert missing == sorted(missing, key=lambda size: size or 0)
    assert len(missing) > 1


def test_a_smaller_cache_is_tried_before_it_is_said_not_to_fit() -> None:
    tight = machine(3.4)
    kinds = {one.candidate.quant: (one.kv_type, out is None) for one, out in rows("phi-4-mini", tight)}
    assert kinds["Q2_K"] == ("f16", True)
    assert kinds["Q4_K_M"] == ("q8_0", True)
    assert kinds["Q8_0"] == ("q8_0", False)


def test_where_no_memory_is_told_nothing_is_refused() -> None:
    silent = replace(CONTAINER_4, memory=None)
    assert all(out is None for _, out in rows("phi-4", silent))
    assert any(out is not None for _, out in rows("phi-4", LAPTOP_8))
