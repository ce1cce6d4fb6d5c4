"""What a ``<think>`` or ``</think>`` in generated text is: a tag, or text about tags.

Models speak of the tags: in quotes, in code, in a sentence such as "I have to use <think> and </think> tags". The id
of a token does not tell these apart, because text about a tag is often generated as the same token. So the surroundings
decide: quotes, code, the ends of the line, the words on both sides. Where they leave a doubt, the id counts for a tag,
and what is doubtful even then is decided when the whole answer is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from phicli.chat_format.code_blocks import CodeBlocks

OPEN, CLOSE, DIRECT = "<think>", "</think>", "<nothink>"
MISSPELLED_CLOSE: Final = "<\\think>"
"""What the first system prompt of Phi-4-reasoning asked for."""
TAGS: Final = (OPEN, CLOSE, MISSPELLED_CLOSE)

Verdict = Literal["tag", "doubt", "text"]

_PAIRS: Final = "“”‘’«»()[]„“「」『』（）【】《》"  # noqa: RUF001
_OPENING_QUOTES: Final = _PAIRS[::2]
_CLOSING_QUOTE: Final = dict(zip(_OPENING_QUOTES, _PAIRS[1::2], strict=True)) | {same: same for same in "`\"'*"}
_END_QUOTES: Final = "\"'`”’»“」』"  # noqa: RUF001
_PUNCTUATION: Final = ",.;:!?)]}…、。，）】》" + _END_QUOTES  # noqa: RUF001
_SPACE: Final = " \t\r"
_LONGEST_TAIL: Final = 80
LOOKAHEAD: Final = 1000
"""Characters behind a tag that are looked at."""


class Place:
    """Where a text ends that is fed as it comes.

    Attributes:
        blank: whether there is only white space in the last line.
        backticks: how many the last line has.
        double_quotes: how many the last line has.
        tail: the end of the last line.
        opened_in_line: whether there was a ``<think>`` in the last line, behind other text.
        opened: how many lines began with a ``<think>`` that no tag has closed.
    """

    __slots__ = ("_blocks", "backticks", "blank", "double_quotes", "opened", "opened_in_line", "tail")

    def __init__(self) -> None:
        self._blocks = CodeBlocks()
        self.blank, self.opened_in_line, self.tail = True, False, ""
        self.backticks = self.double_quotes = self.opened = 0

    @property
    def in_code_block(self) -> bool:
        """Whether the text ends in a fenced code block."""
        return self._blocks.inside

    def feed(self, text: str) -> None:
        """Take the next text."""
        self._blocks.feed(text)
        _, newline, line = text.rpartition("\n")
        if newline:
            self.blank, self.opened_in_line, self.tail = True, False, ""
            self.backticks = self.double_quotes = 0
        self.blank = self.blank and not line.strip()
        self.backticks += line.count("`")
        self.double_quotes += line.count('"')
        self.tail = (self.tail + line)[-_LONGEST_TAIL:]

    def opens(self) -> None:
        """A ``<think>`` comes that is text."""
        if self.blank:
            self.opened += 1
        else:
            self.opened_in_line = True

    def closes(self) -> None:
        """A ``</think>`` comes that is text."""
        if self.blank:
            self.opened = max(self.opened - 1, 0)
        self.opened_in_line = False


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A tag's surroundings: the ``place`` in front of it, and the text ``after`` it as far as it came and counts.

    ``by_id`` says that the tag is one token of the vocabulary, ``ended`` that no more text comes, ``inside`` that a tag
    has opened the reasoning.
    """

    place: Place
    after: str
    by_id: bool
    ended: bool
    inside: bool = False

    @property
    def known(self) -> bool:
        """Whether enough of the text after it has come: a character that is not a space, and the line for quotes."""
        rest = self.after.lstrip(_SPACE)
        in_backticks = self.place.backticks % 2 == 1 and "`" not in self.after and "\n" not in self.after
        return self.ended or len(self.after) >= LOOKAHEAD or (bool(rest) and not in_backticks)

    @property
    def quoted(self) -> bool:
        """Whether quotes or brackets enclose the tag, or it is in code within a line."""
        if self.after_opening_quote and _CLOSING_QUOTE[self.place.tail[-1]] == self.after[:1]:
            return True
        return self.place.backticks % 2 == 1 and "`" in self.after.partition("\n")[0]

    @property
    def next(self) -> str:
        """The next character that is not a space; empty at the end of the text, a newline at the end of the line."""
        return self.after.lstrip(_SPACE)[:1]

    @property
    def attached_before(self) -> bool:
        """Whether text stands directly in front of it."""
        return bool(self.place.tail) and not self.place.tail[-1].isspace()

    @property
    def attached_after(self) -> bool:
        """Whether text stands directly behind it."""
        return bool(self.after) and not self.after[0].isspace()

    @property
    def after_opening_quote(self) -> bool:
        """Whether a quote or a bracket begins directly in front of it."""
        quote = self.place.tail[-1:]
        if quote == '"':
            return self.place.double_quotes % 2 == 1
        if quote and quote in "'`*":
            return not self.place.tail.rstrip(quote)[-1:].strip(" \t([{")
        return bool(quote) and quote in _OPENING_QUOTES


def opening(around: Surroundings) -> Verdict | None:
    """What a ``<think>`` behind the beginning of an answer is; None where more text is needed to know."""
    if not around.known:
        return None
    if around.quoted or around.place.in_code_block or around.after_opening_quote:
        return "text"
    if around.place.blank or around.next in ("", "\n"):
        return "tag"
    if around.next in _PUNCTUATION:
        return "text"
    return "tag" if around.attached_after or (around.by_id and around.next.isupper()) else "text"


def closing(around: Surroundings) -> Verdict | None:
    """What a ``</think>`` is; None where more text is needed to know."""
    if not around.known:
        return None
    if around.quoted:
        return "text"
    place = around.place
    if place.in_code_block:  # an example of the tags; or the block was never closed
        return "doubt" if place.blank and not place.opened else "text"
    if place.opened_in_line:
        inside = around.attached_before and around.next not in _END_QUOTES
        return "doubt" if inside else "text"
    verdict: Verdict = "tag" if place.blank else _in_line(around)
    return "doubt" if verdict == "tag" and place.opened else verdict


def _in_line(around: Surroundings) -> Verdict:
    """What a ``</think>`` is that has other text in front of it in its line."""
    if around.after_opening_quote:
        return "text"
    if around.attached_before:
        return "tag"
    before = around.place.tail.rstrip()[-1:]
    in_sentence = before.isalpha() or before in ","
    if around.next not in ("", "\n"):
        if around.next in _PUNCTUATION:
            return "text"
        if around.next.islower():
            return "doubt" if around.inside or around.by_id or not in_sentence else "text"
    return "doubt" if in_sentence and not around.by_id else "tag"
