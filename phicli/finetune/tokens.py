"""Text to token ids with the tokenizer of a folder, special tokens apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from phicli.answering.special_tokens import SpecialTokens
from phicli.errors import NotAModelError


class TextEncoder(Protocol):
    """The part of a tokenizer of the package tokenizers that is needed here."""

    def encode(self, text: str, *, add_special_tokens: bool) -> Any:
        """An encoding with ``ids``."""


class FolderTokenizer:
    """Tokenizes text that is only text: added tokens are left out, so none is found in it."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder

    def tokenize(self, text: str, *, parse_special: bool) -> tuple[int, ...]:
        """Token ids of ``text``."""
        del parse_special
        return tuple(self._encoder.encode(text, add_special_tokens=False).ids)


def open_tokenizer(tokenizer: Mapping[str, Any]) -> FolderTokenizer:
    """The tokenizer that the content of a tokenizer.json describes.

    Raises:
        NotAModelError: it describes none.
    """
    from tokenizers import Tokenizer

    try:
        return FolderTokenizer(Tokenizer.from_str(json.dumps({**tokenizer, "added_tokens": []})))
    except Exception as error:  # noqa: BLE001 (the package has no type of its own for this)
        raise NotAModelError(f"tokenizer.json cannot be used: {error}", "download the folder again") from None


def added_tokens(tokenizer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The added tokens of a tokenizer.json, without what cannot be one: each has an ``id`` and its ``content``."""
    listed = tokenizer.get("added_tokens")
    objects = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return [one for one in objects if type(one.get("id")) is int and isinstance(one.get("content"), str)]


def special_tokens_in(tokenizer: Mapping[str, Any]) -> SpecialTokens:
    """The added tokens of a tokenizer.json."""
    added = added_tokens(tokenizer)
    literals = {one["id"]: one["content"] for one in added}
    strips = frozenset(one["id"] for one in added if one.get("rstrip"))
    prefix = "Prepend" in json.dumps(tokenizer.get("normalizer"))
    return SpecialTokens(literals, space_prefix=prefix, strips_after=strips)
