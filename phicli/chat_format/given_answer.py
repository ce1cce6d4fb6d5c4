"""An answer that is there already, as the model would have written it behind its prompt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from phicli.chat_format import format_by_name
from phicli.chat_format.reasoning import without_reasoning
from phicli.chat_format.think_tags import CLOSE, OPEN
from phicli.chat_format.types import Message, PromptFormat, Segment, Special, Text

_CONVERSATIONS: Final = ("phi-3", "phi-3-folded", "phi-4", "phi-4-mini")
"""Formats in which a special token ends every answer."""


def given_answer(prompt_format: PromptFormat, answer: Message, end_id: int | None) -> tuple[Segment, ...]:
    """The segments of ``answer`` up to the token that ends it; they follow what the format renders for a prompt.

    Reasoning at its beginning is a part of it. The tags around that are special tokens where the file has such tokens:
    so the model writes them. In any other text they are only text.

    Args:
        prompt_format: of the prompt.
        answer: a message of the assistant.
        end_id: the token that ends a text, for formats without a token that ends answers; None where there is none.
    """
    if prompt_format.name in _CONVERSATIONS:
        first, *rest = _inside(format_by_name(prompt_format.name), answer)
        return (*(_with_tags(first.text) if isinstance(first, Text) else (first,)), *rest)
    end = () if end_id is None else (Text("", (end_id,)),)
    return (*_with_tags(prompt_format.before_answer + answer.content), *end)


def _inside(answer_format: PromptFormat, answer: Message) -> tuple[Segment, ...]:
    """What the format puts between the beginning of an answer and the prompt for the next one."""
    opening, whole = answer_format.render(()), answer_format.render((answer,))
    inside = whole[len(opening) : len(whole) - len(opening)]
    stop = next(at for at in range(len(inside) - 1, -1, -1) if isinstance(inside[at], Special))
    return inside[: stop + 1]


def _with_tags(text: str) -> Iterator[Segment]:
    """``text``, in which the tags around reasoning at the beginning are special tokens."""
    said = without_reasoning(text)
    before, opening, behind = text.partition(OPEN)
    reasoning = behind.removesuffix(said).rstrip() if said else ""
    if before.strip() or not opening or not behind.endswith(said) or not reasoning.endswith(CLOSE):
        yield Text(text)
        return
    inside = reasoning.removesuffix(CLOSE)
    yield from (Text(before), Special(OPEN, optional=True), Text(inside), Special(CLOSE, optional=True))
    yield Text(behind[len(reasoning) :])
