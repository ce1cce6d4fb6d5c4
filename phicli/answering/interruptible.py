"""An engine while an answer is made: closing the answer ends the wait for the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phicli.answering.byte_pairs import BytePairs
from phicli.engine.closable import Closing
from phicli.engine.types import Engine


@dataclass(frozen=True, slots=True)
class Interruptible:
    """The parts of an engine that encoding needs; closing ends the wait for them.

    Text that the engine would split otherwise than the model's own tokenizer is tokenized here.
    """

    engine: Engine
    closing: Closing
    byte_pairs: BytePairs | None

    def tokenize(self, text: str, *, parse_special: bool) -> tuple[int, ...]:
        """Token ids of ``text``, without a begin-of-text token."""
        if not parse_special and self.byte_pairs is not None and self.byte_pairs.serves(text):
            return self.byte_pairs.tokenize(text)
        return self.engine.tokenize(text, parse_special=parse_special, closing=self.closing)

    def render_template(self, messages: Sequence[dict[str, str]]) -> str:
        """The prompt that the file's own chat template makes of ``messages``."""
        return self.engine.render_template(messages, closing=self.closing)
