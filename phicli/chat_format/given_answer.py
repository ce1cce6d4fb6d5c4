"""An answer that is there already, as the model would have written it behind its prompt."""

from __future__ import annotations

from typing import Final

from phicli.chat_format import format_by_name
from phicli.chat_format.types import Message, PromptFormat, Segment, Special, Text

_CONVERSATIONS: Final = ("phi-3", "phi-3-folded", "phi-4", "phi-4-mini")
"""Formats in which a special token ends every answer."""


def given_answer(prompt_format: PromptFormat, answer: Message, end_id: int | None) -> tuple[Segment, ...]:
    """The segments of ``answer`` up to the token that ends it; they follow what the format renders for a prompt.

    Reasoning in the answer is a part of it.

    Args:
        prompt_format: of the prompt.
        answer: a message of the assistant.
        end_id: the token that ends a text, for formats without a token that ends answers; None where there is none.
    """
    if prompt_format.name in _CONVERSATIONS:
        return _inside(format_by_name(prompt_format.name), answer)
    end = () if end_id is None else (Text("", (end_id,)),)
    return (Text(prompt_format.before_answer + answer.content), *end)


def _inside(answer_format: PromptFormat, answer: Message) -> tuple[Segment, ...]:
    """What the format puts between the beginning of an answer and the prompt for the next one."""
    opening, whole = answer_format.render(()), answer_format.render((answer,))
    inside = whole[len(opening) : len(whole) - len(opening)]
    stop = next(at for at in range(len(inside) - 1, -1, -1) if isinstance(inside[at], Special))
    return inside[: stop + 1]
