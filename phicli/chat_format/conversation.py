"""What the formats share: refusing what a format has no place for, folding, and history without reasoning."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from phicli.chat_format.reasoning import without_reasoning
from phicli.chat_format.types import Message, Segment, Special, Text
from phicli.errors import UsageError


def refuse_tools(format_name: str, messages: Sequence[Message], tools: str | None) -> None:
    """Stop a conversation that needs tools in a format that has none.

    Raises:
        UsageError: tools are declared, called or answered.
    """
    if tools is None and not any(message.role == "tool" or message.tool_calls for message in messages):
        return
    raise UsageError(
        f"the prompt format {format_name} does not support tools",
        "use a model that supports tool calls: phi chat phi-4-mini",
    )


def fold_system(messages: Sequence[Message]) -> list[Message]:
    """Put the text of each system message in front of the next user message, one newline between them.

    A system message that no user message follows becomes a user message itself. Empty ones disappear. This is
    what llama.cpp does for templates without a system role (``tests/test-chat-template.cpp``, Phi-3-medium).
    """
    folded: list[Message] = []
    waiting: list[str] = []
    for message in messages:
        if message.role == "system":
            waiting.extend([message.content] if message.content else [])
        elif message.role == "user" and waiting:
            folded.append(replace(message, content="\n".join([*waiting, message.content])))
            waiting = []
        else:
            folded.append(message)
    if waiting:
        folded.append(Message("user", "\n".join(waiting)))
    return folded


def answer_text(message: Message, *, reasoning: bool) -> Text:
    """An assistant message of the history as text, without reasoning; its ids are reused if they have none either."""
    answer = without_reasoning(message.content) if reasoning else message.content
    return Text(answer, message.token_ids if answer == message.content else None)


def spell_out(text: str, literals: Sequence[str]) -> Iterator[Segment]:
    """Split ``text`` at ``literals``, which become optional special tokens; for text of the format itself."""
    pattern = "|".join(re.escape(literal) for literal in literals)
    for part in re.split(f"({pattern})", text):
        if part in literals:
            yield Special(part, optional=True)
        elif part:
            yield Text(part)
