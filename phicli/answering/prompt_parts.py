"""A prompt as people can read it: which parts of it are special tokens, and which are text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from phicli.answering.special_tokens import SpecialTokens
from phicli.chat_format.types import Segment, Special, Template


@dataclass(frozen=True, slots=True)
class PromptPart:
    """A special token by its literal, or the text between two of them."""

    text: str
    special: bool


@dataclass(frozen=True, slots=True)
class ExactPrompt:
    """A prompt in parts, and the ids of its tokens as they are sent to the engine."""

    parts: tuple[PromptPart, ...]
    token_ids: tuple[int, ...]


def parts_of(segments: Sequence[Segment], specials: SpecialTokens, ids: Sequence[int]) -> Iterator[PromptPart]:
    """The parts of ``segments``; a token that the file asks for at the beginning is the first one of ``ids``."""
    text = ""
    parts = [part for segment in segments for part in _parts(segment, specials)]
    first = specials.literals.get(ids[0]) if ids else None
    if first is not None and not (parts and parts[0] == PromptPart(first, special=True)):
        yield PromptPart(first, special=True)
    for part in parts:
        if not part.special:
            text += part.text
            continue
        if text:
            yield PromptPart(text, special=False)
            text = ""
        yield part
    if text:
        yield PromptPart(text, special=False)


def _parts(segment: Segment, specials: SpecialTokens) -> Iterator[PromptPart]:
    if isinstance(segment, Special):
        yield PromptPart(segment.literal, special=not segment.optional or specials.id_of(segment.literal) is not None)
        return
    if not isinstance(segment, Template):
        yield PromptPart(segment.text, special=False)
        return
    literals = sorted(filter(str.strip, specials.literals.values()), key=len, reverse=True)
    for part in filter(None, re.split(f"({'|'.join(map(re.escape, literals))})", segment.text)):
        yield PromptPart(part, special=bool(literals) and part in literals)
