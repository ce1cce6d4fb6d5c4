"""The schema that is sent to the engine: what llguidance can hold of a schema, with an end to everything.

llguidance ignores the words that it does not know (``"lenient": true``), and validation enforces them afterwards. Two
things are more than it can take: regular expressions with a look at what follows or a group again. And where a schema
sets no limit, a model can go on in one string or number until all tokens are used: so strings, numbers, arrays and
objects get limits here, wide ones.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from phicli.structured.subschemas import IN_LISTS, OF_NAMES, SINGLE, TYPES, all_schemas

USUAL_TOKENS: Final = 2048
"""Of an answer whose length nobody limited."""
IGNORED: Final = (
    "$dynamicRef", "$dynamicAnchor", "contains", "dependencies", "dependentRequired", "dependentSchemas", "else", "if",
    "maxContains", "minContains", "not", "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
    "uniqueItems",
)  # fmt: skip
"""Words that llguidance does not hold, so that validation alone enforces them."""
FORMATS: Final = {
    "date": 10, "date-time": 35, "duration": 30, "email": 80, "hostname": 63, "ipv4": 15, "ipv6": 45, "time": 24,
    "uuid": 36,
}  # fmt: skip
"""Formats that llguidance holds, and how many characters they get: a second has as many decimals as you like."""
_TOO_MUCH: Final = re.compile(r"\(\?(?:[=!>(]|<[=!]|P=)|\\[1-9]|(?<!\\)(?:[*+?}])\+|\\Z")
"""Of Python's regular expressions, what that of Rust lacks."""
_NAME_LENGTH: Final = 60
_ANY: Final = "phi-any-value"
_DEEPER: Final = {"$ref": f"#/$defs/{_ANY}"}
_MOST_DIGITS: Final = 18
_MOST_PLACES: Final = 9
_REQUEST: Final = {"whitespace_flexible": False, "lenient": True}
_COMBINES: Final = ("$ref", "anyOf", "oneOf", "allOf", "if", "dependentSchemas")
_OF_VALUES: Final = (
    "type",
    "properties",
    "required",
    "additionalProperties",
    "patternProperties",
    "items",
    "prefixItems",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a value gets that the schema gives no limit.

    Attributes:
        characters: of a string.
        digits: of an integer.
        places: of any other number, in front of the point and behind it.
        entries: of an array, or of an object with names that are not in the schema.
    """

    characters: int
    digits: int
    places: int
    entries: int


def limits_for(schema: Any, max_tokens: int | None) -> Limits:
    """Limits under which no single value can use up ``max_tokens``; None for the usual length."""
    tokens = max_tokens or USUAL_TOKENS
    unlimited = sum(bool(types_of(inner) & {"string", "number", "integer"}) for _, inner in all_schemas(schema))
    share = max(tokens // max(unlimited, 1), 1)
    return Limits(
        characters=max(2 * share, tokens // 2, 8),
        digits=min(max(share - 2, 1), _MOST_DIGITS),
        places=min(max((share - 4) // 2, 0), _MOST_PLACES),
        entries=max(share // 2, tokens // 8, 2),
    )


def json_schema_to_send(schema: Any, limits: Limits | None) -> str:
    """The JSON text of what is sent for ``schema``; without ``limits`` only what llguidance cannot take is left out."""
    sent = _Sender(limits, combines=_combines(schema)).made({} if schema is True else schema)
    text = json.dumps({**sent, "x-guidance": _REQUEST}, ensure_ascii=False)
    if limits is None or f"#/$defs/{_ANY}" not in text:
        return text
    shared = {**sent.get("$defs", {}), _ANY: _Sender(limits, combines=False).made({})}
    return json.dumps({**sent, "$defs": shared, "x-guidance": _REQUEST}, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class _Sender:
    """Makes the schemas that are sent.

    With ``combines`` a value may have to match several schemas at once. Then nothing is said about values that a schema
    does not mention: another one may mention them, and llguidance cannot combine schemas that lead back to themselves.
    """

    limits: Limits | None
    combines: bool

    def made(self, schema: Any) -> Any:
        """What is sent for ``schema``."""
        if not isinstance(schema, Mapping):
            return schema
        kept = {name: self._inner(name, value) for name, value in schema.items() if self._is_kept(name, value)}
        return kept if self.limits is None else self._limited(kept)

    def _is_kept(self, name: str, value: Any) -> bool:
        if name == "pattern":
            return not _TOO_MUCH.search(value)
        if name == "patternProperties":
            return not any(_TOO_MUCH.search(pattern) for pattern in value)
        return name not in IGNORED and (name != "format" or value in FORMATS) and name != "x-guidance"

    def _inner(self, name: str, value: Any) -> Any:
        if name in OF_NAMES and isinstance(value, Mapping):
            return {key: self.made(inner) for key, inner in value.items()}
        if name in (*IN_LISTS, "items") and isinstance(value, list):
            return [self.made(inner) for inner in value]
        return self.made(value) if name in (*SINGLE, "items") else value

    def _limited(self, schema: dict[str, Any]) -> dict[str, Any]:
        """``schema`` with limits where it has none; they say nothing about values of other types."""
        limits = self.limits
        assert limits is not None  # noqa: S101 (only called with some)
        types = types_of(schema)
        new: dict[str, Any] = {}
        if "string" in types and "maxLength" not in schema:
            longest = FORMATS.get(schema.get("format", ""), limits.characters)
            new["maxLength"] = max(longest, schema.get("minLength", 0))
        if "number" in types:
            new |= _of_numbers(schema, limits.places)
        elif "integer" in types:
            new |= _between(schema, 10**limits.digits - 1)
        if "array" in types:
            new |= _of_arrays(schema, limits, {} if self.combines else _DEEPER)
        if "object" in types and not self.combines:
            new |= _of_objects(schema, limits)
        return {**schema, **new}


def types_of(schema: Mapping[str, Any]) -> frozenset[str]:
    """The types of the values that ``schema`` itself describes, rather than the schemas inside it."""
    if "enum" in schema or "const" in schema:
        return frozenset()
    if "type" in schema:
        return frozenset([schema["type"]] if isinstance(schema["type"], str) else schema["type"])
    return frozenset() if any(word in schema for word in _COMBINES) else TYPES


def _of_numbers(schema: Mapping[str, Any], places: int) -> dict[str, Any]:
    decimals = {} if "multipleOf" in schema else {"multipleOf": float(f"1e-{places}")}
    return {**_between(schema, 10 ** max(places, 1) - 1), **decimals}


def _between(schema: Mapping[str, Any], size: int) -> dict[str, Any]:
    """A minimum and a maximum where ``schema`` has none, ``size`` away from zero or from the other one."""
    low, high = schema.get("minimum"), schema.get("maximum")
    low = schema.get("exclusiveMinimum") if low is None else low
    high = schema.get("exclusiveMaximum") if high is None else high
    new: dict[str, Any] = {}
    if low is None:
        new["minimum"] = -size if high is None else min(-size, math.floor(high) - size)
    if high is None:
        new["maximum"] = size if low is None else max(size, math.ceil(low) + size)
    return new


def _of_arrays(schema: Mapping[str, Any], limits: Limits, deeper: dict[str, Any]) -> dict[str, Any]:
    word = "additionalItems" if isinstance(schema.get("items"), list) else "items"
    new: dict[str, Any] = {} if word in schema or not deeper else {word: deeper}
    if "maxItems" not in schema:
        new["maxItems"] = max(limits.entries, schema.get("minItems", 0), len(schema.get("prefixItems", ())))
    return new


def _of_objects(schema: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """Names that are not in the schema get a length, or are not possible."""
    listed, required = schema.get("properties", {}), schema.get("required", ())
    others = schema.get("additionalProperties")
    if others is False or "patternProperties" in schema or any(len(name) > _NAME_LENGTH for name in required):
        return {}
    if others is None and listed and all(name in listed for name in required):
        return {"additionalProperties": False}
    least = schema.get("minProperties", 0)
    value = _DEEPER if others is None or others is True else others
    most = {} if listed or required or "maxProperties" in schema else {"maxProperties": max(limits.entries, least)}
    return {"patternProperties": {f"^.{{1,{_NAME_LENGTH}}}$": value}, "additionalProperties": False, **most}


def _combines(schema: Any) -> bool:
    """Whether a value may have to match several schemas at once, or ``#/$defs`` is not the same everywhere."""
    return any(
        "allOf" in inner
        or (any(word in inner for word in _COMBINES) and any(word in inner for word in _OF_VALUES))
        or (place and "$id" in inner)
        for place, inner in all_schemas(schema)
    )
