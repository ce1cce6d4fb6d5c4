"""What is asked of the server, whatever interface it came through, and how the server was started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from phicli.chat_format.types import Message
from phicli.errors import PhiError
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


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Which models are served, and how they are loaded.

    Attributes:
        models: that are served, by name or path; none for every model on this machine.
        pull: download a model that is asked for and is not on this machine.
        parallel: answers at a time of one model; None for as many as help and fit.
        context_tokens: the most tokens of a conversation; None for what the model was trained for.
        settings: of the engine, those that were asked for, by field.
        keep_alive_s: seconds after its last answer that a model stays loaded; None for no end.
        wait_s: seconds that a model which is not loaded waits for others to end their answers.
        memory_check: refuse what does not fit.
    """

    models: tuple[str, ...] = ()
    pull: bool = False
    parallel: int | None = None
    context_tokens: int | None = None
    settings: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    keep_alive_s: float | None = 300.0
    wait_s: float = 120.0
    memory_check: bool = True


class BusyError(PhiError):
    """The server has too much to do; ``retry_after_s`` is when it is sensible to ask again, in seconds."""

    code = "busy"

    def __init__(self, message: str, hint: str = "", *, retry_after_s: int) -> None:
        super().__init__(message, hint or f"try again in {retry_after_s} s", data={"retry_after_s": retry_after_s})
        self.retry_after_s = retry_after_s
