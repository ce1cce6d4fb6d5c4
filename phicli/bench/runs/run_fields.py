"""What each field of a run in a file has to be: files are written by hand, cut, merged and converted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from phicli.engine.settings import FIELDS
from phicli.records.workload_texts import TEXTS

_MOST_TOKENS: Final = 1 << 31
_MOST_BYTES: Final = 1 << 60
_MOST_COUNT: Final = 1 << 20
_SHORTEST_MS: Final = 1e-6
_LONGEST_MS: Final = 1e12
"""A nanosecond and three decades: with times beyond, rates and their ratios are no longer numbers."""

_MOST_NUMBER: Final = 1e15
_SHOWN: Final = 60
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ValueKind:
    """What a field has to be: in ``words``, and as a test. ``needed`` is False where it may be missing."""

    words: str
    test: Callable[[Any], bool]
    needed: bool = True


def flaws(data: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each field of the run ``data`` (as :meth:`~phicli.records.run.Run.to_data` has it) that is missing
    or is not what it has to be, such as ``load_ms is Infinity; it has to be a number of milliseconds, at least 0``."""
    yield from _flaws(data, _RUN, "")
    for name, kinds in (("settings", _SETTINGS), ("hardware", _HARDWARE)):
        if isinstance(data.get(name), dict):
            yield from _flaws(data[name], kinds, f"{name}.")
    for name, word, kinds in (("samples", "sample", _SAMPLE), ("adapters", "adapter", _ADAPTER)):
        rows = data.get(name)
        for place, row in enumerate(rows if isinstance(rows, list) else (), start=1):
            if isinstance(row, dict):
                yield from _flaws(row, kinds, f"{word} {place}: ")
    if data.get("prompt_tokens") == data.get("generated_tokens") == 0:
        yield "prompt_tokens and generated_tokens are both 0; one of them must be above 0"


def _flaws(data: Mapping[str, Any], kinds: Mapping[str, ValueKind], before: str) -> Iterator[str]:
    for name, kind in kinds.items():
        if name in data and not kind.test(data[name]):
            yield f"{before}{name} is {_shown(data[name])}; it must be {kind.words}"
        elif name not in data and kind.needed:
            yield f"{before}{name} is missing; it must be {kind.words}"


def _shown(value: Any) -> str:
    """``value`` as JSON has it, the beginning of it where it is long."""
    if isinstance(value, (dict, list)):
        return f"{'an object' if isinstance(value, dict) else 'a list'} with {len(value)} values"
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _or_null(kind: ValueKind) -> ValueKind:
    return ValueKind(f"{kind.words}, or null", lambda value: value is None or kind.test(value), needed=False)


def _optional(kind: ValueKind) -> ValueKind:
    return replace(kind, needed=False)


def _whole(least: int, most: int, words: str = "") -> ValueKind:
    def test(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most

    return ValueKind(words or f"a whole number from {least:,} to {most:,}", test)


def _number(words: str, least: float, most: float) -> ValueKind:
    def test(value: Any) -> bool:  # nothing is true of NaN
        return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most

    return ValueKind(words, test)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_TEXT: Final = ValueKind("a non-empty string", _is_text)
_ANY_TEXT: Final = ValueKind("a string", lambda value: isinstance(value, str))
_TEXTS: Final = ValueKind("a list of strings", _are_texts)
_OBJECT: Final = ValueKind("an object", lambda value: isinstance(value, dict))
_FLAG: Final = ValueKind("true or false", lambda value: isinstance(value, bool))
_TOKENS: Final = _whole(0, _MOST_TOKENS)
_BYTES: Final = _whole(0, _MOST_BYTES, "a whole number of bytes, from 0 to one exbibyte")
_COUNT: Final = _whole(1, _MOST_COUNT)
_SINCE_0_MS: Final = _number("a number of milliseconds, at least 0", 0.0, _LONGEST_MS)
_TIME: Final = _or_null(_number("a number of milliseconds above 0", _SHORTEST_MS, _LONGEST_MS))
_AMOUNT: Final = _or_null(_number("a number of at least 0", 0.0, _MOST_NUMBER))
_HASH: Final = ValueKind(
    "64 lower-case hexadecimal digits", lambda value: isinstance(value, str) and bool(_SHA256.fullmatch(value))
)

_OBJECTS: Final = ValueKind(
    "a list of objects", lambda value: isinstance(value, list) and all(isinstance(one, dict) for one in value)
)

_RUN: Final[Mapping[str, ValueKind]] = {
    "run_id": _TEXT,
    "made_at": _TEXT,
    "model": _TEXT,
    "quant": replace(_or_null(_TEXT), needed=True),
    "variant_id": _or_null(_TEXT),
    "path": _TEXT,
    "size_bytes": _BYTES,
    "sha256": _or_null(_HASH),
    "engine": _TEXT,
    "build": _ANY_TEXT,
    "settings": _OBJECT,
    "context_tokens": _TOKENS,
    "prompt_tokens": _TOKENS,
    "generated_tokens": _TOKENS,
    "depth_tokens": _TOKENS,
    "text": _or_null(ValueKind(f"one of {', '.join(TEXTS)}", lambda value: value in tuple(TEXTS))),
    "adapters": _optional(_OBJECTS),
    "samples": _OBJECTS,
    "load_ms": _SINCE_0_MS,
    "cold_ttft_ms": _or_null(_SINCE_0_MS),
    "peak_rss_bytes": _or_null(_BYTES),
    "peak_anonymous_bytes": _or_null(_BYTES),
    "hardware": _OBJECT,
    "load_average": _AMOUNT,
    "warnings": _optional(_TEXTS),
    "complete": _optional(_FLAG),
    "repeat": _optional(_COUNT),
    "schedule": _optional(_ANY_TEXT),
    "others_busy_cores": _AMOUNT,
    "energy_source": _or_null(_ANY_TEXT),
    "weights_bytes": _or_null(_BYTES),
    "device": _or_null(_ANY_TEXT),
    "equal_answers": _or_null(_TOKENS),
    "compared_answers": _or_null(_TOKENS),
}
_SETTINGS: Final[Mapping[str, ValueKind]] = {
    name: ValueKind(field.kind.words, field.kind.allows, needed=field.default is None) for name, field in FIELDS.items()
}
_HARDWARE: Final[Mapping[str, ValueKind]] = {
    "cpu": _or_null(_ANY_TEXT),
    "physical_cores": _or_null(_COUNT),
    "threads": _or_null(_COUNT),
    "gpus": _or_null(_TEXTS),
}
_ADAPTER: Final[Mapping[str, ValueKind]] = {
    "name": _TEXT,
    "path": _TEXT,
    "scale": _number("a number from -100 to 100", -100.0, 100.0),
    "size_bytes": _BYTES,
    "sha256": _HASH,
}
_SAMPLE: Final[Mapping[str, ValueKind]] = {
    "prompt_ms": _TIME,
    "decode_ms": _TIME,
    "ttft_ms": _TIME,
    "energy_j": _AMOUNT,
    "draft_tokens": _or_null(_TOKENS),
    "accepted_tokens": _or_null(_TOKENS),
    "answer_sha256": _or_null(_HASH),
}
