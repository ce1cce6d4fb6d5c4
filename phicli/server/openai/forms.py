"""The form of an answer: ``response_format``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import jsonschema.validators  # noqa: F401 (two threads must not import it at a time, and no request has to wait for it)

from phicli.chat.message_list import parsed
from phicli.engine.constraint import Constraint
from phicli.errors import UsageError
from phicli.server.errors import RequestError
from phicli.server.openai.fields import Fields, unknown, wrong
from phicli.structured.form import Checked, Form, SchemaForm
from phicli.structured.reading import MOST_BYTES

_TYPES: Final = ("text", "json_object", "json_schema")
_FIELD: Final = "response_format"
_SCHEMA: Final = f"{_FIELD}.json_schema.schema"


@dataclass(frozen=True, slots=True)
class JsonObject:
    """The form of any JSON object (:class:`~phicli.structured.form.Form`).

    A schema says what an answer means, so its check also refuses what only our limits ended. This one promises no more
    than JSON.
    """

    name: str = "a JSON object"
    to_limit: str = "say in the messages how long it may be"

    def constraints(self, max_tokens: int | None) -> tuple[Constraint, ...]:
        """What the engine is asked to hold the answer to."""
        return SchemaForm({"type": "object"}, self.name).constraints(max_tokens)

    def check(self, text: str, max_tokens: int | None) -> Checked:
        """Whether the answer is a JSON object."""
        del max_tokens
        try:
            value = parsed(text)
        except (ValueError, RecursionError) as error:
            return Checked(None, (f"the answer is not JSON: {error}",))
        return Checked(value, () if isinstance(value, dict) else ("the answer is not a JSON object",))


def form_of(fields: Fields) -> Form | None:
    """The form that is asked for; None for any text.

    Raises:
        RequestError: its type is unknown, or its schema is missing or wrong.
    """
    if fields.get(_FIELD) is None:
        return None
    wanted = fields.object(_FIELD)
    kind = wanted.get("type")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise unknown(f"{_FIELD}.type", kind, _TYPES)
    if kind == "text":
        return None
    return JsonObject() if kind == "json_object" else _schema_form(wanted)


def looks_like_call(fields: Fields) -> bool:
    """Whether an answer that matches the schema may be JSON that stands for a tool call."""
    schema = fields.object(_FIELD).object("json_schema").get("schema")
    names = schema.get("properties") if isinstance(schema, dict) else None
    return isinstance(names, dict) and "name" in names and not names.keys().isdisjoint(("arguments", "parameters"))


def _schema_form(wanted: Fields) -> Form:
    schema: Any = wanted.object("json_schema").get("schema")
    if schema is None:
        raise RequestError(f"{_SCHEMA} is missing", 'give a schema, or use the type "json_object"', param=_SCHEMA)
    if not isinstance(schema, dict | bool):
        raise wrong(_SCHEMA, schema, "an object")
    if len(json.dumps(schema)) > MOST_BYTES:
        raise RequestError(f"the schema has more than {MOST_BYTES // 1024} KiB", "use a part of it", param=_SCHEMA)
    try:
        return SchemaForm(schema)
    except UsageError as error:
        raise RequestError(error.message, error.hint, param=_SCHEMA) from None
