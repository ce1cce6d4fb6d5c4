"""How a model is loaded where tuning has found something."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from phicli.catalog.resolve import resolve
from phicli.engine.settings import EngineSettings
from phicli.errors import DoesNotFitError
from phicli.fit.memory import plan_memory, usable_bytes
from phicli.fit.placement import Placement
from phicli.fit.shape import shape_of
from phicli.fit.types import Candidate, Speed
from phicli.hardware.types import Memory
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import LoadPlan, Use, plan_load
from phicli.plan.locate import LocatedModel
from phicli.plan.tuned_speed import as_tuned
from phicli.records.tuned import BATCH, CONVERSATION, ONE_ANSWER, Tuned, Winner
from tests.plan.test_plan_load import PLENTY, phi_4_mini

GIB = 1 << 30

FAST = Winner(
    EngineSettings(3, 256, flash_attention="off", repack=True), default=False, ratio=1.3, ratio_low=1.2, ratio_high=1.4
)
PLAIN = Winner(EngineSettings(5, 64), default=False, ratio=1.1, ratio_low=1.0, ratio_high=1.2)


def tuned(one_answer: Winner = PLAIN, conversation: Winner = FAST) -> Tuned:
    winners = {ONE_ANSWER: one_answer, CONVERSATION: conversation, BATCH: FAST}
    at = "2026-11-22T10:00:00+00:00"
    return Tuned("m", "phi-4-mini", "Q4_K_M", 2_491_874_272, "cpu", 4, "x 1", at, MappingProxyType(winners))


def plan(
    use: Use = Use.CONVERSATION,
    memory: Memory | None = PLENTY,
    found: Tuned | None = None,
    question: str | None = None,
    **options: object,
) -> LoadPlan:
    variant = resolve("phi-4-mini").variant
    model = LocatedModel("phi-4-mini", "phi-4-mini", Path("model.gguf"), variant, "Q4_K_M")
    given = ChatOptions(engine=options)
    return plan_load(model, phi_4_mini(), given, use, memory=memory, cores=4, tuned=found, only_question=question)


def of_engine(chosen: LoadPlan) -> tuple[int, int, str, str, bool]:
    one = chosen.settings.engine
    return one.threads, one.batch_tokens, one.kv_type, one.flash_attention, one.repack


def test_each_use_has_its_own_winner() -> None:
    assert of_engine(plan(found=tuned())) == (3, 256, "f16", "off", True)
    assert of_engine(plan(Use.ONE_ANSWER, found=tuned())) == (5, 64, "f16", "auto", False)
    assert of_engine(plan()) == (4, 128, "f16", "auto", False)


def test_settings_say_whether_they_were_tuned() -> None:
    data = plan(found=tuned()).settings_data()
    assert (data["tuned"], data["threads"], data["batch_tokens"], data["flash_attention"]) == (True, 3, 256, "off")
    assert plan().settings_data()["tuned"] is False


def test_what_was_asked_for_comes_first() -> None:
    assert plan(found=tuned(), threads=1).settings.engine.threads == 1
    chosen = plan(found=tuned(), kv_type="q8_0")
    assert (chosen.settings.engine.kv_type, chosen.settings.engine.flash_attention) == (
        "q8_0",
        "auto",
    )  # it needs flash attention
    layers = plan(found=tuned(), gpu_layers=0)
    assert (layers.settings.engine.threads, layers.settings_data()["tuned"]) == (4, False)


def test_tuned_repacking_is_dropped_where_it_does_not_fit_any_more() -> None:
    repacked = replace(FAST, settings=EngineSettings(3, repack=True))
    small = Memory(8 * GIB, int(4.5 * GIB), "test")
    chosen = plan(memory=small, found=tuned(conversation=repacked))
    assert (chosen.settings.engine.repack, chosen.settings.engine.threads) == (False, 3)
    assert chosen.settings_data()["tuned"] is True


def test_a_tuned_batch_is_dropped_before_anything_is_refused() -> None:
    shape = shape_of(phi_4_mini())
    plain = plan_memory(shape, context_tokens=4096).total_bytes
    greedy = replace(PLAIN, settings=EngineSettings(5, 4096, flash_attention="off"))
    just_enough = Memory(8 * GIB, plain + (600 << 20), "test")
    assert usable_bytes(just_enough) >= plain
    chosen = plan(memory=just_enough, found=tuned(conversation=greedy))
    assert (chosen.settings.engine.batch_tokens, chosen.settings.engine.flash_attention) == (128, "auto")
    too_small = Memory(8 * GIB, plain // 2, "test")
    with pytest.raises(DoesNotFitError):
        plan(memory=too_small, found=tuned(conversation=greedy))


def test_whatever_the_context_grows_to_fits() -> None:
    memory = Memory(8 * GIB, int(6.5 * GIB), "test")
    chosen = plan(memory=memory, found=tuned())
    assert chosen.settings.engine.repack
    for context_tokens in (4096, 8192, 16384, chosen.context.limit_tokens):
        one = chosen.settings_for(context_tokens)
        needed = plan_memory(chosen.shape, one.engine, context_tokens=context_tokens)
        assert needed.total_bytes <= usable_bytes(memory)
        assert (one.engine.threads, one.context_tokens) == (3, context_tokens)
    assert chosen.settings_for(4096).engine.repack
    assert not chosen.settings_for(chosen.context.limit_tokens).engine.repack


def test_a_quantised_cache_is_taken_only_where_memory_needs_it() -> None:
    quantised = replace(PLAIN, settings=EngineSettings(5, 64, kv_type="q8_0"))
    assert plan(found=tuned(conversation=quantised)).settings.engine.kv_type == "f16"
    shape = shape_of(phi_4_mini())
    between = plan_memory(shape, context_tokens=4096).total_bytes - (50 << 20)
    tight = Memory(8 * GIB, between + (512 << 20), "test")
    assert plan_memory(shape, EngineSettings(1, kv_type="q8_0"), context_tokens=4096).total_bytes <= usable_bytes(tight)
    untuned = plan(memory=tight)
    assert (untuned.settings.engine.kv_type, untuned.settings.context_tokens < 4096) == ("f16", True)
    chosen = plan(memory=tight, found=tuned(conversation=quantised))
    assert (chosen.settings.engine.kv_type, chosen.settings.context_tokens) == ("q8_0", 4096)
    one_answer = plan(Use.ONE_ANSWER, tight, tuned(one_answer=quantised), question="hi")  # it may have to grow
    assert (one_answer.settings.engine.kv_type, one_answer.settings.context_tokens) == ("q8_0", 768)


def test_nobody_knows_the_memory() -> None:
    assert of_engine(plan(memory=None, found=tuned())) == (3, 256, "f16", "off", True)


def test_the_speed_is_that_of_the_tuned_threads_and_layout() -> None:
    """What ``phi recommend`` looks for is what ``phi chat`` would run."""
    shape = shape_of(phi_4_mini())
    mine = Candidate(resolve("phi-4-mini").variant, "Q4_K_M", shape, "header", installed=True)
    asked: list[tuple[int | None, bool]] = []

    def with_threads(threads: int | None) -> object:
        def speed(candidate: Candidate, placement: Placement) -> Speed:
            asked.append((threads, placement.memory.repack_bytes > 0))
            return Speed(1, 1, 1, 1, 1, 1, 1, "measured")

        return speed

    placement = Placement(4096, "f16", plan_memory(shape, context_tokens=4096))
    speed_of = as_tuned(with_threads, [tuned()])  # type: ignore[arg-type]
    speed_of(mine, placement)
    speed_of(replace(mine, quant="Q8_0"), placement)
    speed_of(mine, replace(placement, gpu_layers=33))
    as_tuned(with_threads, [tuned(conversation=PLAIN)])(mine, placement)  # type: ignore[arg-type]
    assert asked == [(3, True), (None, False), (None, False), (5, False)]
