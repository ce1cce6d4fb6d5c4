"""What is asked of a model, and the prompt for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from phicli.answering.types import Ending
from phicli.chat_format.continuation import Continuation, begun_answer
from phicli.chat_format.types import Message, PromptFormat, Segment
from phicli.engine.types import Sampling
from phicli.errors import TemplateError, UsageError

_SHORTEST: Final = (Message("user", "Hello"),)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for; see :meth:`phicli.answering.types.Model.answer`.

    With ``as_text`` the text of the messages is continued, without the prompt format of a conversation.
    """

    messages: tuple[Message, ...]
    tools: str | None
    sampling: Sampling
    ending: Ending
    as_text: bool = False

    @property
    def begun(self) -> str:
        """The text of the answer that is to be continued; empty for a new answer."""
        return "" if self.as_text else begun_answer(self.messages)

    def prompt(self, prompt_format: PromptFormat) -> tuple[PromptFormat, tuple[Segment, ...]]:
        """The format of the answer, and the prompt up to where the answer begins.

        Raises:
            UsageError: the format has no place for what was asked.
            TemplateError: the file's own template cannot be used for it.
        """
        if self.as_text:
            prompt_format = Continuation(prompt_format)
        messages = self.messages[:-1] if self.begun else self.messages
        return prompt_format, prompt_format.render(messages, tools=self.tools)


def check_template(prompt_format: PromptFormat, error: TemplateError) -> None:
    """Return if a file's own template cannot be used at all; ``error`` is what it raised for a conversation.

    Raises:
        UsageError: it can be used, but not for that conversation.
    """
    try:
        prompt_format.render(_SHORTEST)
    except TemplateError:
        return
    raise UsageError(
        f"{error.message}: it refuses this conversation",
        "send messages of the roles user and assistant in turn, and a system message only as the first one",
    ) from error
