"""Segments to token ids, so that text can never become a special token.

Switching off the parsing of specials is not enough. llama.cpp then holds back tokens of type CONTROL, but tokens that
a file marks USER_DEFINED (``<|user|>`` in some conversions) are parsed anyway, and a merge can arrive at any
token of the vocabulary. So the ids of text are looked at: where a special one is among them, its literal is cut after
the first character and the parts are tokenized apart, until none is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from phicli.answering.special_tokens import SpecialTokens, spellings
from phicli.chat_format.types import Segment, Special, Template, Text

WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
    "\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""Unicode's White_Space, which is what ``rstrip`` of a token means in Hugging Face's tokenizers."""

_ANCHORS = ("\n", "\x1f")


class Tokenizer(Protocol):
    """The part of an engine that is needed here."""

    def tokenize(self, text: str, *, parse_special: bool) -> tuple[int, ...]:
        """Token ids of ``text``, without a begin-of-text token."""


def encode(
    segments: Sequence[Segment],
    tokenizer: Tokenizer,
    special_tokens: SpecialTokens,
    *,
    bos_id: int | None = None,
) -> tuple[int, ...]:
    """Token ids of a prompt.

    Adjacent text is joined before it is tokenized, because byte pair encoding and SentencePiece depend on neighbors.
    Ids that a text brings along are used as they are; a stop token at their end is not repeated by the format.

    Args:
        segments: what a prompt format rendered.
        tokenizer: the engine that will run the prompt.
        special_tokens: of the same file.
        bos_id: the begin-of-text token where the file asks for one (``tokenizer.ggml.add_bos_token``; missing means
            yes for SentencePiece, no for byte pair encoding), unless the prompt starts with it anyway.

    Raises:
        IntegrityError: the format needs a special token that the vocabulary lacks.
    """
    ids: list[int] = []
    previous: _Run | None = None
    for run in _runs(segments, special_tokens):
        ids += _run_ids(run, previous, tokenizer, special_tokens)
        previous = run
    if bos_id is not None and ids[:1] != [bos_id]:
        ids.insert(0, bos_id)
    return tuple(ids)


def least_tokens(segments: Sequence[Segment], special_tokens: SpecialTokens) -> int:
    """A number of tokens that a prompt has at least, known without an engine: tokenizing takes 1 ms for each text."""
    return sum(_least(run) for run in _runs(segments, special_tokens))


@dataclass(frozen=True, slots=True)
class _Marker:
    token_id: int
    strips_after: bool


@dataclass(frozen=True, slots=True)
class _Words:
    text: str


@dataclass(frozen=True, slots=True)
class _Given:
    token_ids: tuple[int, ...]


_Run = _Marker | _Words | _Given


def _runs(segments: Sequence[Segment], specials: SpecialTokens) -> Iterator[_Run]:
    words = ""
    for segment in segments:
        for run in _resolved(segment, specials):
            if isinstance(run, _Words):
                words += run.text
                continue
            if words:
                yield _Words(words)
                words = ""
            yield run
    if words:
        yield _Words(words)


def _least(run: _Run) -> int:
    if isinstance(run, _Given):
        return len(run.token_ids) - 1  # the format does not repeat a stop token at its end
    return 1 if isinstance(run, _Marker) or run.text.strip(WHITE_SPACE) else 0


def _run_ids(run: _Run, previous: _Run | None, tokenizer: Tokenizer, specials: SpecialTokens) -> tuple[int, ...]:
    match run:
        case _Marker(token_id=token_id):
            repeated = isinstance(previous, _Given) and previous.token_ids[-1] == token_id
            return () if repeated else (token_id,)
        case _Given(token_ids=given):
            return given
        case _Words(text=text):
            stripped = isinstance(previous, _Marker) and previous.strips_after
            text = text.lstrip(WHITE_SPACE) if stripped else text
            return text_ids(text, tokenizer, specials, inside=isinstance(previous, _Given))


def _resolved(segment: Segment, specials: SpecialTokens) -> Iterator[_Run]:
    match segment:
        case Special(literal=literal, optional=True) if specials.id_of(literal) is None:
            yield _Words(literal)
        case Special(literal=literal, strips_after=strips_after):
            yield _Marker(specials.require(literal), strips_after)
        case Template(text=text):
            yield from _parsed(text, specials)
        case Text(text=text, token_ids=None):
            yield _Words(text)
        case Text(token_ids=token_ids) if token_ids:
            yield _Given(token_ids)


def _parsed(text: str, specials: SpecialTokens) -> Iterator[_Run]:
    """Special tokens of a template's text as llama.cpp finds them: the longest literals first."""
    runs: list[_Run] = [_Words(text)] if text else []
    meant = {literal: specials.id_of(literal) for literal in specials.literals.values() if literal.strip("▁ \t\r\n")}
    for literal, token_id in sorted(meant.items(), key=lambda item: -len(item[0])):
        if token_id is None or literal not in text:
            continue
        marker = _Marker(token_id, token_id in specials.strips_after)
        runs = [part for run in runs for part in _cut_at(run, literal, marker)]
    yield from runs


def _cut_at(run: _Run, literal: str, marker: _Marker) -> Iterator[_Run]:
    if not isinstance(run, _Words):
        yield run
        return
    for index, part in enumerate(run.text.split(literal)):
        if index:
            yield marker
        if part:
            yield _Words(part)


def text_ids(text: str, tokenizer: Tokenizer, specials: SpecialTokens, *, inside: bool) -> tuple[int, ...]:
    """Ids of text, in which nothing becomes a special token; ``inside`` when other text stands in front of it."""
    if not text:
        return ()
    ids = _tokenized(text, tokenizer, specials, inside=inside)
    forged = specials.forged(ids, text)
    if not forged or len(text) == 1:
        return ids
    result: list[int] = []
    for index, part in enumerate(_parts(text, forged)):
        result += text_ids(part, tokenizer, specials, inside=inside or index > 0)
    return tuple(result)


def _parts(text: str, literals: set[str]) -> Iterator[str]:
    """Cut ``text`` after the first character of every literal; in the middle where none is found literally."""
    cuts: set[int] = set()
    for spelling in {spelling for literal in literals for spelling in spellings(literal)}:
        at = text.find(spelling)
        while at >= 0:
            cuts.add(at + 1)
            at = text.find(spelling, at + 1)
    bounds = [0, *sorted(cuts or {len(text) // 2}), len(text)]
    for start, end in pairwise(bounds):
        yield text[start:end]


def _tokenized(text: str, tokenizer: Tokenizer, specials: SpecialTokens, *, inside: bool) -> tuple[int, ...]:
    """Tokenize, without the space that SentencePiece would put in front of a text that continues another.

    The text is tokenized behind a character that merges with nothing, and that character's ids are taken off.
    """
    if inside and specials.space_prefix:
        for anchor in _ANCHORS:
            head = tokenizer.tokenize(anchor, parse_special=False)
            whole = tokenizer.tokenize(anchor + text, parse_special=False)
            if whole[: len(head)] == head:
                return whole[len(head) :]
    return tokenizer.tokenize(text, parse_special=False)
