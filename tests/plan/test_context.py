"""How a context grows, and what is proposed when a conversation has outgrown it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phicli.errors import ContextExceededError
from phicli.gguf_file.header import read_header
from phicli.gguf_file.types import GgufHeader
from phicli.plan.context import ContextPlan, answer_room, wish_context
from tests.support.files import TINY_PHI


@pytest.mark.parametrize(
    ("trained", "asked", "proposed"),
    [
        (16384, True, "use a larger context: --context 3840"),
        (16384, False, "memory limits the context; to load a larger one anyway: --context 3840 --no-memory-check"),
        (3500, True, "use a larger context: --context 3500"),
        (3000, True, "(in a conversation: /edit, /undo, /set on-overflow drop, or /clear to start over)"),
        (None, False, "(in a conversation: /edit, /undo, /set on-overflow drop, or /clear to start over)"),
    ],
)
def test_a_larger_context_is_proposed_where_the_model_has_one(trained: int | None, asked: bool, proposed: str) -> None:
    with pytest.raises(ContextExceededError) as caught:
        ContextPlan(1024, 2048, trained, asked).grown(3000)
    assert caught.value.hint.endswith(proposed)


def test_it_doubles_and_stays_in_the_original_context_as_long_as_that_holds_what_is_needed() -> None:
    context, sizes = ContextPlan(768, 131072, original_tokens=4096), [768]
    while sizes[-1] < 20_000:
        sizes.append(context.grown(sizes[-1] + 1))
    assert sizes == [768, 1536, 3072, 4096, 6144, 12288, 24576]
    assert [context.has_long_factors(size) for size in sizes] == [False] * 4 + [True] * 3


@pytest.mark.parametrize("needed", range(769, 4097, 37))
def test_what_fits_into_the_original_context_is_never_given_the_long_factors(needed: int) -> None:
    for first in (256, 768, 1024, 4096):
        grown = ContextPlan(first, 131072, original_tokens=4096).grown(needed)
        assert needed <= grown <= 4096
    assert ContextPlan(768, 131072, original_tokens=4096).grown(4097) > 4096


def test_the_engine_rounds_up_before_it_chooses_the_factors() -> None:
    assert not ContextPlan(64, 1024, original_tokens=256).has_long_factors(256)
    assert ContextPlan(64, 1024, original_tokens=256).has_long_factors(257)
    assert ContextPlan(64, 1024, original_tokens=200).has_long_factors(100)
    assert not ContextPlan(64, 1024).has_long_factors(1024)


def header(**changes: object) -> GgufHeader:
    return replace(read_header(TINY_PHI), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("needed", "first"), [(None, 4096), (1, 256), (256, 256), (257, 512), (5000, 5120), (20_000, 16_384)]
)
def test_one_answer_of_a_model_without_long_rope_begins_with_what_it_needs(needed: int | None, first: int) -> None:
    wish = wish_context(header(context_length=16_384, original_context_length=None), one_answer_tokens=needed)
    assert (wish.first_tokens, wish.usual_tokens, wish.limit_tokens) == (first, 4096, 16_384)


def test_the_room_for_an_answer() -> None:
    assert [answer_room(limit) for limit in (None, 1, 3000, 1_000_000)] == [512, 1, 3000, 4096]
