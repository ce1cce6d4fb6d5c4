"""Whether a value of an answer was cut off by a limit that the schema does not have: the model had more to say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from phicli.structured.limits import MARK, Limits
from phicli.structured.sending import marked_schema
from phicli.structured.subschemas import all_schemas, pointer

_NUMBER: Final = re.compile(r"(-?)(\d+)(?:\.(\d+))?")


class _Literal(float):
    """A number, and how it is written: ``3.10`` has two places."""

    literal: str

    @classmethod
    def read(cls, text: str) -> _Literal:
        number = cls(text)
        number.literal = text
        return number


def cut_off(kind: Any, schema: Any, text: str, limits: Limits) -> Iterator[str]:
    """What was cut off in the answer ``text``, which is JSON; each with its place.

    An answer that does not match the schema that was sent was held to less: then nothing is known.

    Args:
        kind: the class of jsonschema that validates against ``schema``.
        schema: of the answer.
        text: the answer.
        limits: that were sent with the schema.
    """
    from jsonschema.validators import SPECIFICATIONS, extend

    marked, value = marked_schema(schema, limits), json.loads(text, parse_float=_Literal.read)
    try:
        if kind(marked, registry=SPECIFICATIONS).is_valid(value):
            for error in extend(kind, {MARK: _reached})(marked, registry=SPECIFICATIONS).iter_errors(value):
                cause = _cause(error)
                yield f"{pointer(tuple(cause.absolute_path))}: {cause.message}"
    except (RecursionError, OverflowError):
        return


def may_go_on(schema: Any, limits: Limits) -> bool:
    """Whether an answer that matches ``schema`` may have a list, a text or names whose number it does not limit."""
    lengths = {"maxItems", "maxLength", "maxProperties"}
    return any(lengths & inner.get(MARK, {}).keys() for _, inner in all_schemas(marked_schema(schema, limits)))


def _cause(error: Any) -> Any:
    """The limit that is behind ``error``, which may say that one of several schemas must match."""
    waiting = [error]
    while waiting:
        inner = waiting.pop(0)
        if inner.validator == MARK:
            return inner
        waiting += inner.context
    return error


def _reached(_: Any, limits: Mapping[str, Any], value: Any, __: Any) -> Iterator[Any]:
    """The limits that ``value`` is exactly at: a keyword of jsonschema."""
    from jsonschema import ValidationError

    for problem in _problems(limits, value):
        yield ValidationError(problem)


def _problems(limits: Mapping[str, Any], value: Any) -> Iterator[str]:
    if isinstance(value, str) and len(value) == limits.get("maxLength"):
        yield f"the text did not end within {len(value)} characters"
    elif isinstance(value, list) and len(value) == limits.get("maxItems"):
        yield f"the list did not end within {len(value)} items"
    elif isinstance(value, Mapping):
        if len(value) == limits.get("maxProperties"):
            yield f"the object did not end within {len(value)} names"
        if any(len(name) == limits.get("names") for name in value):
            yield f"a name did not end within {limits['names']} characters"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _of_number(limits, getattr(value, "literal", str(value)))


def _of_number(limits: Mapping[str, Any], literal: str) -> Iterator[str]:
    written = _NUMBER.match(literal)
    if written is None:
        return
    sign, whole, decimals = written.groups()
    if len(whole) == limits.get("minimum" if sign else "maximum"):
        yield f"the number did not end within the limit of digits, {len(whole)}"
    elif decimals is not None and len(decimals) == limits.get("places"):
        yield f"the number did not end within {len(decimals)} decimals; set multipleOf, e.g. 0.01"
