"""What is asked of a remote model."""

from __future__ import annotations

from dataclasses import dataclass

from phicli.answering.types import NO_ENDING, Ending
from phicli.chat_format.continuation import begun_answer
from phicli.chat_format.types import Message
from phicli.engine.types import Sampling


@dataclass(frozen=True, slots=True)
class RemoteRequest:
    """One request; see :meth:`phicli.answering.types.Model.answer`.

    Attributes:
        messages: the conversation, oldest first.
        tools: declarations as a JSON array of objects with name, description and parameters; None for none.
        sampling: how tokens are chosen.
        ending: what else ends the answer.
        choice: ``auto``, ``none``, ``required``, or the name of the tool that must be called with :attr:`by_name`.
        by_name: ``choice`` is a name.
        several: an answer may have more than one call.
    """

    messages: tuple[Message, ...]
    tools: str | None
    sampling: Sampling
    ending: Ending = NO_ENDING
    choice: str = "auto"
    by_name: bool = False
    several: bool = True

    @property
    def begun(self) -> str:
        """The text of the answer that is to be continued; empty for a new answer."""
        return begun_answer(self.messages)
