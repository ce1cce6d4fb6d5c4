"""A model whose answers a grammar holds, whatever else is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from phicli.answering.types import NO_ENDING, Answering, Ending, Model
from phicli.chat_format.types import Message
from phicli.engine.closable import Closing
from phicli.engine.constraint import Constraint
from phicli.engine.types import Sampling


class ConstrainedModel:
    """A :class:`~phicli.answering.types.Model` that generates under ``constraint``."""

    def __init__(self, model: Model, constraint: Constraint) -> None:
        self._model, self._constraint = model, constraint

    @property
    def name(self) -> str:
        """The model's name for people."""
        return self._model.name

    @property
    def quant(self) -> str | None:
        """The quantization of its weights; None where it is unknown."""
        return self._model.quant

    @property
    def context_tokens(self) -> int | None:
        """The most tokens that a conversation with its answers may have; None where it is unknown."""
        return self._model.context_tokens

    def answer(
        self,
        messages: Sequence[Message],
        *,
        tools: str | None = None,
        sampling: Sampling,
        ending: Ending = NO_ENDING,
    ) -> Answering:
        """Answer the last of ``messages``."""
        held = replace(sampling, constraint=self._constraint)
        return self._model.answer(messages, tools=tools, sampling=held, ending=ending)

    def count(self, messages: Sequence[Message], *, tools: str | None = None, closing: Closing | None = None) -> int:
        """The tokens of a prompt."""
        return self._model.count(messages, tools=tools, closing=closing)

    def close(self) -> None:
        """Let go of everything."""
        self._model.close()
