"""Reads the plain values of a command line without pydantic, which Typer loads for every value that it converts.

Loading it takes longer than most commands do. What is absent, a text, or a plain number within its limits needs no
validator; everything else is left to Typer, and with it every message about what makes no sense.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from typer.core import TyperCommand

_WHOLE: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_DECIMAL: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", re.ASCII)
_LEFT: Final = object()


class PlainCommand(TyperCommand):
    """A command whose parameters ask pydantic only where they must."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, that of ``--help`` included."""
        return read_plainly(super().get_params(ctx))


def read_plainly(parameters: Sequence[Any]) -> list[Any]:
    """``parameters``, as Typer built them, which from now on do not ask pydantic for plain values."""
    for parameter in parameters:
        if "process_value" not in vars(parameter):
            parameter.process_value = _reader(parameter, parameter.process_value)
    return list(parameters)


def _reader(parameter: Any, by_typer: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def process_value(ctx: Any, value: Any) -> Any:
        if ctx.resilient_parsing:  # a completion: nothing is run with the value, and nobody reads a message
            return value
        plain = _plain(value, parameter)
        if plain is _LEFT or (parameter.required and parameter.value_is_missing(plain)):
            return by_typer(ctx, value)
        return plain if parameter.callback is None else parameter.callback(ctx, parameter, plain)

    return process_value


def _plain(value: Any, parameter: Any) -> Any:
    """What Typer would make of ``value``; ``_LEFT`` where that takes more than a look at it."""
    info = parameter.type_descriptor.parameter_info
    if info.parser is not None or info.clamp:
        return _LEFT
    if value is None:
        return _LEFT if parameter.nargs == -1 else None
    if parameter.type_descriptor.annotation == list[str] and isinstance(value, list | tuple) and value:
        texts = [_text(item) for item in value]
        return _LEFT if _LEFT in texts else texts
    kind = parameter.type_descriptor.annotation
    if kind is str:
        return _text(value)
    return _number(value, kind, info.min, info.max) if kind in (int, float) else _LEFT


def _text(value: Any) -> Any:
    """The text, unless it has bytes that were no UTF-8, which Typer refuses."""
    if not isinstance(value, str):
        return _LEFT
    return value if value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value) else _LEFT


def _number(value: Any, kind: type[Any], least: float | None, most: float | None) -> Any:
    """The number, unless it is written in another way or beyond its limits."""
    if isinstance(value, str) and (_WHOLE if kind is int else _DECIMAL).fullmatch(value):
        value = kind(value)
    if type(value) is not kind or not (least is None or least <= value) or not (most is None or value <= most):
        return _LEFT
    return value
