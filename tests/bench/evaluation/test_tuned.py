"""What an evaluation takes of tuning, and of ``--tokens``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from phicli.bench.evaluation.items import read_items
from phicli.bench.measuring.room import Load, needed
from phicli.bench.measuring.surroundings import look_around
from phicli.commands.benching.options import BenchOptions
from phicli.commands.benching.preparing import MAX_TOKENS, REASONING_MAX_TOKENS, EvaluationPlan, prepare
from phicli.commands.benching.subjects import subjects
from phicli.commands.benching.typed import Typed
from phicli.errors import UsageError
from phicli.fit.shape import shape_of
from phicli.gguf_file.header import read_header
from phicli.hardware.available import Memory
from phicli.plan.tuned import Winner
from phicli.records.run import BenchSettings
from tests.support.files import TINY_PHI

BEST = Winner(
    threads=1, batch_tokens=512, kv_type="q8_0", flash_attention="on", repack=False, default=False,
    ratio=1.2, ratio_low=1.1, ratio_high=1.3,
)  # fmt: skip
QUESTIONS = read_items(b'{"question": "q", "answer": 1, "compare": "number"}', "test")


def prepared(best: Winner | None = BEST, memory: Memory | None = None, **typed: Any) -> EvaluationPlan:
    (subject,) = subjects(["tiny-phi"])
    around = replace(look_around(), memory=memory)
    return prepare(subject, QUESTIONS, options(**typed), around, best=best)


def options(**typed: Any) -> BenchOptions:
    return Typed(eval_file="arithmetic", **typed).read(as_json=False, jsonl=False, csv=False, markdown=False)


def test_settings_that_tuning_found_hold_but_the_type_of_the_cache_which_changes_replies() -> None:
    found = prepared().settings
    assert (found.threads, found.batch_tokens, found.flash_attention, found.repack) == (1, 512, "on", False)
    assert found.kv_type == "f16"
    untuned = prepared(None).settings
    assert (untuned.batch_tokens, untuned.flash_attention, untuned.repack) == (128, "auto", True)


def test_what_was_typed_is_taken_before_what_was_tuned() -> None:
    found = prepared(threads="2", batch_size="64", flash_attention="off", repack="on").settings
    assert (found.threads, found.batch_tokens, found.flash_attention, found.repack) == (2, 64, "off", True)


def test_whether_repacking_pays_is_what_tuning_says() -> None:
    assert prepared(replace(BEST, repack=True)).settings.repack
    assert not prepared(BEST).settings.repack


def test_a_large_micro_batch_that_does_not_fit_gives_way() -> None:
    """The memory is just enough for the defaults: tuned settings must not turn that into exit code 5."""
    plain = prepared(None, repack="off")
    (subject,) = subjects(["tiny-phi"])
    settings = BenchSettings(threads=1, batch_tokens=128)
    load = Load(subject, settings, shape_of(read_header(TINY_PHI)), plain.context.first_tokens)
    least = needed(load, ()).resident_bytes
    found = prepared(BEST, Memory(2 * least, 2 * least, "the test"), repack="off")
    assert (found.settings.threads, found.settings.batch_tokens, found.settings.flash_attention) == (1, 128, "auto")


@pytest.mark.parametrize("typed", ["128", "5"])
def test_tokens_that_were_typed_are_meant_even_where_they_are_the_default_of_other_benchmarks(typed: str) -> None:
    found = prepared(tokens=typed)
    assert found.max_tokens == int(typed)
    assert found.sampling.max_tokens == int(typed)


def test_without_tokens_it_depends_on_the_model() -> None:
    assert prepared().max_tokens in (MAX_TOKENS, REASONING_MAX_TOKENS)
    assert prepared().max_tokens != 128


@pytest.mark.parametrize("typed", ["64,128", "0"])
def test_tokens_that_make_no_sense(typed: str) -> None:
    with pytest.raises(UsageError, match="--tokens"):
        prepared(tokens=typed)
