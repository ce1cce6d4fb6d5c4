"""What must not stand in texts: special tokens of the prompt formats, halves of characters, keys and passwords."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from phicli.chat.files.secrets import secret_in
from phicli.chat_format import FORMAT_NAMES, format_by_name
from phicli.chat_format.think_tags import CLOSE, DIRECT, OPEN
from phicli.chat_format.types import Message, Special, ToolCall
from phicli.errors import UsageError

_OTHERS: Final = ("<|endoftext|>", "<|endofprompt|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")
"""Special tokens of the vocabularies of the family that no prompt format has."""
_REASONING: Final = (OPEN, CLOSE, DIRECT)
"""Tags of reasoning, which are a part of what a reasoning model says."""
_SECRET_SIGNS: Final = (
    b"AKIA", b"ASIA", b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_", b"hf_", b"xox", b"sk-",
)  # fmt: skip
"""What every secret has that is one word."""
_PRIVATE_KEY: Final = b"-----BEGIN "
_WORD: Final = bytes(ord("x") if (chr(byte).isalnum() and byte < 128) or byte in b"_-" else 32 for byte in range(256))
_LONG_WORD: Final = b"x" * 20
"""Every secret that is one word is at least so long."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_PLACEHOLDER: Final = re.compile(r"example|your|xxxx|\*\*\*\*|placeholder|dummy|1234567890|abcdefghij", re.IGNORECASE)
_LEAST_DIFFERENT: Final = 8
"""A key has at least so many different characters."""


@cache
def special_tokens() -> tuple[str, ...]:
    """The special tokens of all prompt formats of the family, except the tags of reasoning; the longest first."""
    found = set(_OTHERS)
    call = Message("assistant", "a", (ToolCall("t", {}),))
    said = (Message("system", "s"), Message("user", "u"), call, Message("tool", "{}"))
    for name in FORMAT_NAMES:
        made = format_by_name(name, reasoning=True)
        found.update(token for token in (*made.stop_tokens, *made.visible_tokens) if token.startswith("<|"))
        for messages, tools in ((said, "[]"), (said[:2], None)):
            try:
                segments = made.render(messages, tools=tools)
            except UsageError:  # a format without tools
                continue
            found.update(one.literal for one in segments if isinstance(one, Special))
    return tuple(sorted(found - set(_REASONING), key=lambda token: (-len(token), token)))


@cache
def _special_pattern() -> re.Pattern[str]:
    return re.compile("|".join(re.escape(token) for token in special_tokens()))


def findings_in(example: Any, data: bytes) -> Iterator[tuple[str, str, str]]:
    """Kind, place and message of what must not stand in the texts of ``example``.

    Args:
        example: what was read of a line.
        data: all of its texts, encoded (:func:`~phicli.training_data.digests.encoded`).
    """
    if b"<" in data and b"<|" in data:
        yield from _specials(example)
    if _may_have_secrets(data):
        yield from _secrets(example)


def _may_have_secrets(data: bytes) -> bool:
    """Whether ``data`` is to be looked at more closely: long words are rare, and found faster than every sign."""
    if _LONG_WORD in data.translate(_WORD) and any(sign in data for sign in _SECRET_SIGNS):
        return True
    return b"-" in data and _PRIVATE_KEY in data


def surrogates_in(example: Any) -> Iterator[tuple[str, str, str]]:
    """The same for halves of surrogate pairs, with which the JSON cannot be encoded."""
    for place, text in texts_of(example):
        if half := _SURROGATE.search(text):
            yield "surrogate", place, rf"\u{ord(half[0]):04x} is half of a character: the text was cut inside of it"


def texts_of(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """All texts in ``value``, keys too, each with its place."""
    if type(value) is str:
        yield place, value
    elif type(value) is dict:
        for key, one in value.items():
            yield f"{place}.{key}".lstrip("."), key
            yield from texts_of(one, f"{place}.{key}".lstrip("."))
    elif type(value) is list:
        for number, one in enumerate(value):
            yield from texts_of(one, f"{place}[{number}]")


def _specials(example: Any) -> Iterator[tuple[str, str, str]]:
    for place, text in texts_of(example):
        if found := _special_pattern().search(text):
            yield "special_token", place, f"{found[0]} would end or begin a turn in Phi's prompt format: remove it"


def _secrets(example: Any) -> Iterator[tuple[str, str, str]]:
    for place, text in texts_of(example):
        found = secret_in(text)
        if found is not None and _looks_real(found[1]):
            yield "secret", place, f"the text contains {found[0]}: a model that learns it can tell it"


def _looks_real(key: str) -> bool:
    return len(set(key)) >= _LEAST_DIFFERENT and not _PLACEHOLDER.search(key)
