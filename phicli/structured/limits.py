"""An end to every value: limits where a schema has none, and limits that the engine can hold where it has others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from phicli.structured.subschemas import TYPES, all_schemas

USUAL_TOKENS: Final = 2048
"""Of an answer whose length nobody limited."""
FORMATS: Final = {
    "date": 10, "date-time": 35, "duration": 30, "email": 80, "hostname": 63, "ipv4": 15, "ipv6": 45, "time": 24,
    "uuid": 36,
}  # fmt: skip
"""Formats that llguidance holds, and how many characters they get: a second has as many decimals as you like."""
MARK: Final = "phi-limits"
"""The word with which a schema notes the limits that are not its own."""
LARGEST: Final = 2**63 - 1024
"""Of a limit of numbers: llguidance computes with 64-bit floats and integers."""
MOST_ENTRIES: Final = 10_000
"""Of an array or an object: a grammar for more takes long."""
MOST_CHARACTERS: Final = 1_000_000
"""Of a string that a schema can require: more than any context holds."""
COMBINES: Final = ("$ref", "anyOf", "oneOf", "allOf", "if", "dependentSchemas")
NAME_LENGTH: Final = 60
_OPEN_FORMATS: Final = ("duration", "email", "hostname")
"""Those whose texts can be longer than what they get."""
_MOST_DIGITS: Final = 18
_MOST_WHOLE_DIGITS: Final = 15
_MOST_PLACES: Final = 9
_COUNTS: Final = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_BOUNDS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a value gets that the schema gives no limit.

    Attributes:
        characters: of a string.
        digits: of an integer.
        whole_digits: of any other number, in front of the point.
        places: of such a number, behind the point.
        entries: of an array, or of an object with names that are not in the schema.
    """

    characters: int
    digits: int
    whole_digits: int
    places: int
    entries: int


def limits_for(schema: Any, max_tokens: int | None) -> Limits:
    """Limits under which no single value can use up ``max_tokens``; None for the usual length."""
    tokens = max_tokens or USUAL_TOKENS
    unlimited = sum(bool(types_of(inner) & {"string", "number", "integer"}) for _, inner in all_schemas(schema))
    share = max(tokens // max(unlimited, 1), 1)
    places = min(max((share - 4) // 2, 0), _MOST_PLACES)
    return Limits(
        characters=max(2 * share, tokens // 2, 8),
        digits=min(max(share - 2, 1), _MOST_DIGITS),
        whole_digits=min(max(share - places - 4, 1), _MOST_WHOLE_DIGITS),
        places=places,
        entries=max(share // 2, tokens // 8, 2),
    )


def types_of(schema: Mapping[str, Any]) -> frozenset[str]:
    """The types of the values that ``schema`` itself describes, rather than the schemas inside it."""
    if "enum" in schema or "const" in schema:
        return frozenset()
    if "type" in schema:
        return frozenset([schema["type"]] if isinstance(schema["type"], str) else schema["type"])
    return frozenset() if any(word in schema for word in COMBINES) else TYPES


def holdable(schema: dict[str, Any]) -> dict[str, Any]:
    """``schema`` with its own limits as the engine can hold them: whole numbers, none of them too large."""
    held = dict(schema)
    for word in _COUNTS:
        if word in schema:
            most = MOST_ENTRIES if word in ("maxItems", "maxProperties") else 1000 * MOST_CHARACTERS
            held[word] = int(min(schema[word], most))
    for word in _BOUNDS:
        if word in schema and not isinstance(schema[word], bool):
            held[word] = min(max(schema[word], -LARGEST), LARGEST)
    return held


def of_strings(schema: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """The limit of strings that ``schema`` has none for."""
    if "maxLength" in schema:
        return {}
    longest = FORMATS.get(schema.get("format", ""), limits.characters)
    return {"maxLength": max(longest, 2 * schema.get("minLength", 0))}


def of_numbers(schema: Mapping[str, Any], limits: Limits, *, whole: bool) -> dict[str, Any]:
    """The limits of numbers, or of ``whole`` ones, that ``schema`` has none for."""
    if whole:
        return _between(schema, limits.digits)
    decimals = {} if "multipleOf" in schema else {"multipleOf": float(f"1e-{limits.places}")}
    return {**_between(schema, limits.whole_digits), **decimals}


def of_arrays(schema: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """The limit of arrays that ``schema`` has none for, or one that tokens cannot reach."""
    least = max(2 * schema.get("minItems", 0), len(schema.get("prefixItems", ())))
    most = min(max(8 * limits.entries, least), MOST_ENTRIES)
    if "maxItems" in schema:
        return {} if schema["maxItems"] < most else {"maxItems": most}
    return {"maxItems": min(max(limits.entries, least), MOST_ENTRIES)}


def marks(schema: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """What an answer must not reach of the ``new`` words beside those of ``schema``: there it was cut off.

    Limits of formats whose texts are shorter are none, nor are limits with the digits of the schema's own.
    """
    words = {word: new[word] for word in ("maxItems", "maxProperties") if word in new}
    if "maxLength" in new and (schema.get("format") not in FORMATS or schema["format"] in _OPEN_FORMATS):
        words["maxLength"] = new["maxLength"]
    low, high = _own_bounds(schema)
    digits = {"maximum": _digits(new.get("maximum", high), 1), "minimum": _digits(new.get("minimum", low), -1)}
    for word, own, sign in (("maximum", high, 1), ("minimum", low, -1)):
        other = _digits(low if sign > 0 else high, sign)
        ours = word in new or (own is not None and abs(own) >= LARGEST)
        if ours and digits[word] and digits[word] != other:
            words[word] = digits[word]
    if "multipleOf" in new:
        words["places"] = round(-math.log10(new["multipleOf"]))
    if "patternProperties" in new:
        words["names"] = NAME_LENGTH
    return words


def _digits(bound: float | None, sign: int) -> int:
    """The digits of the whole part of a bound on one side of zero; 0 for none."""
    return 0 if bound is None or bound * sign < 1 else len(str(int(min(abs(bound), LARGEST))))


def _own_bounds(schema: Mapping[str, Any]) -> tuple[Any, Any]:
    low, high = schema.get("minimum"), schema.get("maximum")
    return schema.get("exclusiveMinimum") if low is None else low, (
        schema.get("exclusiveMaximum") if high is None else high
    )


def _between(schema: Mapping[str, Any], digits: int) -> dict[str, Any]:
    """A minimum and a maximum where ``schema`` has none: so many digits, or two more than the other one."""
    low, high = _own_bounds(schema)
    new: dict[str, Any] = {}
    if low is None:
        new["minimum"] = -min(_nines(max(digits, _digits(high, -1) + 2 if _digits(high, -1) else 0)), LARGEST)
    if high is None:
        new["maximum"] = min(_nines(max(digits, _digits(low, 1) + 2 if _digits(low, 1) else 0)), LARGEST)
    return new


def _nines(digits: int) -> int:
    return int(10**digits - 1)
