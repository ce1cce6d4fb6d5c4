"""What an evaluation takes of tuning, and of ``--max-tokens``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from phicli.bench.evaluation.items import read_items
from phicli.bench.evaluation.preparing import MAX_TOKENS, REASONING_MAX_TOKENS, EvalOptions, EvaluationPlan, prepare
from phicli.bench.measuring.room import PlannedLoad, needed
from phicli.bench.measuring.surroundings import look_around
from phicli.bench.subjects import subjects
from phicli.engine.settings import EngineSettings
from phicli.fit.shape import shape_of
from phicli.gguf_file.header import read_header
from phicli.hardware.available import Memory
from phicli.records.tuned import Winner
from tests.support.files import TINY_PHI

BEST = Winner(
    EngineSettings(threads=1, batch_tokens=512, kv_type="q8_0", flash_attention="on"), default=False,
    ratio=1.2, ratio_low=1.1, ratio_high=1.3,
)  # fmt: skip
QUESTIONS = read_items(b'{"question": "q", "answer": 1, "compare": "number"}', "test")


def prepared(
    best: Winner | None = BEST, memory: Memory | None = None, max_tokens: int | None = None, **settings: Any
) -> EvaluationPlan:
    (subject,) = subjects(["tiny-phi"])
    around = replace(look_around(), memory=memory)
    return prepare(subject, QUESTIONS, EvalOptions("arithmetic", max_tokens, settings=settings), around, best=best)


def test_settings_that_tuning_found_hold_but_the_type_of_the_cache_which_changes_replies() -> None:
    found = prepared().settings
    assert (found.threads, found.batch_tokens, found.flash_attention, found.repack) == (1, 512, "on", False)
    assert found.kv_type == "f16"
    untuned = prepared(None).settings
    assert (untuned.batch_tokens, untuned.flash_attention, untuned.repack) == (128, "auto", False)


def test_what_was_typed_is_taken_before_what_was_tuned() -> None:
    found = prepared(threads=2, batch_tokens=64, flash_attention="off", repack=True).settings
    assert (found.threads, found.batch_tokens, found.flash_attention, found.repack) == (2, 64, "off", True)


def test_whether_repacking_pays_is_what_tuning_says() -> None:
    assert prepared(replace(BEST, settings=replace(BEST.settings, repack=True))).settings.repack
    assert not prepared(BEST).settings.repack


def test_a_large_micro_batch_that_does_not_fit_gives_way() -> None:
    """The memory is just enough for the defaults: tuned settings must not turn that into exit code 5."""
    plain = prepared(None, repack=False)
    (subject,) = subjects(["tiny-phi"])
    settings = EngineSettings(threads=1, batch_tokens=128)
    load = PlannedLoad(subject, settings, shape_of(read_header(TINY_PHI)), plain.job.load.context.first_tokens)
    least = needed(load, ()).resident_bytes
    found = prepared(BEST, Memory(2 * least, 2 * least, "the test"), repack=False)
    assert (found.settings.threads, found.settings.batch_tokens, found.settings.flash_attention) == (1, 128, "auto")


@pytest.mark.parametrize("typed", [128, 5])
def test_tokens_that_were_typed_are_meant_even_where_they_are_the_default_of_other_benchmarks(typed: int) -> None:
    found = prepared(max_tokens=typed)
    assert found.max_tokens == typed
    assert found.sampling.max_tokens == typed


def test_without_tokens_it_depends_on_the_model() -> None:
    assert prepared().max_tokens in (MAX_TOKENS, REASONING_MAX_TOKENS)
    assert prepared().max_tokens != 128
