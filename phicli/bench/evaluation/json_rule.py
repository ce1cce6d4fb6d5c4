"""Replies that have to be JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Final, Self

from phicli.bench.evaluation import fields
from phicli.bench.evaluation.fields import Fields
from phicli.bench.evaluation.types import RIGHT, Verdict, wrong

_FENCED: Final = re.compile(r"```[\w-]*[ \t]*\n(.*?)```", re.DOTALL)
_MATCHES: Final = ("equal", "subset")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and Decimal(value) == Decimal(value).to_integral_value(),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "any": lambda _: True,
}
"""What the words for types in ``keys`` mean."""


def parse(text: str) -> Any:
    """``text`` as JSON, or the one block between lines of ```` ``` ```` in it.

    Raises:
        ValueError: neither is.
    """
    blocks = _FENCED.findall(text)
    for candidate in (text, *blocks[:1]) if len(blocks) == 1 else (text,):
        try:
            return strict(candidate)
        except (ValueError, RecursionError):
            continue
    raise ValueError("the reply is not JSON")


def strict(text: str) -> Any:
    """``text`` as JSON without what Python allows beyond it; numbers with a point are ``Decimal``.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, parse_float=_decimal, parse_constant=_refuse)


def same(found: Any, wanted: Any) -> bool:
    """Whether two values of JSON are equal: 1 is 1.0, true is not 1."""
    if isinstance(wanted, dict):
        alike = isinstance(found, dict) and found.keys() == wanted.keys()
        return alike and all(same(found[key], value) for key, value in wanted.items())
    if isinstance(wanted, list):
        alike = isinstance(found, list) and len(found) == len(wanted)
        return alike and all(same(one, other) for one, other in zip(found, wanted, strict=True))
    return isinstance(found, bool) == isinstance(wanted, bool) and bool(found == wanted)


def covers(found: Any, wanted: Any) -> bool:
    """Whether ``found`` has all that ``wanted`` has: objects may have more keys, at any depth but within lists."""
    if not isinstance(wanted, dict):
        return same(found, wanted)
    return isinstance(found, dict) and all(key in found and covers(found[key], wanted[key]) for key in wanted)


@dataclass(frozen=True, slots=True)
class Json:
    """``compare: json``: equal to a value, or having its keys, or having keys of certain types (``keys``)."""

    FIELDS: ClassVar[tuple[str, ...]] = ("answer", "match", "keys")
    answer: Any = None
    match: str = "equal"
    keys: Mapping[str, str] | None = None

    @classmethod
    def read(cls, data: Fields) -> Self:
        """The rule of a line.

        Raises:
            ValueError: a field of it is wrong.
        """
        if ("answer" in data) == ("keys" in data):
            raise ValueError('json needs either "answer" or "keys"')
        if "answer" in data:
            return cls(data["answer"], fields.word(data, "match", _MATCHES) if "match" in data else "equal")
        if "match" in data:
            raise ValueError('"match" can be used only with "answer"')
        keys = data["keys"]
        if not isinstance(keys, dict) or not keys:
            raise ValueError('"keys" must be a non-empty object')
        return cls(keys={name: fields.word(keys, name, tuple(TYPES)) for name in keys})

    @property
    def expected(self) -> str:
        """What a right reply has."""
        if self.keys is not None:
            return "an object with " + ", ".join(f"{name}: {kind}" for name, kind in self.keys.items())
        text = json.dumps(self.answer, ensure_ascii=False, default=float)
        return text if self.match == "equal" else f"at least {text}"

    def shown(self, question: str) -> str:
        """The question as it is asked."""
        return question

    def judge(self, text: str) -> Verdict:
        """Right when the reply is JSON and has what it should."""
        try:
            found = parse(text)
            if self.keys is not None:
                return _keyed(found, self.keys)
            fits = same(found, self.answer) if self.match == "equal" else covers(found, self.answer)
        except ValueError as error:
            return wrong(str(error))
        except RecursionError:
            return wrong("the JSON is nested too deeply")
        return RIGHT if fits else wrong(f"the JSON is not {self.expected}")


def _keyed(found: Any, keys: Mapping[str, str]) -> Verdict:
    if not isinstance(found, dict):
        return wrong("the JSON is not an object")
    if missing := [name for name in keys if name not in found]:
        return wrong(f"the key {missing[0]} is missing")
    if more := [name for name in found if name not in keys]:
        return wrong(f"unexpected key {more[0][:60]}")
    bad = [name for name, kind in keys.items() if not TYPES[kind](found[name])]
    return wrong(f"{bad[0]} is not of type {keys[bad[0]]}") if bad else RIGHT


def _decimal(text: str) -> Decimal:
    """A number of bounded size: ``1e999999999`` as a whole number would fill the memory."""
    number = Decimal(text)
    if abs(number.adjusted()) > 1000:
        raise ValueError("a number in the JSON is too large or too small")
    return number


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")
