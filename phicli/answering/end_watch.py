"""Decides while an answer comes where it ends, beside the model and the limit of tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from phicli.answering.repetition import Repetition
from phicli.answering.stop_texts import StopTexts
from phicli.answering.types import REPETITION, Ending
from phicli.chat_format.types import AnswerParser, Piece
from phicli.engine.types import Chunk


class EndWatch:
    """Makes pieces of generated text up to the end of the answer.

    The stop texts of the prompt format are looked for in all that is generated, those of a person in the answer, not
    in the reasoning before it.

    Args:
        parser: of the prompt format, fresh.
        ending: what was asked for.
        own_stops: the stop texts of the prompt format.
    """

    def __init__(self, parser: AnswerParser, ending: Ending, own_stops: Sequence[str]) -> None:
        self._parser = parser
        self._own = StopTexts(own_stops)
        self._asked = StopTexts(ending.stop_texts)
        self._repetition = Repetition() if ending.brake else None
        self._stopped_by: str | None = None

    @property
    def stopped_by(self) -> str | None:
        """What ended the answer: a stop text that was asked for, or ``repetition``; None for anything else."""
        return self._asked.found or self._stopped_by

    @property
    def over(self) -> bool:
        """Whether the answer is over, whatever the engine would still generate."""
        return self.stopped_by is not None or self._own.found is not None

    def take(self, chunk: Chunk) -> Iterator[Piece]:
        """The pieces that are certain with the next text."""
        if self._repetition is not None and self._repetition.add(chunk):
            self._stopped_by = REPETITION
        if text := self._own.feed(chunk.text):
            yield from self._before_stop(self._parser.feed(text))

    def stop(self, literal: str | None) -> None:
        """The engine generated the special token ``literal`` that was asked for as a stop text; None: it did not."""
        self._stopped_by = literal or self._stopped_by

    def repeats(self) -> bool:
        """Whether the answer repeats itself now; if so, it is over."""
        if self._repetition is not None and self._repetition.now():
            self._stopped_by = REPETITION
        return self.over

    def finish(self) -> Iterator[Piece]:
        """The pieces that waited, after the end; call once."""
        yield from self._before_stop([*self._parser.feed(self._own.finish()), *self._parser.finish()])
        if rest := self._asked.finish():
            yield Piece("text", rest)

    def _before_stop(self, pieces: Sequence[Piece]) -> Iterator[Piece]:
        for piece in pieces:
            if piece.kind == "reasoning":
                yield piece
            elif text := self._asked.feed(piece.text):
                yield Piece("text", text)
