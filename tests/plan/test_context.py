"""What is proposed when a conversation has outgrown its context."""

from __future__ import annotations

import pytest

from phicli.errors import ContextExceededError
from phicli.plan.context import ContextPlan


@pytest.mark.parametrize(
    ("trained", "asked", "proposed"),
    [
        (16384, True, "use a larger context: --context 3840"),
        (16384, False, "memory limits the context; to load a larger one anyway: --context 3840 --no-memory-check"),
        (3500, True, "use a larger context: --context 3500"),
        (3000, True, "(/clear in a conversation)"),
        (None, False, "(/clear in a conversation)"),
    ],
)
def test_a_larger_context_is_proposed_where_the_model_has_one(trained: int | None, asked: bool, proposed: str) -> None:
    with pytest.raises(ContextExceededError) as caught:
        ContextPlan(1024, 2048, trained, asked).grown(3000)
    assert caught.value.hint.endswith(proposed)
