"""What is asked of an endpoint: prompts of about so many tokens, in words that it understands."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from phicli.engine.endpoint.client import EndpointClient
from phicli.engine.endpoint.deltas import Delta, End
from phicli.engine.endpoint.failures import EndpointError
from phicli.remotes.kinds import Kind

_TEXT: Final = (
    "time year people way day man thing woman life child world school state family student group country problem "
    "part place case week company system program question work number night point home water room mother area "
    "money story fact month lot right study book eye job word business issue side kind head house service friend "
    "father power hour game line end member law car city name president team minute idea body information back "
    "parent face others level office door health person art war history party result change morning reason "
    "research girl moment air teacher hand"
)
_WORDS: Final = tuple(_TEXT.split())
"""Frequent English nouns: nearly all are one token in nearly all vocabularies."""

_TASK: Final = "Write a long story in which these words occur:"
_FIRST_WORDS: Final = 16
_FIRST_TOKENS: Final = 16
_FIRST_PROMPT_TOKENS: Final = 40
"""Of a prompt with so many words, in nearly all vocabularies."""

_OPTIONAL: Final = ("ignore_eos", "stream_options", "temperature")
_NEW_LIMIT: Final = "max_completion_tokens"


@dataclass(frozen=True, slots=True)
class Manner:
    """How this endpoint is asked.

    ``fixed_tokens`` are those of a prompt without words, ``tokens_per_word`` what each adds; both are measured where
    the endpoint counts. ``extras`` are the optional fields of a request that it accepts, ``limit`` the name of the
    one that limits the answer.
    """

    model: str
    extras: tuple[str, ...] = _OPTIONAL
    limit: str = "max_tokens"
    fixed_tokens: float = 20.0
    tokens_per_word: float = 1.0

    def words(self, prompt_tokens: int) -> int:
        """How many words make a prompt of ``prompt_tokens``."""
        return max(0, round((prompt_tokens - self.fixed_tokens) / self.tokens_per_word))

    def request(self, words: int, generated_tokens: int, chance: random.Random) -> dict[str, Any]:
        """A request with a prompt of ``words`` that no cache has seen: it begins with a random number."""
        text = f"{chance.randrange(10**9):09} {_TASK} {' '.join(chance.choices(_WORDS, k=words))}".rstrip()
        extras: Mapping[str, Any] = {
            "ignore_eos": True, "stream_options": {"include_usage": True}, "temperature": 0,
        }  # fmt: skip
        return {
            "model": self.model,
            "messages": [{"role": "user", "content": text}],
            self.limit: generated_tokens,
            **{name: extras[name] for name in self.extras},
        }


@dataclass(frozen=True, slots=True)
class Limits:
    """When a request counts as dead: after so many seconds without a byte, and in all.

    ``grace_s`` are added for connecting, and for a server that sends its headers byte by byte: beyond that a request is
    given up from outside.
    """

    silence_s: float
    total_s: float
    grace_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Opening:
    """What the first requests found. ``first_ms`` is the time of the first, ``warm_ms`` that of the last one."""

    manner: Manner
    first_ms: float
    warm_ms: float


def manner_of(model: str, kind: Kind | None = None) -> Manner:
    """How a model is asked at first; by its product where that is known."""
    if kind is None:
        return Manner(model)
    extras = tuple(name for name in _OPTIONAL if name != "stream_options" or kind.usage_option)
    return Manner(model, extras, kind.limit_field)


def open_endpoint(
    client: EndpointClient,
    manner: Manner,
    prompt_tokens: int,
    generated_tokens: int,
    limits: Limits,
    chance: random.Random,
    tell: Callable[[str], None],
) -> Opening:
    """Find out how the endpoint wants to be asked, and warm it up; nothing of this is counted.

    The first request may load the model. It also shows which optional fields are refused: ``ignore_eos`` (llama.cpp
    and vLLM have it, OpenAI not), ``stream_options``, ``temperature``. The second has about the length of those that
    are measured, as far as the first one told.

    Raises:
        EndpointError: it does not answer.
    """
    tell("waiting for the first answer, which may load the model")
    manner, first = _negotiated(client, manner, limits, chance)
    tell("warming up")
    more = max(1.0, (first.end.prompt_tokens or 0) / _FIRST_PROMPT_TOKENS)  # so that it does not exceed the context
    guess = round(manner.words(prompt_tokens) / more)
    second = ask(client, manner.request(guess, generated_tokens, chance), limits)
    if first.end.prompt_tokens and second.end.prompt_tokens and guess > 2 * _FIRST_WORDS:
        per_word = (second.end.prompt_tokens - first.end.prompt_tokens) / (guess - _FIRST_WORDS)
        if 0.2 < per_word < 20:
            fixed = max(0.0, first.end.prompt_tokens - per_word * _FIRST_WORDS)
            manner = replace(manner, tokens_per_word=per_word, fixed_tokens=fixed)
    elif first.end.prompt_tokens:
        manner = replace(manner, fixed_tokens=max(0, first.end.prompt_tokens - _FIRST_WORDS))
    return Opening(manner, first.total_ms, second.total_ms)


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer with the times of its pieces, in milliseconds from sending the request."""

    arrivals_ms: tuple[float, ...]
    total_ms: float
    end: End


def ask(client: EndpointClient, request: Mapping[str, Any], limits: Limits) -> Heard:
    """Make one request and time it.

    Raises:
        EndpointError: it failed, or the answer is empty.
    """
    arrivals: list[float] = []
    end = End(None, None, None)
    began = time.perf_counter()
    for event in client.chat(request, silence_s=limits.silence_s, total_s=limits.total_s):
        if isinstance(event, Delta):
            arrivals.append(1000 * (event.at_s - began))
        else:
            end = event
    total_ms = 1000 * (time.perf_counter() - began)
    if not arrivals:
        raise EndpointError("empty", f"{client.address.shown} answered without any text", "try another model")
    return Heard(tuple(arrivals), total_ms, end)


def _negotiated(client: EndpointClient, manner: Manner, limits: Limits, chance: random.Random) -> tuple[Manner, Heard]:
    """The manner without what the endpoint refuses, and its first answer."""
    while True:
        try:
            return manner, ask(client, manner.request(_FIRST_WORDS, _FIRST_TOKENS, chance), limits)
        except EndpointError as error:
            changed = _without(manner, error)
            if changed is None:
                raise
            manner = changed


def _without(manner: Manner, error: EndpointError) -> Manner | None:
    """The manner to try next after ``error``; None where it has nothing to do with optional fields."""
    if error.kind != "rejected":
        return None
    if manner.limit != _NEW_LIMIT and _NEW_LIMIT in error.message:
        return replace(manner, limit=_NEW_LIMIT)
    named = [name for name in manner.extras if name in error.message]
    refused = named or ([manner.extras[0]] if manner.extras else [])
    if not refused:
        return None
    return replace(manner, extras=tuple(name for name in manner.extras if name not in refused))
