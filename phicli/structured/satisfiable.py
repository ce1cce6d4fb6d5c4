"""Schemas that no answer can match, as far as that is simple to see: before a model tries in vain.

For each schema inside a schema there is a set of types that a value of it can have. The sets begin empty and grow until
nothing changes; so a schema that needs another value of itself keeps none. What is not understood counts as possible.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from phicli.structured.limits import LARGEST, MOST_CHARACTERS, MOST_ENTRIES
from phicli.structured.subschemas import TYPES, Place, all_schemas

_ROUNDS: Final = 40
_OLD: Final = ("Draft4", "Draft6", "Draft7")
_COUNTS: Final = {
    "string": ("minLength", "maxLength", MOST_CHARACTERS, "characters"),
    "array": ("minItems", "maxItems", MOST_ENTRIES, "items"),
    "object": ("minProperties", "maxProperties", MOST_ENTRIES, "names"),
}
_NUMBERS: Final = frozenset({"number", "integer"})
_CONTRADICTS: Final = "it contradicts the rest of the schema"
_KINDS: Final = {str: "string", list: "array", dict: "object", bool: "boolean", type(None): "null", int: "integer"}


@dataclass(frozen=True, slots=True)
class _Reason:
    """Why values of ``types`` are impossible; ``inner`` is a schema that says more."""

    types: frozenset[str]
    word: Place
    text: str
    inner: Any = None


def why_impossible(schema: Any, kind: Any) -> tuple[Place, str] | None:
    """The place in ``schema`` and the reason, if no answer can match it; ``kind`` is the class of jsonschema for it."""
    places = {id(inner): place for place, inner in all_schemas(schema)}
    if kind.__name__.startswith("Draft3") or any(place and "$id" in inner for place, inner in all_schemas(schema)):
        return None  # types can be schemas, and references begin somewhere else there
    table = _Table(schema, kind)
    table.grow()
    if table.types(schema):
        return None
    inner, seen = schema, set[int]()
    while True:
        seen.add(id(inner))
        reason = _best(table.reasons(inner), _declared(inner))
        place = (*places[id(inner)], *reason.word)
        if reason.inner is None or table.types(reason.inner):
            return place, reason.text
        if reason.inner is False:
            return place, "no answer can match false"
        if id(reason.inner) in seen:
            return place, "it refers to itself without an end"
        inner = reason.inner


def _best(reasons: Iterator[_Reason], declared: frozenset[str]) -> _Reason:
    """The reason that excludes most of the types that a schema declares."""
    return max(reasons, key=lambda reason: len(reason.types & declared))


def _declared(schema: Mapping[str, Any]) -> frozenset[str]:
    if "type" not in schema:
        return TYPES
    names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return frozenset(names) | ({"integer"} if "number" in names else frozenset())


class _Table:
    """The types that values of each schema inside ``root`` can have."""

    def __init__(self, root: Any, kind: Any) -> None:
        from jsonschema.validators import SPECIFICATIONS

        self._root, self._is_old = root, kind.__name__.removesuffix("Validator") in _OLD
        self._validator = kind(root, registry=SPECIFICATIONS)
        self._schemas = [inner for _, inner in all_schemas(root)]
        self._types = {id(inner): frozenset[str]() for inner in self._schemas}
        self._right: dict[int, bool] = {}

    def grow(self) -> None:
        """Fill the table; it says that everything is possible where that takes too long."""
        for turn in range(_ROUNDS):
            changed = False
            for inner in self._schemas[:: 1 if turn % 2 else -1]:
                dead = frozenset[str]().union(*(reason.types for reason in self.reasons(inner)))
                if TYPES - dead != self._types[id(inner)]:
                    self._types[id(inner)], changed = TYPES - dead, True
            if not changed:
                return
        self._types = dict.fromkeys(self._types, TYPES)

    def types(self, schema: Any) -> frozenset[str]:
        """The types that are known to be possible."""
        if isinstance(schema, Mapping):
            return self._types.get(id(schema), TYPES)
        return frozenset() if schema is False else TYPES

    def reasons(self, schema: Mapping[str, Any]) -> Iterator[_Reason]:
        """Why some types are impossible."""
        if isinstance(schema.get("$ref"), str):
            target = self._target(schema["$ref"])
            yield _Reason(TYPES - self.types(target), ("$ref",), _CONTRADICTS, target)
            if self._is_old:
                return
        yield from self._of_lists(schema)
        yield from self._of_values(schema)
        yield _Reason(TYPES - _declared(schema), ("type",), _CONTRADICTS)
        yield from _of_numbers(schema)
        yield from _of_counts(schema)
        yield from self._of_items(schema)
        yield from self._of_names(schema)

    def _target(self, reference: str) -> Any:
        target = self._root
        for written in reference.split("/")[1:] if reference.startswith("#/") else ():
            step = written.replace("~1", "/").replace("~0", "~")
            if not isinstance(target, list | Mapping):
                return True
            target = target[int(step)] if isinstance(target, list) and step.isdigit() else dict(target).get(step, True)
        return target if reference == "#" or reference.startswith("#/") else True

    def _of_lists(self, schema: Mapping[str, Any]) -> Iterator[_Reason]:
        for index, inner in enumerate(schema.get("allOf", ())):
            yield _Reason(TYPES - self.types(inner), ("allOf", index), _CONTRADICTS, inner)
        for word in ("anyOf", "oneOf"):
            if schema.get(word):
                possible = frozenset[str]().union(*map(self.types, schema[word]))
                yield _Reason(TYPES - possible, (word, 0), _CONTRADICTS, schema[word][0])

    def _of_values(self, schema: Mapping[str, Any]) -> Iterator[_Reason]:
        """All values of an enum, or the only one, can be wrong by the other words."""
        word = "const" if "const" in schema else "enum"
        values = [schema["const"]] if word == "const" else schema.get("enum")
        if values is None:
            return
        if id(schema) not in self._right:
            self._right[id(schema)] = any(self._is_right(schema, value) for value in values)
        if not self._right[id(schema)]:
            text = _CONTRADICTS if values else "it is empty"
            yield _Reason(TYPES, (word,), text)
        elif all(type(value) in _KINDS for value in values):
            yield _Reason(TYPES - {_KINDS[type(value)] for value in values}, (word,), _CONTRADICTS)

    def _is_right(self, schema: Mapping[str, Any], value: Any) -> bool:
        try:
            return bool(self._validator.evolve(schema=schema).is_valid(value))
        except (RecursionError, OverflowError):
            return True

    def _of_items(self, schema: Mapping[str, Any]) -> Iterator[_Reason]:
        """Items that an array must have."""
        listed = "prefixItems" if isinstance(schema.get("prefixItems"), list) else "items"
        first = schema[listed] if isinstance(schema.get(listed), list) else []
        least = schema.get("minItems", 0)
        for index, inner in enumerate(first[: int(min(least, len(first)))]):
            if not self.types(inner):
                yield _Reason(frozenset({"array"}), (listed, index), "", inner)
        rest = "additionalItems" if first and listed == "items" else "items"
        if least > len(first) and not self.types(schema.get(rest, True)):
            yield _Reason(frozenset({"array"}), (rest,), "", schema[rest])

    def _of_names(self, schema: Mapping[str, Any]) -> Iterator[_Reason]:
        """Names that an object must have."""
        required, listed = schema.get("required", ()), schema.get("properties", {})
        is_closed = schema.get("additionalProperties") is False and not schema.get("patternProperties")
        for name in required:
            if name in listed and not self.types(listed[name]):
                yield _Reason(frozenset({"object"}), ("properties", name), "", listed[name])
            elif name not in listed and is_closed:
                text = f"{name!r} is required, but additionalProperties does not allow it"
                yield _Reason(frozenset({"object"}), ("required",), text)
        least, most = schema.get("minProperties", 0), schema.get("maxProperties", math.inf)
        if len(set(required)) > most:
            yield _Reason(frozenset({"object"}), ("maxProperties",), f"{len(set(required))} names are required")
        if is_closed and least > len(listed):
            text = f"it is {least}, but only {len(listed)} names are allowed"
            yield _Reason(frozenset({"object"}), ("minProperties",), text)


def _of_counts(schema: Mapping[str, Any]) -> Iterator[_Reason]:
    for name, (low, high, most, unit) in _COUNTS.items():
        least = schema.get(low, 0)
        if least > schema.get(high, math.inf):
            yield _Reason(frozenset({name}), (low,), f"it is {least}, but {high} is {schema[high]}")
        elif least > most:
            yield _Reason(frozenset({name}), (low,), f"it is {least}, but an answer has at most {most} {unit}")


def _of_numbers(schema: Mapping[str, Any]) -> Iterator[_Reason]:
    """Numbers between two limits, of which there may be none."""
    lows, highs = (
        list(_bounds(schema, "minimum", "exclusiveMinimum")),
        list(_bounds(schema, "maximum", "exclusiveMaximum")),
    )
    far = [word for word, bound, _ in lows if bound > LARGEST] + [word for word, bound, _ in highs if bound < -LARGEST]
    if far:
        text = f"it is {schema[far[0]]}, but the engine can only generate numbers from -{LARGEST} to {LARGEST}"
        yield _Reason(_NUMBERS, (far[0],), text)
    if not lows or not highs:
        return
    low, high = max(lows, key=lambda one: (one[1], one[2])), min(highs, key=lambda one: (one[1], not one[2]))
    text = f"it is {schema[low[0]]}, but {high[0]} is {schema[high[0]]}"
    if low[1] > high[1] or (low[1] == high[1] and (low[2] or high[2])):
        yield _Reason(_NUMBERS, (low[0],), text)
        return
    step = schema.get("multipleOf")
    if step and not _has_multiple(low, high, Fraction(str(step))):
        yield _Reason(_NUMBERS, ("multipleOf",), f"there is no multiple of {step} within the limits")
    elif not _has_multiple(low, high, Fraction(1)):
        yield _Reason(frozenset({"integer"}), (low[0],), f"{text}: there is no integer between them")


_Bound = tuple[str, Fraction, bool]


def _bounds(schema: Mapping[str, Any], word: str, exclusive: str) -> Iterator[_Bound]:
    """The limits on one side: the word, the number and whether the number itself is excluded."""
    if word in schema:
        yield word, Fraction(str(schema[word])), schema.get(exclusive) is True
    if exclusive in schema and not isinstance(schema[exclusive], bool):
        yield exclusive, Fraction(str(schema[exclusive])), True


def _has_multiple(low: _Bound, high: _Bound, step: Fraction) -> bool:
    first = math.ceil(low[1] / step)
    if low[2] and first * step == low[1]:
        first += 1
    return first * step < high[1] or (first * step == high[1] and not high[2])
