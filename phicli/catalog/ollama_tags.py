"""The names that Ollama's library has for models of the family, such as ``phi4-mini:3.8b``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from phicli.catalog.names import squash
from phicli.catalog.quants import as_quant

_LIBRARY: Final = re.compile(r"(?:https?://)?(?:www\.|registry\.)?ollama\.(?:com|ai)/(?:library/)?", re.IGNORECASE)
_MINI, _MEDIUM = "3.8b mini instruct", "14b medium instruct"
_TAGS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = MappingProxyType(
    {
        "phi": (("phi-2", "2.7b chat v2"),),
        "phi3": (
            ("phi-3-mini-4k", f"{_MINI} 4k"),
            ("phi-3-mini-128k", f"{_MINI} 128k"),
            ("phi-3-medium-4k", f"{_MEDIUM} 4k"),
            ("phi-3-medium-128k", f"{_MEDIUM} 128k"),
        ),
        "phi35": (("phi-3.5-mini", _MINI),),
        "phi4": (("phi-4", "14b"),),
        "phi4mini": (("phi-4-mini", _MINI),),
        "phi4reasoning": (("phi-4-reasoning", "14b"), ("phi-4-reasoning-plus", "14b plus")),
        "phi4minireasoning": (("phi-4-mini-reasoning", _MINI),),
    }
)
"""Squashed name → variants in turn, each with the words that its tags are made of, beside the quantization."""


def from_ollama(name: str) -> str:
    """``name`` as the catalog has it where it is one of Ollama's names with a tag that the catalog does not know.

    ``phi3`` is ``phi-3-mini-4k``, ``phi4-reasoning:plus`` is ``phi-4-reasoning-plus``, and ``phi4:14b-q8_0`` is
    ``phi-4:q8_0``. Any other name is returned as it is.
    """
    match = _LIBRARY.match(name)
    short, colon, tag = (name[match.end() :] if match else name).partition(":")
    variants = _TAGS.get(squash(short))
    if variants is None or (colon and not tag):
        return name
    words = [word.casefold() for word in tag.split("-") if word] if tag else []
    quant = as_quant(words[-1]) if words else None
    wanted = set(words[:-1] if quant else words) - {"latest"}
    for variant_id, own in variants:
        if len(words) == bool(quant) and squash(short) == squash(variant_id):
            return name if match is None else f"{short}{colon}{tag}"
        if wanted <= set(own.split()):
            return f"{variant_id}:{quant.lower()}" if quant else variant_id
    return f"{short}{colon}{tag}"
