"""``<think>…</think>``: the reasoning in front of an answer, split off while it streams."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from phicli.chat_format.think_tags import DIRECT, LOOKAHEAD, OPEN, TAGS, Place, Surroundings, closing, opening
from phicli.chat_format.types import Piece, Segment, Template

_TAG: Final = re.compile("|".join(map(re.escape, TAGS)))
_LINE_BREAKS: Final = re.compile(r"(?:\s|\\n)*")
_PART: Final = 4 * LOOKAHEAD
_MOST_DOUBTS: Final = 8
"""So many doubtful tags may close reasoning, each after a look at all that follows; any further one is certain."""
_State = Literal["start", "undecided", "reasoning", "text"]


def held_back(text: str, markers: Sequence[str]) -> int:
    """How many characters at the end of ``text`` may be the beginning of one of ``markers``."""
    longest = max(map(len, markers)) - 1
    for length in range(min(longest, len(text)), 0, -1):
        tail = text[-length:]
        if any(marker.startswith(tail) for marker in markers):
            return length
    return 0


def opens_reasoning(segments: Sequence[Segment]) -> bool:
    """Whether a prompt ends inside reasoning, as the templates of some models do (``…<think>\\n``)."""
    last = segments[-1] if segments else None
    return isinstance(last, Template) and last.text.rstrip().endswith(OPEN)


def without_reasoning(text: str) -> str:
    """An answer that begins with ``<think>`` without its reasoning; any other answer as it is."""
    if not text.lstrip().startswith(OPEN):
        return text
    splitter = ReasoningSplitter()
    pieces = [*splitter.feed(text), *splitter.finish()]
    return "".join(piece.text for piece in pieces if piece.kind == "text")


class ReasoningSplitter:
    """Splits a stream into reasoning and text; how the stream is cut does not matter.

    A ``<think>`` opens reasoning, a ``</think>`` closes it; :mod:`phicli.chat_format.think_tags` says which of them
    are tags. White space after a tag, and in front of the first, is dropped. Text in front of ``<think>`` is text.

    A tag that is doubtful closes the reasoning only if no certain one follows: what comes behind it waits until then. A
    stream that ends inside is all reasoning.

    Args:
        inside: the prompt has opened the reasoning already.
        expected: the model reasons before each answer. So what stands in front of a ``</think>`` that nothing opened
            is reasoning, and text waits until it is known to be text: to the end, where no tag comes.
    """

    __slots__ = (
        "_again", "_begun", "_blocks", "_by_id", "_doubt", "_expected", "_held", "_kept", "_kept_length", "_last",
        "_offset", "_place", "_settled", "_state", "_stray", "_trim",
    )  # fmt: skip

    def __init__(self, *, inside: bool = False, expected: bool = False) -> None:
        self._state: _State = "reasoning" if inside else "start"
        self._expected = expected
        self._stray = expected  # a closing tag that closes nothing is left over, not text
        self._held, self._offset = "", 0  # what was not looked at yet, and where it begins
        self._by_id: set[int] = set()
        self._again = ""  # what comes behind it: long text is looked at in parts
        self._kept: list[str] = []  # what was looked at, and may still be either
        self._kept_length = 0
        self._doubt: tuple[int, int] | None = None  # the first doubtful tag in it
        self._settled = 0
        self._place = Place()
        self._trim = True
        self._last = "\n"  # of the reasoning
        self._begun = 0 if inside else None  # where the reasoning begins that has not ended
        self._blocks: list[tuple[int, int]] = []  # where the reasoning is that has ended

    @property
    def waiting(self) -> bool:
        """Whether text waits until it is known whether it is reasoning."""
        return bool(self._kept)

    @property
    def inside(self) -> bool:
        """Whether reasoning goes on for certain: no tag that may end it has come or begun."""
        return self._state == "reasoning" and self._doubt is None and not self._held

    @property
    def expects_reasoning(self) -> bool:
        """Whether the model reasons before each answer, and nothing has come yet."""
        return self._state == "start" and self._expected and not self._held

    @property
    def at_end(self) -> bool:
        """Whether the reasoning ends with the tag that came last, and nothing of the answer has come yet."""
        if self._state == "text":
            return self._trim
        tag, inside = _TAG.match(self._held), self._state == "reasoning"
        if tag is None or tag[0] == OPEN or self._again or self._held[tag.end() :].strip():
            return False
        around = Surroundings(self._place, "", by_id=self._offset in self._by_id, ended=True, inside=inside)
        return closing(around) == "tag"

    def is_reasoning(self, at: int) -> bool | None:
        """Whether the character ``at`` this place is reasoning, without the tags; None where that is not known yet."""
        if at >= self._offset - self._kept_length:
            return None
        return (self._begun is not None and at >= self._begun) or any(at in range(*block) for block in self._blocks)

    def end_reasoning(self) -> list[Piece]:
        """End the reasoning here: what was held back, but its tag, is a part of it; what comes next is the answer."""
        if self._state == "text":
            self._skip(len(self._held))
            return []
        pieces = self._take(len(self._held)) if self._held and not self.at_end else []
        self._ended(self._offset)
        pieces += self._emit("reasoning", "".join(self._kept))
        self._enter("text", len(self._held))
        return pieces

    def feed(self, text: str, *, special: bool = False) -> list[Piece]:
        """Take the next text; return all that is certain.

        Args:
            text: generated text.
            special: the text is a tag, generated as one token of the vocabulary.
        """
        if special:
            self._by_id.add(self._offset + len(self._held))
        if len(text) > _PART:
            self._held, self._again = "", self._held + text
        else:
            self._held += text
        return list(self._pieces(ended=False))

    def finish(self) -> list[Piece]:
        """Return what was held back."""
        pieces = list(self._pieces(ended=True))
        while self._kept:
            pieces += self._settle()
            pieces += self._pieces(ended=True)
        return pieces

    def _pieces(self, *, ended: bool) -> Iterator[Piece]:
        while self._held or self._again:
            if len(self._held) < _PART:
                self._read_on()
            last = ended and not self._again
            pieces = self._start(ended=last) if self._state == "start" else self._step(ended=last)
            if pieces is not None:
                yield from pieces
            elif self._again:
                self._read_on()
            else:
                return

    def _read_on(self) -> None:
        self._held, self._again = self._held + self._again[:_PART], self._again[_PART:]

    def _start(self, *, ended: bool) -> list[Piece] | None:
        self._skip(len(self._held) - len(self._held.lstrip()))
        if not ended and any(tag.startswith(self._held) for tag in (OPEN, DIRECT) if tag != self._held):
            return None
        if self._held.startswith(OPEN):
            self._enter("reasoning", len(OPEN))
        elif self._held.startswith(DIRECT):
            self._enter("text", len(DIRECT))
        else:
            self._state = "undecided" if self._expected else "text"
        return []

    def _step(self, *, ended: bool) -> list[Piece] | None:
        """What the next text gives, up to a tag, or what a tag gives; None where more is needed."""
        if self._state == "text" and self._trim and not self._drops_space(ended=ended):
            return None
        match = _TAG.search(self._held)
        if match is None:
            certain = len(self._held) - (0 if ended else held_back(self._held, TAGS))
            return self._take(certain) if certain else None
        if match.start():
            return self._take(match.start())
        tag = match[0]
        after = self._held[len(tag) : len(tag) + LOOKAHEAD]
        by_id, inside = self._offset in self._by_id, self._state == "reasoning"
        around = Surroundings(self._place, after, by_id=by_id, ended=ended, inside=inside)
        return self._opening(around) if tag == OPEN else self._closing(tag, around)

    def _drops_space(self, *, ended: bool) -> bool:
        r"""Drop the white space behind a tag; False where more text is needed.

        Models that were trained on escaped text write ``\n\nThe answer …``: in front of a capital letter, where it can
        be neither the beginning of ``\nabla`` nor an answer about escapes, such a ``\n`` is a line break.
        """
        end = _LINE_BREAKS.match(self._held).end()  # type: ignore[union-attr]  # it matches the empty text
        if self._held[end:] in ("", "\\") and not ended:
            return False
        capital = self._held[end : end + 1].isupper()
        self._skip(end if capital else len(self._held) - len(self._held.lstrip()))
        return True

    def _opening(self, around: Surroundings) -> list[Piece] | None:
        if self._state == "reasoning":
            if self._trim and not self._kept:  # opened twice
                self._skip(len(OPEN))
                return []
            self._place.opens()
            return self._take(len(OPEN))
        verdict = opening(around)
        if verdict is None:
            return None
        if verdict != "tag":
            self._place.opens()
            return self._take(len(OPEN))
        if self._doubt is not None:
            return self._settle()
        pieces = self._emit("text", "".join(self._kept))
        self._enter("reasoning", len(OPEN))
        return pieces

    def _closing(self, tag: str, around: Surroundings) -> list[Piece] | None:
        verdict = closing(around)
        if verdict is None:
            return None
        if verdict == "doubt" and self._settled == _MOST_DOUBTS:
            verdict = "tag"
        if verdict == "tag" and self._state != "text":
            self._ended(self._offset)
            pieces = self._emit("reasoning", "".join(self._kept))
            self._enter("text", len(tag))
            return pieces
        if verdict == "tag" and self._stray:
            self._skip(len(tag))
            return []
        if verdict == "doubt" and self._doubt is None and self._state != "text":
            self._doubt = self._kept_length, self._kept_length + len(tag)
        self._place.closes()
        return self._take(len(tag))

    def _settle(self) -> list[Piece]:
        """Decide what waited: a doubtful tag closes the reasoning, and without one there was none."""
        kept, doubt = "".join(self._kept), self._doubt
        if doubt is None:
            self._enter("text", 0, trim=False)
            return self._emit("text", kept)
        self._ended(self._offset - len(kept) + doubt[0])
        pieces = self._emit("reasoning", kept[: doubt[0]])
        behind = kept[doubt[1] :]
        self._offset -= len(behind)
        self._held, self._again = "", behind + self._held + self._again
        self._settled += 1
        self._enter("text", 0)
        return pieces

    def _enter(self, state: Literal["reasoning", "text"], tag_length: int, *, trim: bool = True) -> None:
        self._skip(tag_length)
        self._kept, self._kept_length, self._doubt = [], 0, None
        self._state, self._place, self._trim = state, Place(), trim
        self._stray = self._stray or trim
        self._begun = self._offset if state == "reasoning" else None

    def _ended(self, at: int) -> None:
        """The reasoning ended in front of ``at``; what waited was reasoning from its beginning."""
        begun = self._offset - self._kept_length if self._begun is None else self._begun
        self._blocks.append((begun, at))

    def _take(self, count: int) -> list[Piece]:
        """Take text that is not a tag."""
        text = self._held[:count]
        self._skip(count)
        self._place.feed(text)
        if self._state == "text":
            return self._emit("text", text)
        if self._state == "reasoning" and self._doubt is None:
            return self._emit("reasoning", text)
        self._kept.append(text)
        self._kept_length += len(text)
        return []

    def _skip(self, count: int) -> None:
        self._held, self._offset = self._held[count:], self._offset + count

    def _emit(self, kind: Literal["reasoning", "text"], text: str) -> list[Piece]:
        if self._trim:
            text = text.lstrip()
        if not text:
            return []
        if kind == "reasoning":
            text = text if self._last == "\n" or not self._trim else f"\n{text}"  # a second block begins a line
            self._last = text[-1]
        self._trim = False
        return [Piece(kind, text)]
