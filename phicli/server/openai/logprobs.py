"""Probabilities of tokens as OpenAI has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from phicli.engine.logprobs import Likely

UNKNOWN: Final = -9999.0
"""Stands for a logarithm that the engine does not report: of a character that several tokens spell."""


def chat_logprobs(tokens: Sequence[Likely] | None) -> dict[str, Any] | None:
    """Those of a choice of a chat completion; None where they were not asked for."""
    if tokens is None:
        return None
    content = [{**_token(one), "top_logprobs": [_token(other) for other in one.likeliest]} for one in tokens]
    return {"content": content, "refusal": None}


def completion_logprobs(tokens: Sequence[Likely] | None, offset: int) -> dict[str, Any] | None:
    """Those of a choice of a completion whose text begins at ``offset``; None where they were not asked for."""
    if tokens is None:
        return None
    offsets = list[int]()
    for one in tokens:
        offsets.append(offset)
        offset += len(one.text)
    return {
        "tokens": [one.text for one in tokens],
        "token_logprobs": [_logarithm(one) for one in tokens],
        "top_logprobs": [{other.text: _logarithm(other) for other in one.likeliest} for one in tokens],
        "text_offset": offsets,
    }


def _token(one: Likely) -> dict[str, Any]:
    text = one.text.encode(errors="replace")
    return {"token": one.text, "logprob": _logarithm(one), "bytes": list(text)}


def _logarithm(one: Likely) -> float:
    return UNKNOWN if one.log_probability is None else one.log_probability
