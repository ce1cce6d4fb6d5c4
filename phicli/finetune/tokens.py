"""Text to token ids with the tokenizer of a folder, special tokens apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

from phicli.answering.special_tokens import SpecialTokens
from phicli.errors import NotAModelError

_AGAIN: Final = "download the folder again"


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
    except Exception as error:  # noqa: BLE001 (the package raises nothing more exact)
        raise NotAModelError(f"tokenizer.json cannot be used: {error}", _AGAIN) from None


def special_tokens_in(tokenizer: Mapping[str, Any]) -> SpecialTokens:
    """The added tokens of a tokenizer.json.

    Raises:
        NotAModelError: they are damaged.
    """
    added = tokenizer.get("added_tokens") or []
    if not isinstance(added, list) or not all(isinstance(one, dict) for one in added):
        raise NotAModelError("tokenizer.json cannot be used: added_tokens is not a list of tokens", _AGAIN)
    for one in added:
        number, content = one.get("id"), one.get("content")
        if isinstance(number, bool) or not isinstance(number, int) or not isinstance(content, str) or number < 0:
            raise NotAModelError(f"tokenizer.json cannot be used: {str(one)[:80]} is not a token", _AGAIN)
    literals = {one["id"]: one["content"] for one in added}
    strips = frozenset(one["id"] for one in added if one.get("rstrip"))
    prefix = "Prepend" in json.dumps(tokenizer.get("normalizer"))
    return SpecialTokens(literals, space_prefix=prefix, strips_after=strips)
