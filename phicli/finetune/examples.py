"""Examples with messages as what a model is trained on: the tokens before an answer, and those of the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from phicli.answering.encode import Tokenizer, encode
from phicli.answering.special_tokens import SpecialTokens
from phicli.chat_format import format_by_name
from phicli.chat_format.given_answer import given_answer
from phicli.tools.declared import declared_for
from phicli.training_data.conversation import conversation_of
from phicli.training_data.formats_out import to_trl


@dataclass(frozen=True, slots=True)
class TrainingPair:
    """Token ids; those from ``start`` on are the answer with the token that ends it, and are learned."""

    ids: tuple[int, ...]
    start: int


class PairMaker:
    """Makes pairs in the prompt format of a model, with its own vocabulary.

    The prompt is what ``phi chat`` gives the model, so reasoning of the answers before is left out; the answer that is
    learned keeps its reasoning.
    """

    def __init__(self, format_name: str, tokenizer: Tokenizer, specials: SpecialTokens, *, reasoning: bool) -> None:
        self.format = format_name
        self._prompt = format_by_name(format_name, reasoning=reasoning)
        self._tokenizer, self._specials = tokenizer, specials

    def pairs_of(self, example: Mapping[str, Any]) -> Iterator[TrainingPair]:
        """A pair for each answer of ``example`` that is trained on; the check has found no error in it.

        Raises:
            UsageError: the format has no place for the tools of it.
            IntegrityError: the vocabulary lacks a token of the format.
        """
        for pair in to_trl(example, lambda _place, _what: None):
            said = conversation_of(pair)
            tools = declared_for(self.format, said.tools) if said.tools else None
            before, answer = said.messages[:-1], said.messages[-1]
            prompt = self._prompt.render(before, tools=tools)
            learned = given_answer(self._prompt, answer, None)
            whole = encode((*prompt, *learned), self._tokenizer, self._specials)
            yield TrainingPair(whole, len(encode(prompt, self._tokenizer, self._specials)))
