"""Decides while an answer comes where it and its reasoning end, beside the model and the limit of tokens."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from phicli.answering.repetition import Repetition
from phicli.answering.stop_texts import StopTexts
from phicli.answering.types import REPETITION, Ending
from phicli.chat_format.think_tags import TAGS
from phicli.chat_format.tool_calls import OPEN
from phicli.chat_format.types import AnswerParser, Piece
from phicli.engine.types import NO_TOKENS, Chunk

_MARKS: Final = (*TAGS, OPEN)
_MARK: Final = re.compile(f"({'|'.join(map(re.escape, _MARKS))})")


class EndWatch:
    """Makes pieces of generated text up to the end of the answer.

    The stop texts of the prompt format are looked for in all that is generated, those of a person in the answer, not
    in the reasoning before it.

    Args:
        parser: of the prompt format, fresh.
        ending: what was asked for.
        own_stops: the stop texts of the prompt format.
        visible_tokens: special tokens by literal whose text is in the generated text, reasoning tags among them.
    """

    def __init__(
        self,
        parser: AnswerParser,
        ending: Ending,
        own_stops: Sequence[str],
        visible_tokens: Mapping[str, int] = NO_TOKENS,
    ) -> None:
        self._parser = parser
        self._mark_ids = frozenset(visible_tokens[mark] for mark in _MARKS if mark in visible_tokens)
        self._own = StopTexts(own_stops)
        self._asked = StopTexts(ending.stop_texts)
        self._repetition = Repetition() if ending.brake else None
        self._brake_held = ending.brake_held
        self._stopped_by: str | None = None
        self._think_tokens = ending.think_tokens
        self._position = 0  # in the text that the parser got
        self._unplaced: deque[tuple[int, int]] = deque()  # tokens and where their text begins: reasoning or not?
        self.reasoning_ends = 0
        """How often reasoning was ended that the model had not ended."""
        self.reasoning_tokens = 0
        """How many of the tokens are certain to be reasoning by now, without the tags around it."""

    @property
    def stopped_by(self) -> str | None:
        """What ended the answer: a stop text that was asked for, or ``repetition``; None for anything else."""
        return self._asked.found or self._stopped_by

    @property
    def waiting(self) -> bool:
        """Whether text waits until it is known whether it is reasoning, or a tool call."""
        return self._parser.waiting

    @property
    def over(self) -> bool:
        """Whether the answer is over, whatever the engine would still generate."""
        return self.stopped_by is not None or self._own.found is not None

    @property
    def thought_enough(self) -> bool:
        """Whether reasoning goes on that has as many tokens as it may have; what is undecided does not count."""
        most = self._think_tokens
        return most is not None and self.reasoning_tokens >= most and self._parser.inside_reasoning

    @property
    def answers_at_once(self) -> bool:
        """Whether the reasoning with which the model begins each answer is to be left out."""
        return self._think_tokens == 0 and self._parser.expects_reasoning

    def end_reasoning(self) -> Iterator[Piece]:
        """What comes from now on is the answer; the pieces of reasoning that were held back."""
        self.reasoning_ends += 1
        yield from self._parser.end_reasoning()
        self._place()

    @property
    def expects_reasoning(self) -> bool:
        """Whether the model reasons before each answer, and nothing has come yet."""
        return self._parser.expects_reasoning

    @property
    def may_reason(self) -> bool:
        """Whether what comes next may be reasoning."""
        return self._parser.may_reason

    @property
    def reasoning_over(self) -> bool:
        """Whether the reasoning ends with the tag that came last, and nothing of the answer has come yet."""
        return self._parser.reasoning_over

    def go_on(self) -> None:
        """What comes continues an answer that is begun: it has no reasoning, and its white space counts."""
        list(self._parser.end_reasoning())
        self._parser.take_as_it_is()

    def hold(self) -> Iterator[Piece]:
        """What comes from now on is the answer as it is, tags and white space too; the pieces that were held back."""
        yield from self._parser.end_reasoning()
        self._place()
        self._parser.take_as_it_is()
        self._repetition = Repetition() if self._brake_held else None

    def take(self, chunk: Chunk) -> Iterator[Piece]:
        """The pieces that are certain with the next text."""
        if self._repetition is not None and self._repetition.add(chunk):
            self._stopped_by = REPETITION
        self._unplaced.append((self._position, chunk.tokens))
        for part, special in self._parts(chunk):
            if text := self._own.feed(part):
                yield from self._before_stop(self._parser.feed(text, special=special and text == part))
                self._position += len(text)
        self._place()

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
        self._place()

    def _place(self) -> None:
        """Count the tokens of which it is known by now that they are reasoning."""
        while self._unplaced and (reasons := self._parser.is_reasoning(self._unplaced[0][0])) is not None:
            _, tokens = self._unplaced.popleft()
            self.reasoning_tokens += tokens if reasons else 0

    def _parts(self, chunk: Chunk) -> Iterator[tuple[str, bool]]:
        """The text of a chunk in parts, each with whether it is a tag or marker that was generated as one token."""
        if self._mark_ids.isdisjoint(chunk.token_ids or ()):
            yield chunk.text, False
            return
        for part in filter(None, _MARK.split(chunk.text)):
            yield part, part in _MARKS

    def _before_stop(self, pieces: Sequence[Piece]) -> Iterator[Piece]:
        for piece in pieces:
            if piece.kind == "reasoning":
                yield from [piece] if self._think_tokens != 0 else []  # the end of a token with a tag in it
            elif text := self._asked.feed(piece.text):
                yield Piece("text", text)
