"""A request to a model, whatever it came through: a conversation, and what its answers must be."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from phicli.chat_format.types import Message
from phicli.engine.types import SEEDS

if TYPE_CHECKING:
    from phicli.structured.form import Form
    from phicli.tools.types import Tool

ToolChoice = Literal["auto", "none", "required"]
"""Whether tools are called: as the model likes, never, or for certain."""

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: a conversation, and what its answers must be.

    Attributes:
        model: the name of the model.
        messages: the conversation, oldest first; where the last one is of the assistant, the answer continues it.
        text: in place of messages, a text that is continued without the prompt format of a conversation.
        tools: that the model is told of.
        tool_choice: whether it may call them.
        callable_tools: the names of the tools that it may call; None for all.
        several_calls: whether one answer may have more than one call.
        form: of the answer; None for any text.
        sampling: what differs from the usual sampling of the model, by the fields of
            :class:`~phicli.engine.types.Sampling`.
        stop: the answer ends in front of the first of these texts.
        think_tokens: the most tokens of reasoning; None for no limit.
        answers: how many are wanted.
        streamed: text is wanted as it comes, and with each text the probabilities of its tokens, if any are.
    """

    model: str
    messages: tuple[Message, ...] = ()
    text: str | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = "auto"
    callable_tools: frozenset[str] | None = None
    several_calls: bool = True
    form: Form | None = None
    sampling: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    stop: tuple[str, ...] = ()
    think_tokens: int | None = None
    answers: int = 1
    streamed: bool = False

    def seed(self, index: int) -> int:
        """The seed of the answer number ``index``: each answer has another one; a random one if none was asked for."""
        first = self.sampling.get("seed")
        return secrets.randbelow(SEEDS) if first is None else int(first + index) % SEEDS
