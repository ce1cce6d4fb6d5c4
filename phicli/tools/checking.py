"""Checks the schemas of tools, and calls against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from phicli.chat_format.tool_calls import has_broken_call
from phicli.chat_format.types import ToolCall
from phicli.errors import UsageError
from phicli.tools.types import Tool

_MOST_ERRORS: Final = 3


def check_schemas(tools: Sequence[Tool]) -> None:
    """Return if the parameters of ``tools`` are JSON Schema that calls can be checked against.

    This imports jsonschema, so it is for when the model loads.

    Raises:
        UsageError: they are not; names the tool and the place.
    """
    from phicli.structured.checking import check_schema

    for tool in tools:
        try:
            check_schema(tool.parameters)
        except UsageError as error:
            raise UsageError(f"the tool {tool.name}: {error.message}", error.hint) from None


def has_part_of_call(text: str) -> bool:
    """Whether an answer that was cut off, and that has this ``text`` beside its calls, ends inside of a call."""
    return has_broken_call(text) or text.lstrip().startswith('{"tool_calls"')


def wrong_calls(calls: Sequence[ToolCall], text: str, tools: Sequence[Tool]) -> str | None:
    """What is wrong with the calls of an answer, one line; None where nothing is.

    Args:
        calls: those that were found.
        text: the rest of the answer, in which a call may stand that cannot be read.
        tools: those that were declared.
    """
    known = {tool.name: tool for tool in tools}
    errors = [error for call in calls for error in _errors(call, known)]
    if has_broken_call(text):
        errors.append("a call cannot be read: it must be a JSON list of objects with name and arguments")
    more = len(errors) - _MOST_ERRORS
    return "; ".join([*errors[:_MOST_ERRORS], *([f"and {more} more"] if more > 0 else [])]) or None


def _errors(call: ToolCall, known: Mapping[str, Tool]) -> Sequence[str]:
    from jsonschema.exceptions import best_match

    from phicli.structured.checking import check_schema
    from phicli.structured.patterns import time_for_searches

    tool = known.get(call.name)
    if tool is None:
        return [f"there is no tool {call.name}, the tools are {', '.join(known)}"]
    try:
        with time_for_searches():
            error = best_match(check_schema(tool.parameters)(tool.parameters).iter_errors(dict(call.arguments)))
    except RecursionError:
        return [f"{call.name}: the arguments are nested too deeply"]
    if error is None:
        return []
    place = "".join(f".{part}" for part in error.absolute_path)
    return [f"{call.name}: {f'arguments{place}: ' if place else ''}{error.message}"]
