"""The form of an answer: what the engine is asked to hold, and what is checked when the answer is there."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from phicli.engine.constraint import Constraint
from phicli.errors import UsageError
from phicli.structured.checking import check_schema, shortened
from phicli.structured.cut_off import cut_off, may_go_on
from phicli.structured.limits import Limits, limits_for
from phicli.structured.patterns import matches, time_for_searches
from phicli.structured.reading import DoubleNameError, without_doubles
from phicli.structured.sending import json_schema_to_send
from phicli.structured.subschemas import pointer

_MOST_PROBLEMS: Final = 5


@dataclass(frozen=True, slots=True)
class Checked:
    """An answer that is there: its value, and what is wrong with it, which is nothing where it has the form."""

    value: Any = None
    problems: tuple[str, ...] = ()


class Form(Protocol):
    """What an answer must be."""

    @property
    def name(self) -> str:
        """What it is called in messages: ``the schema``."""

    @property
    def to_limit(self) -> str:
        """How its length can be limited, as a hint; empty where it is: then data may repeat themselves as they like."""

    def constraints(self, max_tokens: int | None) -> tuple[Constraint, ...]:
        """What the engine is asked to hold an answer of so many tokens to; where it cannot, the next one."""

    def check(self, text: str, max_tokens: int | None) -> Checked:
        """Whether a complete answer has the form."""


@dataclass(frozen=True, slots=True)
class TextForm:
    """An answer that the engine's grammar holds; all of it must match ``pattern``, if there is one.

    ``to_limit`` is what :class:`Form` says.
    """

    name: str
    constraint: Constraint
    pattern: str | None = None
    to_limit: str = ""

    def constraints(self, max_tokens: int | None) -> tuple[Constraint, ...]:
        """See :class:`Form`."""
        del max_tokens
        return (self.constraint,)

    def check(self, text: str, max_tokens: int | None) -> Checked:
        """See :class:`Form`."""
        del max_tokens
        if self.pattern is not None and not matches(self.pattern, text):
            return Checked(text, (f"{shortened(repr(text))} does not match {self.name}",))
        return Checked(text)


@dataclass(frozen=True, slots=True)
class SchemaForm:
    """An answer that is JSON and matches ``schema``.

    Raises:
        UsageError: the schema is wrong.
    """

    schema: Any
    name: str = "the schema"
    _validator: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        from jsonschema.validators import SPECIFICATIONS  # without it, a remote reference would be downloaded

        kind = check_schema(self.schema)
        validator = kind(self.schema, registry=SPECIFICATIONS, format_checker=kind.FORMAT_CHECKER)
        object.__setattr__(self, "_validator", validator)

    @property
    def to_limit(self) -> str:
        """See :class:`Form`: every list has ``maxItems``, every text ``maxLength``, and every name is listed."""
        return "use a --schema with maxItems and maxLength" if may_go_on(self.schema, self._limits(None)) else ""

    def constraints(self, max_tokens: int | None) -> tuple[Constraint, ...]:
        """See :class:`Form`. Limits can contradict the schema, and llguidance has some too; at last, only the type."""
        sent = [json_schema_to_send(self.schema, limits) for limits in (self._limits(max_tokens), None)]
        only_type = {word: value for word, value in _words(self.schema) if word == "type"}
        least = json_schema_to_send(only_type, self._limits(max_tokens))
        return tuple(Constraint("json_schema", text, self.schema) for text in dict.fromkeys([*sent, least]))

    def check(self, text: str, max_tokens: int | None) -> Checked:
        """See :class:`Form`. A value that our limit cut off is a problem, too."""
        try:
            value = json.loads(text, object_pairs_hook=without_doubles)
        except DoubleNameError as error:
            return Checked(None, (str(error),))
        except (ValueError, RecursionError) as error:
            return Checked(None, (f"the answer is not JSON: {error}",))
        with time_for_searches():
            problems = self._problems(value)
            if not problems:
                problems = [*cut_off(type(self._validator), self.schema, text, self._limits(max_tokens))]
        return Checked(value, tuple(dict.fromkeys(problems)))

    def _limits(self, max_tokens: int | None) -> Limits:
        return limits_for(self.schema, max_tokens)

    def _problems(self, value: Any) -> list[str]:
        """The first problems of ``value``, each with its place.

        Raises:
            UsageError: the schema refers to itself without an end.
        """
        if not _is_finite(value):
            return ["a number is too large"]
        try:
            errors = sorted(self._validator.iter_errors(value), key=lambda error: [str(step) for step in error.path])
        except RecursionError:
            raise UsageError("the schema refers to itself without an end", "take the reference out") from None
        except OverflowError:
            return ["a number is too large"]
        return [
            f"{pointer(tuple(error.absolute_path))}: {shortened(error.message)}" for error in errors[:_MOST_PROBLEMS]
        ]


def _words(schema: Any) -> Iterable[tuple[str, Any]]:
    return schema.items() if isinstance(schema, Mapping) else ()


def _values(value: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while waiting:
        place, inner = waiting.pop()
        yield place, inner
        if isinstance(inner, dict):
            waiting += [((*place, name), deeper) for name, deeper in inner.items()]
        elif isinstance(inner, list):
            waiting += [((*place, index), deeper) for index, deeper in enumerate(inner)]


def _is_finite(value: Any) -> bool:
    return all(math.isfinite(inner) for _, inner in _values(value) if isinstance(inner, float))
