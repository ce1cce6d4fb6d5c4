"""Whether a schema is a schema, and where it is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from phicli.errors import UsageError
from phicli.structured.dialect import compiled
from phicli.structured.patterns import guard_jsonschema, time_for_searches
from phicli.structured.satisfiable import why_impossible
from phicli.structured.subschemas import NOTES, TYPES, WORDS, Place, all_schemas, pointer, subschemas

_HINT = "see https://json-schema.org for what a schema can say"


def check_schema(schema: Any) -> Any:
    """The class of jsonschema that validates against ``schema``, which is one, and which an answer can match.

    Raises:
        UsageError: it is not, or none can; the message has the place.
    """
    import jsonschema
    from jsonschema.validators import validator_for

    guard_jsonschema()
    dialect = schema.get("$schema") if isinstance(schema, Mapping) else None
    if dialect is not None and not isinstance(dialect, str):
        raise _wrong(("$schema",), "it is not a string")
    kind = validator_for(schema, default=None) if dialect is not None else jsonschema.Draft202012Validator
    if kind is None:
        raise _wrong(("$schema",), f"{dialect!r} is unknown; leave it out for JSON Schema 2020-12")
    _require_words(schema)
    for place, problem in _bad_patterns(schema):
        raise _wrong(place, problem)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise _wrong(tuple(error.path), _problem(error)) from None
    except RecursionError:
        raise UsageError("the schema is nested too deeply", "use a schema with fewer levels") from None
    if schema is False:
        raise _wrong((), "no answer can match false")
    for place, problem in _bad_references(schema):
        raise _wrong(place, problem)
    with time_for_searches():
        impossible = why_impossible(schema, kind)
    if impossible:
        where = pointer(impossible[0])
        raise UsageError(f"no answer can match the schema at {where}: {impossible[1]}", "correct the schema there")
    return kind


def _require_words(schema: Any) -> None:
    """Return if ``schema``, and each schema in it that has keys, has a word of JSON Schema among them.

    Raises:
        UsageError: one has none, so that it would allow everything; or it is what other programs wrap a schema in.
    """
    if way := _wrapped(schema):
        raise UsageError(
            f"the schema is not at the top, but at {pointer(way)}",
            f"use only that part: jq .{'.'.join(way)} FILE > schema.json",
        )
    for place, inner in all_schemas(schema):
        others = [name for name in inner if name not in NOTES and not str(name).startswith("x-")]
        if others and not WORDS.intersection(others):
            raise UsageError(
                f"the schema is wrong at {pointer(place)}: no key is a word of JSON Schema: "
                f"{shortened(', '.join(others))}",
                """write e.g. {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}""",
            )


def _wrapped(schema: Any) -> tuple[str, ...]:
    """The way to the schema in what other programs wrap it in: a name beside it, or the format of a reply."""
    if not isinstance(schema, Mapping):
        return ()
    if isinstance(schema.get("json_schema"), Mapping):
        inner = schema["json_schema"]
        return ("json_schema", "schema") if isinstance(inner.get("schema"), Mapping) else ("json_schema",)
    keys = [key for key in ("schema", "parameters") if "name" in schema and isinstance(schema.get(key), Mapping)]
    return tuple(keys[:1])


def _problem(error: Any) -> str:
    """What the metaschema has against a value; its own words for a type name the metaschema rather than the types."""
    if error.path and error.path[-1] == "type" and isinstance(error.instance, str):
        return f"unknown type: {shortened(repr(error.instance))}; the types are {', '.join(sorted(TYPES))}"
    return shortened(str(error.message))


def _bad_patterns(schema: Any) -> Iterator[tuple[Place, str]]:
    """Regular expressions that cannot be compiled; jsonschema's own check does not survive all of them."""
    for place, inner in all_schemas(schema):
        patterns = inner.get("patternProperties")
        named = [(("patternProperties", text), text) for text in patterns] if isinstance(patterns, Mapping) else []
        for way, text in [(("pattern",), inner.get("pattern")), *named]:
            if isinstance(text, str) and (problem := _pattern_problem(text)):
                yield (*place, *way), problem


def _pattern_problem(text: str) -> str:
    try:
        compiled(text)
    except re.error as error:
        return f"the regular expression {shortened(repr(text))} cannot be used: {error}"
    except (RecursionError, OverflowError):
        return "the regular expression is too large"
    return ""


def _bad_references(schema: Any) -> Iterator[tuple[Place, str]]:
    """References that lead nowhere, to another document, or only back to themselves."""
    from jsonschema.validators import SPECIFICATIONS
    from referencing import Resource
    from referencing.jsonschema import DRAFT202012

    top = Resource.from_contents(schema, default_specification=DRAFT202012)
    resolver = SPECIFICATIONS.with_resource(top.id() or "", top).resolver_with_root(top)
    waiting: list[tuple[Place, Any, Any]] = [((), schema, resolver)]
    while waiting:
        place, inner, resolver = waiting.pop()
        if not isinstance(inner, Mapping):
            continue
        if place and isinstance(inner.get("$id"), str):
            resolver = resolver.in_subresource(DRAFT202012.create_resource(inner))
        if isinstance(inner.get("$ref"), str) and (problem := _reference_problem(inner, resolver)):
            yield (*place, "$ref"), problem
        waiting += [((*place, *way), deeper, resolver) for way, deeper in subschemas(inner)]


def _reference_problem(schema: Mapping[str, Any], resolver: Any) -> str:
    """What is wrong with the reference of ``schema``; empty where nothing is."""
    from referencing.exceptions import Unresolvable

    first, seen = shortened(repr(schema["$ref"])), [id(schema)]
    while isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str):
        try:
            resolved = resolver.lookup(schema["$ref"])
        except Unresolvable:
            if schema["$ref"].startswith("#"):
                return f"{first} is not in the schema"
            return f"{first} is another document, and schemas are never downloaded; put it into $defs"
        except (ValueError, TypeError, AttributeError) as error:
            return f"{first} cannot be resolved: {error}"
        schema, resolver = resolved.contents, resolved.resolver
        if id(schema) in seen:
            return f"{first} leads only back to itself"
        seen.append(id(schema))
    return ""


def _wrong(place: Place, problem: str) -> UsageError:
    return UsageError(f"the schema is wrong at {pointer(place)}: {problem}", _HINT)


def shortened(text: str, most: int = 200) -> str:
    """``text``, or its beginning where it is long."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
