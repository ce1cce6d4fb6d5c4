"""The schema that is sent to the engine: what llguidance can hold of a schema, with an end to everything.

llguidance ignores the words that it does not know (``"lenient": true``), and validation enforces them afterwards. Two
things are more than it can take: regular expressions with a look at what follows or a group again. And where a schema
sets no limit, a model can go on in one string or number until all tokens are used: so strings, numbers, arrays and
objects get limits here, wide ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from phicli.structured.dialect import different, lacking
from phicli.structured.limits import (
    COMBINES,
    FORMATS,
    MARK,
    NAME_LENGTH,
    Limits,
    holdable,
    marks,
    of_arrays,
    of_numbers,
    of_strings,
    types_of,
)
from phicli.structured.subschemas import IN_LISTS, OF_NAMES, SINGLE, all_schemas

IGNORED: Final = (
    "$dynamicRef", "$dynamicAnchor", "contains", "dependencies", "dependentRequired", "dependentSchemas", "else", "if",
    "maxContains", "minContains", "not", "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
    "uniqueItems",
)  # fmt: skip
"""Words that llguidance does not hold, so that validation alone enforces them."""
_ANY: Final = "phi-any-value"
_DEEPER: Final = {"$ref": f"#/$defs/{_ANY}"}
_REQUEST: Final = {"whitespace_flexible": False, "lenient": True}
_OF_VALUES: Final = (
    "type",
    "properties",
    "required",
    "additionalProperties",
    "patternProperties",
    "items",
    "prefixItems",
)


def json_schema_to_send(schema: Any, limits: Limits | None) -> str:
    """The JSON text of what is sent for ``schema``; without ``limits`` only what llguidance cannot take is left out."""
    return json.dumps({**_sent(schema, limits, marked=False), "x-guidance": _REQUEST}, ensure_ascii=False)


def marked_schema(schema: Any, limits: Limits) -> dict[str, Any]:
    """What is sent for ``schema``, where the word ``MARK`` has the limits instead, and no dialect is named."""
    return _sent(schema, limits, marked=True)


def _sent(schema: Any, limits: Limits | None, *, marked: bool) -> dict[str, Any]:
    sent: dict[str, Any] = _Sender(limits, _combines(schema), marked).made({} if schema is True else schema)
    if limits is None or f"#/$defs/{_ANY}" not in json.dumps(sent):
        return sent
    return {**sent, "$defs": {**sent.get("$defs", {}), _ANY: _Sender(limits, False, marked).made({})}}


@dataclass(frozen=True, slots=True)
class _Sender:
    """Makes the schemas that are sent.

    With ``combines`` a value may have to match several schemas at once. Then nothing is said about values that a schema
    does not mention: another one may mention them, and llguidance cannot combine schemas that lead back to themselves.
    With ``marked`` limits are noted instead.
    """

    limits: Limits | None
    combines: bool
    marked: bool

    def made(self, schema: Any) -> Any:
        """What is sent for ``schema``."""
        if not isinstance(schema, Mapping):
            return schema
        kept = {name: self._inner(name, value) for name, value in schema.items() if self._is_kept(name, value)}
        kept = holdable(kept)
        if self.limits is None:
            return kept
        structure, new = self._structure(kept), self._new(kept, self.limits)
        return (
            {**kept, **structure, MARK: marks(schema, {**structure, **new})}
            if self.marked
            else {**kept, **structure, **new}
        )

    def _is_kept(self, name: str, value: Any) -> bool:
        if name == "pattern":
            return _is_held(value)
        if name == "patternProperties":
            return all(map(_is_held, value))
        if self.marked and name == "$schema":
            return False
        return name not in IGNORED and (name != "format" or value in FORMATS) and name != "x-guidance"

    def _inner(self, name: str, value: Any) -> Any:
        if name in OF_NAMES and isinstance(value, Mapping):
            return {key: self.made(inner) for key, inner in value.items()}
        if name in (*IN_LISTS, "items") and isinstance(value, list):
            return [self.made(inner) for inner in value]
        return self.made(value) if name in (*SINGLE, "items") else value

    def _new(self, schema: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
        """Limits where ``schema`` has none; they say nothing about values of other types."""
        types, new = types_of(schema), dict[str, Any]()
        if "string" in types:
            new |= of_strings(schema, limits)
        if {"number", "integer"} & types:
            new |= of_numbers(schema, limits, whole="number" not in types)
        if "array" in types:
            new |= of_arrays(schema, limits)
        if "object" in types and not self.combines:
            new |= _most_names(schema, limits)
        return new

    def _structure(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """What is said about values that ``schema`` does not mention."""
        types, new = types_of(schema), dict[str, Any]()
        if self.combines:
            return new
        word = "additionalItems" if isinstance(schema.get("items"), list) else "items"
        if "array" in types and word not in schema:
            new[word] = _DEEPER
        return new | (_of_objects(schema) if "object" in types else {})


def _is_held(pattern: str) -> bool:
    return not (lacking(pattern) or different(pattern))


def _of_objects(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Names that are not in the schema get a length, or are not possible."""
    listed, required = schema.get("properties", {}), schema.get("required", ())
    others = schema.get("additionalProperties")
    if others is False or "patternProperties" in schema or any(len(name) > NAME_LENGTH for name in required):
        return {}
    if others is None and listed and all(name in listed for name in required):
        return {"additionalProperties": False}
    value = _DEEPER if others is None or others is True else others
    return {"patternProperties": {f"^.{{1,{NAME_LENGTH}}}$": value}, "additionalProperties": False}


def _most_names(schema: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    if "patternProperties" not in _of_objects(schema) or any(
        schema.get(word) for word in ("properties", "required", "maxProperties")
    ):
        return {}
    return {"maxProperties": max(limits.entries, 2 * schema.get("minProperties", 0))}


def _combines(schema: Any) -> bool:
    """Whether a value may have to match several schemas at once, or ``#/$defs`` is not the same everywhere."""
    return any(
        "allOf" in inner
        or (any(word in inner for word in COMBINES) and any(word in inner for word in _OF_VALUES))
        or (place and "$id" in inner)
        for place, inner in all_schemas(schema)
    )
