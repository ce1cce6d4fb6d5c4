"""What the chunks of a stream say: new text and reasoning, parts of tool calls, probabilities, and the end."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from phicli.engine.logprobs import LEAST, Likely
from phicli.engine.types import Timings

_UNKNOWN: Final = -9000.0
"""Less than this stands for a probability that is not known: OpenAI's clients and servers write -9999."""
_MOST_CALLS: Final = 256
_TIMES: Final = ("prompt_ms", "predicted_ms", "prompt_per_second", "predicted_per_second")
_MOST_MS: Final = 1e12
_HALF: Final = re.compile("[\ud800-\udfff]")
"""Half of a character, which JSON can spell and nobody can print."""


@dataclass(frozen=True, slots=True)
class CallPart:
    """A part of the tool call with this ``index``: what is added to its name and to its arguments, which are JSON.

    ``call_id`` is the id that the endpoint gives it, where the part has one.
    """

    index: int
    name: str = ""
    arguments: str = ""
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class Delta:
    """New text of the answer; ``at_s`` is when its bytes arrived.

    Attributes:
        text: of the answer.
        at_s: in seconds of :func:`time.perf_counter`.
        reasoning: text of the reasoning before the answer, where the endpoint keeps them apart.
        calls: parts of tool calls.
        likely: tokens with their probabilities, where these were asked for.
    """

    text: str
    at_s: float
    reasoning: str = ""
    calls: tuple[CallPart, ...] = ()
    likely: tuple[Likely, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """The last event. Token counts are None if the endpoint does not report them.

    Attributes:
        finish_reason: the endpoint's word; None where it has none.
        prompt_tokens: with ``cached_tokens`` among them.
        completion_tokens: with ``reasoning_tokens`` among them.
        cached_tokens: of the prompt; 0 where they are not reported.
        reasoning_tokens: of the answer; 0 where they are not reported.
        model: the name that the chunks have; empty where they have none.
        stop_text: the stop text that ended the answer, where the endpoint reports that.
        timings: of the engine, where the endpoint reports them.
    """

    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    model: str = ""
    stop_text: str | None = None
    timings: Timings | None = None


def timings_in(reported: Any) -> Timings | None:
    """The times of a generation in the field ``timings`` of llama-server; None where ``reported`` is anything else."""
    values = [reported.get(name) for name in _TIMES] if isinstance(reported, dict) else []
    times = [float(one) for one in values if isinstance(one, int | float) and 0 <= one < _MOST_MS]  # no NaN either
    if len(times) != len(_TIMES):
        return None
    prompt_ms, decode_ms, prompt_tps, decode_tps = times
    return Timings(prompt_ms, decode_ms, prompt_tps, decode_tps)


def text_in(delta: Mapping[str, Any], names: Sequence[str]) -> str:
    """The first of the fields ``names`` that has text; empty where none has."""
    return next((found for name in names if (found := _whole(delta.get(name)))), "")


def calls_in(listed: Any) -> tuple[CallPart, ...]:
    """The parts of tool calls in a delta; what makes no sense is left out.

    Arguments are text that is put together; Ollama's older versions send an object in one piece.
    """
    parts: list[CallPart] = []
    for at, one in enumerate(listed if isinstance(listed, list) else ()):
        function = one.get("function") if isinstance(one, dict) else None
        if not isinstance(function, dict):
            continue
        index, call_id = one.get("index"), one.get("id")
        place = index if isinstance(index, int) and 0 <= index < _MOST_CALLS else at
        name, arguments = function.get("name"), function.get("arguments")
        parts.append(
            CallPart(
                place,
                _whole(name),
                _as_text(arguments),
                _whole(call_id),
            )
        )
    return tuple(parts)


class LikelyReader:
    """Reads the probabilities of tokens; a character that several tokens spell is one token here, without numbers."""

    def __init__(self) -> None:
        self._bytes = b""

    def read(self, logprobs: Any) -> tuple[Likely, ...]:
        """The tokens that are complete with ``logprobs``, a field of a choice; it may be anything."""
        listed = logprobs.get("content") if isinstance(logprobs, dict) else None
        found: list[Likely] = []
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, dict) and isinstance(one.get("token"), str):
                found += self._token(one)
        return tuple(found)

    def _token(self, one: Mapping[str, Any]) -> list[Likely]:
        spelled = _bytes_of(one)
        if not self._bytes and (text := _decoded(spelled)) is not None:
            top = one.get("top_logprobs")
            likeliest = [_likely(each) for each in top if isinstance(each, dict)] if isinstance(top, list) else []
            return [Likely(text, None, _logarithm(one.get("logprob")), tuple(likeliest))]
        self._bytes += spelled
        whole = _decoded(self._bytes)
        if whole is None and len(self._bytes) < 4:
            return []
        text, self._bytes = whole or self._bytes.decode("utf-8", errors="replace"), b""
        return [Likely(text)]


def _likely(one: Mapping[str, Any]) -> Likely:
    text = _bytes_of(one).decode("utf-8", errors="replace")
    return Likely(text, None, _logarithm(one.get("logprob")))


def _bytes_of(one: Mapping[str, Any]) -> bytes:
    """What a token spells: its bytes where they are given, else its text."""
    listed, token = one.get("bytes"), one.get("token")
    if isinstance(listed, list) and all(isinstance(each, int) and 0 <= each < 256 for each in listed):
        return bytes(listed)
    return token.encode("utf-8", errors="replace") if isinstance(token, str) else b""


def _decoded(spelled: bytes) -> str | None:
    try:
        return spelled.decode()
    except UnicodeDecodeError:
        return None


def _logarithm(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _UNKNOWN < value < 1:  # no NaN either
        return None
    return min(max(float(value), LEAST), 0.0)


def _as_text(arguments: Any) -> str:
    return _whole(json.dumps(arguments, ensure_ascii=False) if isinstance(arguments, dict) else arguments)


def _whole(text: Any) -> str:
    """``text`` if it is one, without halves of characters."""
    return _HALF.sub("\ufffd", text) if isinstance(text, str) else ""
