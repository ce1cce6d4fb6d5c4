"""The probabilities of the tokens of an answer, with the text that they belong to."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from phicli.answering.types import Answer, Answering, Event
from phicli.chat_format.types import Piece
from phicli.engine.closable import Closable, Closing
from phicli.engine.logprobs import Likely


@dataclass(frozen=True, slots=True)
class ScoredPiece(Piece):
    """Text with the tokens that ended in it."""

    likely: tuple[Likely, ...] = ()


class ScoredAnswering(Closable[Event]):
    """An answer whose text comes with the probabilities of its tokens (:class:`~phicli.answering.types.Answering`)."""

    def __init__(self, answering: Answering) -> None:
        super().__init__(self._events)
        self._answering = answering

    def so_far(self) -> Answer:
        """The answer up to now."""
        return self._answering.so_far()

    def _events(self, closing: Closing) -> Generator[Event, None, None]:
        length, scored, spelled = 0, 0, 0
        with closing.woken_by(self._answering.close):
            for event in self._answering:
                if not isinstance(event, Piece) or event.kind != "text":
                    yield event
                    continue
                length += len(event.text)
                tokens = (self._answering.so_far().likely or ())[scored:]
                ended = []
                for token in tokens:
                    if spelled + len(token.text) > length:
                        break
                    spelled += len(token.text)
                    ended.append(token)
                scored += len(ended)
                yield ScoredPiece("text", event.text, tuple(ended))
