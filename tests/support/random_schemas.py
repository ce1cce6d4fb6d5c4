"""JSON Schemas of every kind, valid ones, as hypothesis makes them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

PATTERNS = ("^[a-z]+$", "[0-9]", "^\\d{3}-\\d{4}$", "(?=a)ab?", "^(a|b)\\1$", "é|[^a]", "^$", "^.{2,5}$")
FORMATS = ("date", "date-time", "email", "uuid", "ipv4", "uri", "path", "hostname", "nothing-known")
_NAMES = st.sampled_from(("a", "b", "c", "name", "é", "x y", ""))
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-100, 100) | st.sampled_from((0.5, -1.25, "a", "", "é\n")),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_NAMES, inner, max_size=2),
    max_leaves=3,
)
_SMALL = st.integers(0, 4)


def _with(**words: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=words)


def _leaves() -> st.SearchStrategy[Any]:
    numbers = _with(
        minimum=st.integers(-20, 20), maximum=st.integers(-5, 200), multipleOf=st.sampled_from((1, 3, 0.5, 7)),
        exclusiveMinimum=st.integers(-20, 20), exclusiveMaximum=st.integers(0, 300),
    )  # fmt: skip
    strings = _with(minLength=_SMALL, maxLength=st.integers(0, 9), pattern=st.sampled_from(PATTERNS),
                    format=st.sampled_from(FORMATS))  # fmt: skip
    typed = st.sampled_from(("string", "integer", "number", "boolean", "null"))
    return (
        st.booleans()
        | st.builds(lambda value: {"const": value}, _VALUES)
        | st.builds(lambda values: {"enum": values}, st.lists(_VALUES, min_size=1, max_size=4))
        | st.builds(lambda kind, words: {"type": kind, **words}, typed, numbers)
        | st.builds(lambda words: {"type": "string", **words}, strings)
        | st.builds(lambda kinds: {"type": kinds}, st.lists(typed, min_size=1, max_size=3, unique=True))
    )


def _around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    by_name = st.dictionaries(_NAMES, inner, max_size=3)
    objects = _with(
        properties=by_name, required=st.lists(_NAMES, max_size=2, unique=True), additionalProperties=inner,
        patternProperties=st.dictionaries(st.sampled_from(PATTERNS), inner, max_size=1), minProperties=_SMALL,
        maxProperties=_SMALL, propertyNames=inner, unevaluatedProperties=inner,
        dependentRequired=st.dictionaries(_NAMES, st.lists(_NAMES, max_size=1), max_size=1),
        dependentSchemas=st.dictionaries(_NAMES, inner, max_size=1),
    )  # fmt: skip
    arrays = _with(
        items=inner, prefixItems=several, minItems=_SMALL, maxItems=_SMALL, uniqueItems=st.booleans(), contains=inner,
        minContains=_SMALL, unevaluatedItems=inner,
    )  # fmt: skip
    combined = _with(anyOf=several, oneOf=several, allOf=several) | st.builds(lambda one: {"not": one}, inner)
    conditions = st.builds(lambda a, b, c: {"if": a, "then": b, "else": c}, inner, inner, inner)
    return (
        st.builds(lambda words: {"type": "object", **words}, objects)
        | st.builds(lambda words: {"type": "array", **words}, arrays)
        | st.builds(lambda *parts: {word: value for part in parts for word, value in part.items()}, objects, combined)
        | combined
        | conditions
        | st.builds(lambda one: {"properties": {"again": {"$ref": "#/$defs/it"}}, "$defs": {"it": one}}, inner)
    )


def schemas() -> st.SearchStrategy[Any]:
    """Schemas with up to six schemas inside; many of them contradict themselves."""
    return st.recursive(_leaves(), _around, max_leaves=6)
