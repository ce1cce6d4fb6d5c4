"""An invented byte-pair vocabulary of any size, with Phi-4-mini's special tokens at their true places."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from phicli.gguf_file.byte_letters import LETTER_OF_BYTE
from phicli.gguf_file.ggml_types import TOKEN_CONTROL, TOKEN_NORMAL, TOKEN_UNUSED

_SPECIAL_TOKENS: Final = 65
_SPECIALS: Final = {
    0: "<|endoftext|>",
    11: "<|endoftext10|>",
    12: "<|endoftext11|>",
    19: "<|endofprompt|>",
    20: "<|assistant|>",
    21: "<|end|>",
    22: "<|user|>",
    23: "<|system|>",
    24: "<|tool|>",
    25: "<|/tool|>",
    26: "<|tool_call|>",
    27: "<|/tool_call|>",
    28: "<|tool_response|>",
}
"""Place after the ordinary tokens → literal: 199,999 + 21 is 200,020, the id of ``<|end|>`` in Phi-4-mini."""

CHAT_TEMPLATE: Final = (
    "{% for message in messages %}{% if message['role'] == 'system' and 'tools' in message and message['tools'] is not "
    "none %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|tool|>' + message['tools'] + '<|/tool|>' + "
    "'<|end|>' }}{% else %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}"
)
"""The template of Phi-4-mini-instruct."""


@dataclass(frozen=True, slots=True)
class SyntheticVocabulary:
    """Tokens, their types and the merges, in the order in which a GGUF file has them."""

    tokens: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[str, ...]
    bos_id: int
    eos_id: int
    eot_id: int


def synthetic_vocabulary(size: int, seed: int = 0) -> SyntheticVocabulary:
    """A valid byte-level BPE vocabulary of ``size`` tokens (1,024 to 500,000).

    256 byte tokens come first, then merges of letters, then 65 places for special tokens.
    """
    if not 1024 <= size <= 500_000:
        raise ValueError(f"cannot make a vocabulary of {size:,} tokens")
    ordinary = size - _SPECIAL_TOKENS
    tokens, merges = _merged(ordinary, random.Random(seed))  # noqa: S311 - no secret
    types = [TOKEN_NORMAL] * ordinary
    for place in range(_SPECIAL_TOKENS):
        literal = _SPECIALS.get(place)
        tokens.append(literal or f"[PAD{ordinary + place}]")
        types.append(TOKEN_CONTROL if literal else TOKEN_UNUSED)
    return SyntheticVocabulary(
        tuple(tokens), tuple(types), tuple(merges), bos_id=ordinary, eos_id=ordinary, eot_id=ordinary + 21
    )


def _merged(count: int, source: random.Random) -> tuple[list[str], list[str]]:
    """``count`` tokens, and the merges that make all but the first 256 of them.

    Pairs of letters, then pairs and a letter, then as many pairs of pairs as there is room for, chosen at random:
    English text comes out at two to four letters a token.
    """
    letters = LETTER_OF_BYTE
    small = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    first = [*small, letters[32], *(letter.upper() for letter in small)]
    pairs = [(left, right) for left in first for right in small]
    triples = [(left + right, third) for left, right in pairs for third in small]
    merges = (pairs + triples)[: count - 256]
    ends = [left + right for left, right in pairs if left in small]
    starts = [left + right for left, right in pairs]
    room = count - 256 - len(merges)
    chosen = source.sample(range(len(starts) * len(ends)), room)
    merges += [(starts[number // len(ends)], ends[number % len(ends)]) for number in sorted(chosen)]
    tokens = [letters[byte] for byte in range(256)] + [left + right for left, right in merges]
    return tokens, [f"{left} {right}" for left, right in merges]
