"""A conversation that another model continues: what carries over, and what is said."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from phicli.answering.opening import OpenModel
from phicli.catalog.load import catalog
from phicli.chat.dialogue import Dialogue, Turn
from phicli.chat.model_change import carried_over
from phicli.chat.open import ModelInUse
from phicli.chat_format.types import Message, ToolCall
from phicli.errors import EngineError
from phicli.gguf_file.header import read_header
from phicli.plan.locate import LocatedModel
from tests.fakes.scripted_model import Lab, echo
from tests.support.files import TINY_PHI

HEADER = read_header(TINY_PHI)
VARIANTS = {variant.id: variant for variant in catalog().variants}
ANSWERED = Turn("2+2?", replies=(Message("assistant", "4", token_ids=(7,)),))
CALLED = Turn(
    "weather?",
    replies=(
        Message("assistant", "", tool_calls=(ToolCall("weather", {}),)),
        Message("tool", "rain"),
        Message("assistant", "It rains."),
    ),
)


def model(name: str) -> LocatedModel:
    return LocatedModel(name, name, Path(f"{name}.gguf"), VARIANTS[name], "Q4_K_M")


def test_the_turns_carry_over_without_the_ids_of_another_vocabulary() -> None:
    anew, notes = carried_over(Dialogue("be brief", (ANSWERED,)), model("phi-4"), HEADER)
    assert anew == Dialogue("be brief", (replace(ANSWERED, replies=(Message("assistant", "4"),)),))
    assert notes == ()


def test_the_system_message_of_a_model_is_replaced_and_the_persons_own_stays() -> None:
    reasoning = VARIANTS["phi-4-reasoning"]
    own = reasoning.system_prompt
    assert own
    for system, expected in ((own, None), (f"{own} Be brief.", "Be brief."), ("Be brief.", "Be brief."), (None, None)):
        away, _ = carried_over(Dialogue(system), model("phi-4-mini"), HEADER, before=reasoning)
        assert away.system == expected
        back, _ = carried_over(away, model("phi-4-reasoning"), HEADER)
        assert back.system == (own if expected is None else f"{own} {expected}")


def test_a_model_that_reasoned_before_is_named() -> None:
    _, notes = carried_over(Dialogue(), model("phi-4-mini"), HEADER, before=VARIANTS["phi-4-mini-reasoning"])
    assert notes == ("phi-4-mini does not reason before it answers",)


def test_tools_are_left_out_where_the_model_has_none_and_stay_where_it_has_them() -> None:
    dialogue = Dialogue(None, (CALLED,))
    anew, notes = carried_over(dialogue, model("phi-4"), HEADER)
    assert anew.turns[0].replies == (Message("assistant", "It rains."),)
    assert notes == ("phi-4 does not support tools, so the tool calls and their results are left out",)
    assert carried_over(dialogue, model("phi-4-mini"), HEADER) == (dialogue, ())


def test_a_base_model_that_only_completes_gets_no_system_message() -> None:
    anew, notes = carried_over(Dialogue("be brief"), model("phi-1"), HEADER)
    assert anew.system is None
    assert notes == ("phi-1 does not support system messages, so the system message is left out",)


def test_a_conversation_that_is_too_long_for_the_other_context_is_said() -> None:
    header = replace(HEADER, context_length=128)
    _, notes = carried_over(Dialogue(None, (replace(ANSWERED, question="why? " * 100),)), model("phi-4"), header)
    assert "context of phi-4 has only 128" in notes[0]


class Opener:
    """Opens scripted models; those in ``broken`` fail as soon as they are waited for."""

    def __init__(self, *broken: str) -> None:
        self.broken = broken
        self.open: list[str] = []

    @contextlib.contextmanager
    def __call__(self, located: LocatedModel) -> Iterator[OpenModel]:
        assert not self.open, "there is no memory for two models"

        def make(context_tokens: int) -> Any:
            raise EngineError(f"{located.name} cannot be loaded: {context_tokens}")

        self.open.append(located.name)
        try:
            lab = Lab(echo) if located.name not in self.broken else None
            if lab is None:
                make(0)
            yield OpenModel(cast("Lab", lab).model, cast("Any", None), [], "scripted")
        finally:
            self.open.remove(located.name)


def test_one_model_is_open_at_a_time() -> None:
    opener = Opener()
    with ModelInUse(opener, model("phi-4")) as models:
        first = models.opened
        models.exchange(model("phi-2"))
        assert (opener.open, models.located.name) == (["phi-2"], "phi-2")
        assert models.opened is not first
    assert opener.open == []


def test_a_model_that_cannot_be_loaded_leaves_the_one_before() -> None:
    opener = Opener("phi-2")
    with ModelInUse(opener, model("phi-4")) as models:
        with pytest.raises(EngineError, match="phi-2 cannot be loaded"):
            models.exchange(model("phi-2"))
        assert (opener.open, models.located.name) == (["phi-4"], "phi-4")
    assert opener.open == []
