"""Tools that a model may call: what it is told of them, what holds an answer to calls, and what a wrong call gets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from phicli.answering.special_tokens import SpecialTokens
from phicli.answering.types import Answer
from phicli.catalog.types import Variant
from phicli.chat_format.types import Message
from phicli.engine.constraint import Constraint

if TYPE_CHECKING:  # a conversation without tools loads nothing of them
    from phicli.structured.form import Checked, Form
    from phicli.tools.types import Tool

WRONG_CALL: Final = "the model made a wrong tool call: {}; it is asked again"


def was_trained(prompt_format: str, variant: Variant | None) -> bool:
    """Whether a model was trained to call tools; ``variant`` is None for one that the catalog does not know."""
    from phicli.tools.declared import TRAINED

    return prompt_format in TRAINED and (variant is None or "tools" in variant.capabilities)


def required_constraint(
    tools: Sequence[Tool], special_tokens: SpecialTokens, *, several: bool, max_tokens: int | None
) -> Constraint:
    """What holds an answer to nothing but calls of ``tools``, in the form that a model was trained with."""
    from phicli.tools.grammar import required_calls

    return Constraint("lark", required_calls(tools, special_tokens.id_of, several=several, max_tokens=max_tokens))


def text_constraint(
    tools: Sequence[Tool], special_tokens: SpecialTokens, *, required: bool, several: bool, max_tokens: int | None
) -> Constraint:
    """What holds calls to their form with a model that was not trained to call tools; other text unless ``required``.

    Args:
        tools: those that may be called.
        special_tokens: of the file.
        required: the answer must be calls.
        several: more than one call may be made.
        max_tokens: the limit of the answer; None for none.
    """
    from phicli.tools.grammar import END_TOKENS, calls_as_text

    end_ids = None if required else sorted(special_tokens.ids_of(END_TOKENS).values())
    return Constraint("lark", calls_as_text(tools, several=several, end_ids=end_ids, max_tokens=max_tokens))


@dataclass(frozen=True, slots=True)
class CallsOrForm:
    """The form of an answer that calls tools, or else has ``form``, which is JSON.

    Attributes:
        form: of an answer without calls.
        tools: those that may be called.
        special_tokens: of the file.
        several: more than one call may be made.
    """

    form: Form
    tools: tuple[Tool, ...]
    special_tokens: SpecialTokens
    several: bool

    @property
    def name(self) -> str:
        """That of the form."""
        return self.form.name

    @property
    def to_limit(self) -> str:
        """That of the form."""
        return self.form.to_limit

    def constraints(self, max_tokens: int | None) -> tuple[Constraint, ...]:
        """See :class:`~phicli.structured.form.Form`."""
        from phicli.tools.grammar import calls_or_json

        id_of, several = self.special_tokens.id_of, self.several
        return tuple(
            Constraint("lark", calls_or_json(self.tools, id_of, one.text, several=several, max_tokens=max_tokens))
            for one in self.form.constraints(max_tokens)
        )

    def check(self, text: str, max_tokens: int | None) -> Checked:
        """See :class:`~phicli.structured.form.Form`; for answers without calls."""
        return self.form.check(text, max_tokens)


def wrong_in(answer: Answer, tools: Sequence[Tool]) -> str | None:
    """What is wrong with the calls of ``answer``, apart from one that is not complete."""
    if answer.finish_reason == "interrupted":
        return None
    from phicli.tools.checking import wrong_calls

    return wrong_calls(answer.tool_calls, "" if answer.finish_reason == "length" else answer.text, tools)


def correction(answer: Answer, wrong: str) -> tuple[Message, ...]:
    """A wrong ``answer`` and what the model is told of it: a result with the error for each call, at least one."""
    error = Message("tool", json.dumps({"error": wrong}, ensure_ascii=False))
    return (answer.message, *[error] * max(1, len(answer.tool_calls)))
