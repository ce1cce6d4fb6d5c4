"""What is decided before a model is loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from phicli.catalog.resolve import resolve
from phicli.errors import DoesNotFitError, UsageError
from phicli.fit.memory import plan_memory, usable_bytes
from phicli.fit.shape import shape_of
from phicli.fit.too_large import on_too_large
from phicli.gguf_file.header import read_header
from phicli.gguf_file.types import GgufHeader
from phicli.hardware.types import Memory
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import LoadPlan, Use, plan_load
from phicli.plan.locate import LocatedModel
from tests.support.files import TINY_PHI

GIB = 1 << 30
PLENTY = Memory(64 * GIB, 60 * GIB, "test")


def phi_4_mini() -> GgufHeader:
    """The header of tiny-phi with the numbers of Phi-4-mini Q4_K_M."""
    tiny = read_header(TINY_PHI)
    tensors = tuple(
        replace(t, type_name="Q4_K", size_bytes=1_300_000_000) if t.name == "blk.0.attn_qkv.weight" else t
        for t in tiny.tensors
    )
    return replace(
        tiny,
        weights_bytes=2_491_874_272,
        context_length=131072,
        original_context_length=4096,
        block_count=32,
        embedding_length=3072,
        feed_forward_lengths=(8192,),
        head_counts=(24,),
        kv_head_counts=(8,),
        key_length=128,
        value_length=128,
        tensors=tensors,
    )


def plan(
    name: str,
    use: Use = Use.ONE_ANSWER,
    memory: Memory | None = PLENTY,
    question: str | None = None,
    **options: object,
) -> LoadPlan:
    variant = resolve(name).variant
    model = LocatedModel(name, name, Path("model.gguf"), variant, "Q4_K_M")
    chosen = ChatOptions(**options)  # type: ignore[arg-type]
    return plan_load(model, phi_4_mini(), chosen, use, memory=memory, cores=4, only_question=question)


def test_only_a_conversation_is_warmed_up() -> None:
    once, talk = plan("phi-4-mini"), plan("phi-4-mini", Use.CONVERSATION)
    assert (once.settings.warmup, talk.settings.warmup) == (False, True)
    assert once.settings.engine == talk.settings.engine


@pytest.mark.parametrize("use", list(Use))
@pytest.mark.parametrize("name", ["phi-4-mini", "phi-4-mini-reasoning"])
def test_weights_are_repacked_only_where_that_was_asked_for(name: str, use: Use) -> None:
    assert not plan(name, use).settings.engine.repack
    assert not plan(name, use).wanted.repack  # nor in a context that has grown
    assert plan(name, use, engine={"repack": True}).settings.engine.repack


def test_the_allocation_starts_at_the_original_context() -> None:
    chosen = plan("phi-4-mini")
    assert (chosen.context.first_tokens, chosen.context.limit_tokens) == (4096, 131072)
    asked = plan("phi-4-mini", context_tokens=8192)
    assert (asked.context.first_tokens, asked.context.limit_tokens) == (4096, 8192)
    assert plan("phi-4-mini", context_tokens=1000).settings.context_tokens == 1000


def first_tokens(question: str, memory: Memory | None = PLENTY, **options: object) -> int:
    return plan("phi-4-mini", memory=memory, question=question, **options).context.first_tokens


def test_one_answer_begins_with_the_context_that_it_needs() -> None:
    short = plan("phi-4-mini", question="What is the capital of France?")
    assert (short.context.first_tokens, short.settings.context_tokens) == (768, 768)
    assert short.context.limit_tokens == 131072
    assert first_tokens("word " * 1000) == 2048
    assert first_tokens("hi", max_tokens=100) == 256
    assert first_tokens("hi", max_tokens=1000) == 1280
    assert first_tokens("hi", system="word " * 1000) == first_tokens("word " * 1000)
    assert first_tokens("hi", context_tokens=300) == 300  # a ceiling


def test_one_answer_begins_within_the_original_context() -> None:
    """However long the question: it may be shorter than estimated, and must have the short factors then."""
    assert first_tokens("word " * 100_000) == 4096
    assert first_tokens("hi", max_tokens=100_000) == 4096
    assert first_tokens("word " * 100_000, context_tokens=2000) == 2000


def test_one_answer_is_judged_by_what_it_may_grow_to() -> None:
    """What fits does not depend on the question, and so neither does what is refused."""
    for available in (2.9, 3.0, 3.5, 3.7, 4.0, 5.0):
        memory = Memory(8 * GIB, int(available * GIB), "test")
        limits = set[object]()
        for question in (None, "hi"):
            try:
                limits.add(plan("phi-4-mini", memory=memory, question=question).context.limit_tokens)
            except DoesNotFitError as error:
                limits.add(error.message)
        assert len(limits) == 1


def test_where_only_a_small_context_fits_one_answer_begins_within_it() -> None:
    memory = Memory(8 * GIB, int(3.2 * GIB), "test")
    usual = plan("phi-4-mini", memory=memory).context
    assert 768 <= usual.first_tokens == usual.limit_tokens < 4096
    assert first_tokens("word " * 3000, memory) == usual.limit_tokens


def test_the_state_of_an_engine_is_no_larger_than_planned() -> None:
    assert plan("phi-4-mini").state_bytes(4096) > plan_memory(shape_of(phi_4_mini()), context_tokens=4096).kv_bytes


def test_repacked_weights_that_were_asked_for_are_kept_only_as_far_as_they_fit() -> None:
    memory = Memory(8 * GIB, int(6.5 * GIB), "test")
    chosen = plan("phi-4-mini", Use.CONVERSATION, memory, engine={"repack": True})
    assert chosen.settings.engine.repack
    for context_tokens in (4096, 8192, 16384, chosen.context.limit_tokens):
        settings = chosen.settings_for(context_tokens)
        needed = plan_memory(shape_of(phi_4_mini()), settings.engine, context_tokens=context_tokens)
        assert needed.total_bytes <= usable_bytes(memory)
    assert not chosen.settings_for(chosen.context.limit_tokens).engine.repack


def test_what_does_not_fit_is_refused_with_the_sums_and_a_context_that_fits() -> None:
    memory = Memory(8 * GIB, 5 * GIB, "test")
    with pytest.raises(DoesNotFitError) as caught:
        plan("phi-4-mini", memory=memory, context_tokens=131072)
    data = caught.value.data or {}
    assert data["kv_bytes"] == 16 * GIB
    fitting = int(data["fitting_context_tokens"])
    assert f"--context {fitting}" in caught.value.hint
    plan("phi-4-mini", memory=memory, context_tokens=fitting)  # and it does


def test_a_machine_that_is_too_small_for_the_weights() -> None:
    with pytest.raises(DoesNotFitError, match=r"weights 2\.32 GiB"):
        plan("phi-4-mini", memory=Memory(2 * GIB, 2 * GIB, "test"))
    assert plan("phi-4-mini", memory=None).settings.context_tokens == 4096  # nobody knows: nothing is refused


def test_without_the_check_the_smallest_load_is_planned_and_the_sums_are_told() -> None:
    """What was asked for, and the context that a conversation grows to, give way where the memory is too small."""
    told: list[str] = []
    memory = Memory(2 * GIB, 2 * GIB, "test")
    header, located = phi_4_mini(), LocatedModel("m", "m", TINY_PHI, None, None)
    too_large = on_too_large(told.append, check=False)
    options = ChatOptions(engine={"repack": True})
    for _ in range(2):
        chosen = plan_load(located, header, options, Use.CONVERSATION, memory=memory, cores=2, on_too_large=too_large)
    assert (chosen.context.first_tokens, chosen.context.limit_tokens) == (4096, 4096)
    assert not chosen.settings.engine.repack
    (text,) = told
    assert "weights 2.32 GiB" in text
    assert "--no-memory-check" in text
    with pytest.raises(DoesNotFitError):
        plan_load(
            located, header, options, Use.CONVERSATION, memory=memory, cores=2,
            on_too_large=on_too_large(told.append, check=True),
        )  # fmt: skip


def test_a_limit_of_a_container_is_what_can_be_raised() -> None:
    for limited, hint in ((True, "raise the memory limit of the container, or"), (False, "close other programs, or")):
        with pytest.raises(DoesNotFitError) as caught:
            plan("phi-4-mini", memory=Memory(2 * GIB, 2 * GIB, "test", limited=limited))
        assert caught.value.hint.startswith(hint)


def test_a_context_beyond_the_training_is_refused() -> None:
    with pytest.raises(UsageError, match="131072"):
        plan("phi-4-mini", context_tokens=200_000)


def test_sampling_comes_from_the_variant_and_then_from_the_person() -> None:
    reasoning = plan("phi-4-reasoning").sampling
    assert (reasoning.temperature, reasoning.top_p) == (0.8, 0.95)
    assert plan("phi-4-reasoning", temperature=0.0).sampling.temperature == 0.0
    assert plan("phi-4-mini").sampling.temperature == 0.0
    assert plan("phi-4-mini", seed=5).sampling.seed == 5
    assert plan("phi-4-mini").sampling.seed is not None  # drawn here, so that the answer can be had again


def test_a_reasoning_model_keeps_its_own_system_message() -> None:
    own = "Your name is Phi, an AI math expert developed by Microsoft."
    assert plan("phi-4-mini-reasoning").system == own
    assert plan("phi-4-mini-reasoning", system="Be brief.").system == f"{own} Be brief."
    assert plan("phi-4-mini-reasoning", system="").system is None
    assert plan("phi-4-mini").system is None
    assert plan("phi-4-mini", system="Be brief.").system == "Be brief."


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), 101])
def test_a_temperature_that_makes_no_sense(value: float) -> None:
    with pytest.raises(UsageError, match="--temperature"):
        ChatOptions(temperature=value)
