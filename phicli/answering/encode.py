"""Segments to token ids, so that text can never become a special token.

Switching off the parsing of specials is not enough. llama.cpp then holds back tokens of type CONTROL, but tokens that
a file marks USER_DEFINED (``<|user|>`` in some conversions) are parsed anyway, and a merge can arrive at any
token of the vocabulary. So the ids of text are looked at: where a special one is among them, its literal is cut after
the first character and the parts are tokenized apart, until none is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from phicli.chat_format.types import Segment, Special, Template, Text
from phicli.errors import IntegrityError
from phicli.gguf_file.byte_letters import BYTE_OF_LETTER

WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
    "\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""Unicode's White_Space, which is what ``rstrip`` of a token means in Hugging Face's tokenizers."""

_ANCHORS = ("\n", "\x1f")
_NEVER_STRIPPED_AFTER = frozenset({"<unk>", "<s>", "<|endoftext|>"})


class Tokenizer(Protocol):
    """The part of an engine that is needed here."""

    def tokenize(self, text: str, *, parse_special: bool) -> tuple[int, ...]:
        """Token ids of ``text``, without a begin-of-text token."""


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """What a file's vocabulary has besides ordinary text.

    Attributes:
        literals: id to literal of every token whose type is neither NORMAL nor BYTE.
        space_prefix: the tokenizer puts a space in front of a text (SentencePiece's dummy prefix).
        unknown_id: the token for characters that the vocabulary cannot spell; often ``<|endoftext|>``, so it is
            only let through where its literal is not in the text.
        strips_after: ids behind which the engine itself drops white space when it parses a prompt.
    """

    literals: Mapping[int, str]
    space_prefix: bool = False
    unknown_id: int | None = None
    strips_after: frozenset[int] = frozenset()
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)
    _guarded: dict[int, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ids = {literal: token_id for token_id, literal in self.literals.items()}
        guarded = {token_id: literal for token_id, literal in self.literals.items() if not is_harmless(literal)}
        object.__setattr__(self, "_ids", ids)
        object.__setattr__(self, "_guarded", guarded)

    @classmethod
    def from_metadata(
        cls,
        literals: Mapping[int, str],
        *,
        tokenizer_model: str,
        add_space_prefix: bool | None = None,
        unknown_id: int | None = None,
        model_name: str = "",
    ) -> SpecialTokens:
        """Apply llama.cpp's rules (``src/llama-vocab.cpp``) to the metadata of a GGUF file.

        Args:
            literals: as in the class.
            tokenizer_model: ``tokenizer.ggml.model``; ``llama`` is SentencePiece.
            add_space_prefix: ``tokenizer.ggml.add_space_prefix``, None where the file has none (then SentencePiece
                adds one).
            unknown_id: ``tokenizer.ggml.unknown_token_id``.
            model_name: ``general.name``; with "phi-3" or "phi3" in it the engine drops white space after specials.
        """
        sentencepiece = tokenizer_model == "llama"
        named_phi3 = any(part in model_name.lower() for part in ("phi-3", "phi3"))
        stripping = {token_id for token_id, literal in literals.items() if literal not in _NEVER_STRIPPED_AFTER}
        return cls(
            literals=literals,
            space_prefix=sentencepiece and add_space_prefix is not False,
            unknown_id=unknown_id,
            strips_after=frozenset(stripping if named_phi3 else ()),
        )

    def id_of(self, literal: str) -> int | None:
        """The id of a special token, None where the file has none."""
        return self._ids.get(literal)

    def require(self, literal: str) -> int:
        """The id of a special token.

        Raises:
            IntegrityError: the vocabulary has none.
        """
        token_id = self._ids.get(literal)
        if token_id is None:
            raise IntegrityError(
                f"the vocabulary of this file has no special token {literal}, which its prompt format needs",
                "the file does not contain the model it claims to be: download it again, or use another file",
            )
        return token_id

    def forged(self, ids: Sequence[int], text: str) -> set[str]:
        """Literals of the special tokens that ``text`` has become."""
        return {
            self._guarded[token_id]
            for token_id in set(ids) & self._guarded.keys()
            if token_id != self.unknown_id or any(part in text for part in _spellings(self._guarded[token_id]))
        }

    @property
    def guarded(self) -> Mapping[int, str]:
        """The tokens that text must never become."""
        return self._guarded


def is_harmless(literal: str) -> bool:
    """Whether text may become this token: white space (the runs of spaces of phi-2), and single characters.

    A single character cannot be cut, and no prompt format is made of one: ``�`` is marked as special in some files
    of Phi-4-mini, and is text like any other.
    """
    return any(len(spelling) < 2 or not spelling.replace("▁", " ").strip() for spelling in _spellings(literal))


def _spellings(literal: str) -> tuple[str, ...]:
    """The texts that a literal can stand for: itself, and what it means in GPT-2's alphabet of bytes."""
    if literal.isascii():
        return (literal,)
    try:
        return literal, bytes(BYTE_OF_LETTER[character] for character in literal).decode()
    except (KeyError, UnicodeDecodeError):
        return (literal,)


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
    for spelling in {spelling for literal in literals for spelling in _spellings(literal)}:
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
