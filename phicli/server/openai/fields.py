"""The fields of a request, each read as what it must be; an error names the field."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from phicli.server.errors import RequestError

_KINDS: Final[Mapping[type, str]] = {
    dict: "an object", list: "a list", str: "a string", bool: "true or false", int: "a number", float: "a number",
    type(None): "null",
}  # fmt: skip
_LONGEST: Final = 60
_DEEPEST: Final = 100
_MOST_VALUES: Final = 500_000
_HALF: Final = re.compile("[\ud800-\udfff]")


def request_fields(body: Any) -> Fields:
    """The fields of a whole request.

    Raises:
        RequestError: it is not an object, or has what JSON or UTF-8 cannot say.
    """
    if not isinstance(body, Mapping):
        raise RequestError(f"the request is {kind_of(body)}, but must be a JSON object")
    check_value(body, "the request")
    return Fields(body)


def check_value(value: Any, what: str, param: str | None = None) -> None:
    """Return if ``value`` can be written as JSON in UTF-8, and is neither nested too deeply nor too large.

    Raises:
        RequestError: it cannot; ``what`` is its name, and ``param`` its path.
    """
    waiting, known = [(value, 0)], 0
    while waiting:
        inner, depth = waiting.pop()
        known += 1
        if known + len(waiting) > _MOST_VALUES:
            raise RequestError(f"{what} has more than {_MOST_VALUES} values", "send less at a time", param=param)
        if isinstance(inner, Mapping | list):
            if depth == _DEEPEST:
                raise RequestError(f"{what} is nested too deeply", f"use at most {_DEEPEST} levels", param=param)
            values = (*inner, *inner.values()) if isinstance(inner, Mapping) else inner
            waiting += ((one, depth + 1) for one in values)
        elif isinstance(inner, float) and not math.isfinite(inner):
            raise RequestError(f"{what} has a number that is not finite", param=param)
        elif isinstance(inner, str) and (half := _HALF.search(inner)):
            said = f"\\u{ord(half[0]):04x}"
            raise RequestError(f"{what} has {said} alone, which is half of a character", param=param)


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one object of a request.

    A field that is null counts as missing. ``where`` is the path of the object, such as ``messages[0]``; empty for the
    whole request.
    """

    data: Mapping[str, Any]
    where: str = ""

    @classmethod
    def of(cls, value: Any, where: str) -> Fields:
        """The fields of ``value``.

        Raises:
            RequestError: it is not an object.
        """
        if not isinstance(value, Mapping):
            raise wrong(where, value, "an object")
        return cls(value, where)

    def path(self, name: str) -> str:
        """The path of a field."""
        return f"{self.where}.{name}" if self.where else name

    def get(self, name: str) -> Any:
        """The value of a field; None where there is none."""
        return self.data.get(name)

    def text(self, name: str) -> str | None:
        """A string.

        Raises:
            RequestError: it is something else.
        """
        value = self.get(name)
        if value is not None and not isinstance(value, str):
            raise wrong(self.path(name), value, "a string")
        return value

    def flag(self, name: str) -> bool:
        """True or false; false where it is missing.

        Raises:
            RequestError: it is something else.
        """
        value = self.get(name)
        if value is not None and not isinstance(value, bool):
            raise wrong(self.path(name), value, "true or false")
        return bool(value)

    def number(self, name: str, least: float, most: float) -> float | None:
        """A number within limits.

        Raises:
            RequestError: it is something else.
        """
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong(self.path(name), value, "a number")
        return self._within(name, value, least, most)

    def integer(self, name: str, least: float, most: float) -> int | None:
        """A whole number within limits.

        Raises:
            RequestError: it is something else.
        """
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not (isinstance(value, int) or (isinstance(value, float) and value.is_integer())):
            raise wrong(self.path(name), value, "a whole number")
        return int(self._within(name, value, least, most))

    def list(self, name: str) -> Sequence[Any]:
        """A list; empty where it is missing.

        Raises:
            RequestError: it is something else.
        """
        value = self.get(name)
        if value is not None and not isinstance(value, list):
            raise wrong(self.path(name), value, "a list")
        return value or ()

    def object(self, name: str) -> Fields:
        """An object; one without fields where it is missing.

        Raises:
            RequestError: it is something else.
        """
        value = self.get(name)
        return Fields.of({} if value is None else value, self.path(name))

    def refuse(self, *names: str, hint: str = "leave it out") -> None:
        """Return if none of these fields asks for anything.

        Raises:
            RequestError: one does, and it would be ignored.
        """
        for name in names:
            if self.get(name):
                raise RequestError(f"{self.path(name)} is not supported", hint, param=self.path(name))

    def _within(self, name: str, value: float, least: float, most: float) -> float:
        if not least <= value <= most:
            said = shown(value)
            raise RequestError(f"{self.path(name)} is {said}, but must be from {least:.10g} to {most:.10g}",
                               param=self.path(name))  # fmt: skip
        return value


def wrong(path: str, value: Any, wanted: str) -> RequestError:
    """The error for a field that is something else than what is ``wanted``."""
    return RequestError(f"{path} is {kind_of(value)}, but must be {wanted}", param=path)


def unknown(path: str, value: Any, choices: Sequence[str]) -> RequestError:
    """The error for a field that is none of ``choices``."""
    if not isinstance(value, str):
        return wrong(path, value, "a string")
    return RequestError(f"unknown {path}: {shown(value)}", f"choose one of: {', '.join(choices)}", param=path)


def shown(value: Any) -> str:
    """A value as an error shows it: not longer than a line."""
    try:
        text = repr(value)
    except ValueError:  # a number of thousands of digits
        return "a very long number"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def kind_of(value: Any) -> str:
    """What a value is, in words of JSON."""
    return _KINDS.get(type(value), "something else")
