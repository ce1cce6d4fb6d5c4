"""Counts the tokens of examples as one model reads them, in its own prompt format."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from phicli.answering.encode import Tokenizer, encode
from phicli.answering.model_file import bos_id_of, special_tokens_of
from phicli.answering.own_tokenizer import own_tokenizer
from phicli.chat_format import format_by_name
from phicli.chat_format.given_answer import given_answer
from phicli.chat_format.types import Message, Segment
from phicli.gguf_file.header import read_header
from phicli.gguf_file.types import GgufHeader
from phicli.plan.identify import PLAIN, TEMPLATE, FormatChoice, choose_format
from phicli.plan.locate import LocatedModel
from phicli.tools.declared import declared_for
from phicli.training_data.checking import Counter
from phicli.training_data.conversation import conversation_of


class ExampleCounter:
    """Counts in the prompt format of a Phi model, with its own vocabulary and without an engine.

    An example is counted as ``phi finetune`` trains on it: all messages, the last answer with its reasoning, and the
    token that ends it. Reasoning in the answers before is left out, as in every conversation.
    """

    def __init__(self, located: LocatedModel, header: GgufHeader, choice: FormatChoice, tokenizer: Tokenizer) -> None:
        self.model, self.format = located.name, choice.name
        self.context_tokens = context_of(located, header)
        self._prompt = format_by_name(choice.name, reasoning=choice.reasoning, always_reasons=choice.always_reasons)
        self._tokenizer, self._specials, self._bos = tokenizer, special_tokens_of(header), bos_id_of(header)
        self._end_id = header.vocabulary.eos_id if header.vocabulary else None

    def count(self, example: Mapping[str, Any]) -> int:
        """The tokens of ``example``.

        Raises:
            UsageError: the format has no place for the tools of it.
            IntegrityError: the vocabulary lacks a token of the format.
        """
        said = conversation_of(example)
        tools = declared_for(self.format, said.tools) if said.tools else None
        segments = self._segments(said.messages, tools)
        return len(encode(segments, self._tokenizer, self._specials, bos_id=self._bos))

    def _segments(self, messages: Sequence[Message], tools: str | None) -> tuple[Segment, ...]:
        prompt = self._prompt.render(messages[:-1], tools=tools)
        return (*prompt, *given_answer(self._prompt, messages[-1], self._end_id))


class EngineCounter:
    """Counts with the engine, for files whose prompt format or vocabulary only it knows: the same tokens.

    Args:
        located: the file.
        header: of it.
        format_name: its prompt format.
        given_answer: the tokens of a prompt with its answer, as :meth:`LocalModel.given_answer` returns them.
    """

    def __init__(
        self, located: LocatedModel, header: GgufHeader, format_name: str,
        given_answer: Callable[..., tuple[tuple[int, ...], int]],
    ) -> None:  # fmt: skip
        self.model, self.format = located.name, format_name
        self.context_tokens = context_of(located, header)
        self._given_answer = given_answer

    def count(self, example: Mapping[str, Any]) -> int:
        """The tokens of ``example`` in the format of the file; raises what :class:`ExampleCounter` raises."""
        said = conversation_of(example)
        tools = declared_for(self.format, said.tools) if said.tools else None
        before, answer = said.messages[:-1], said.messages[-1]
        return len(self._given_answer(before, answer, lambda _notice: None, tools=tools)[0])


@contextlib.contextmanager
def open_counter(located: LocatedModel) -> Iterator[Counter]:
    """What counts tokens as the model in a file reads them; leaving the context ends the engine, where one is needed.

    Raises:
        PhiError: the file cannot be read.
    """
    header = read_header(located.path)
    choice = choose_format(header, located.variant)
    tokenizer = own_tokenizer(header)
    if tokenizer is not None and choice.name not in (TEMPLATE, PLAIN):
        yield ExampleCounter(located, header, choice, tokenizer)
        return
    from phicli.answering.opening import open_model
    from phicli.plan.chat_options import ChatOptions
    from phicli.plan.load import Use

    with open_model(located, ChatOptions(), Use.CONVERSATION) as opened:
        yield EngineCounter(located, header, choice.name, opened.model.given_answer)


def context_of(located: LocatedModel, header: GgufHeader) -> int:
    """The context that a model was trained for, in tokens; that of the file where the catalog does not know it."""
    if located.variant is not None:
        return located.variant.context_tokens
    return header.context_length or 4096
