"""The tools that a model may call, and whether it must."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from phicli.answering.asked import ToolChoice
from phicli.errors import UsageError
from phicli.server.errors import RequestError
from phicli.server.openai.fields import Fields, shown, unknown, wrong
from phicli.structured.reading import MOST_BYTES
from phicli.tools.checking import check_schemas
from phicli.tools.reading import tool_of, unique
from phicli.tools.types import Tool

_MOST_TOOLS: Final = 128
_MOST_CHECKED: Final = 512
_LONGEST_KEPT: Final = 32 * 1024
_MODES: Final[Mapping[str, ToolChoice]] = {"auto": "auto", "none": "none", "required": "required"}


@dataclass(frozen=True, slots=True)
class ToolsAsked:
    """The tools of a request; see :class:`~phicli.server.types.Asked`."""

    tools: tuple[Tool, ...]
    choice: ToolChoice
    callable_tools: frozenset[str] | None
    several_calls: bool


def tools_of(fields: Fields) -> ToolsAsked:
    """The tools that ``fields`` declare, and the choice among them.

    Raises:
        RequestError: a declaration or the choice is wrong.
    """
    fields.refuse("functions", "function_call", hint="use tools and tool_choice")
    listed = fields.list("tools")
    if len(listed) > _MOST_TOOLS:
        raise RequestError(f"there are {len(listed)} tools, but at most {_MOST_TOOLS} are possible", param="tools")
    tools = tuple(_tool(one, f"tools[{at}]") for at, one in enumerate(listed))
    try:
        unique([("tools", tool) for tool in tools])
    except UsageError as error:
        raise RequestError(error.message, param="tools") from None
    choice, names = _choice(fields, tools)
    several = fields.get("parallel_tool_calls") is None or fields.flag("parallel_tool_calls")
    wanted = fields.get("tool_choice")
    named = isinstance(wanted, Mapping) and wanted.get("type") == "function"
    return ToolsAsked(tools, choice, names, several and not named)


def _tool(data: Any, where: str) -> Tool:
    declared = Fields.of(data, where)
    kind = declared.get("type")
    if kind not in (None, "function"):
        raise unknown(f"{where}.type", kind, ("function",))
    try:
        tool = tool_of(data, where)
        _check(tool, where)
    except UsageError as error:
        raise RequestError(error.message, param=where) from None
    return tool


def _check(tool: Tool, where: str) -> None:
    """Return if calls of ``tool`` can be checked; clients send the same tools with every request.

    Raises:
        UsageError: its schema is wrong or too large.
    """
    parameters = json.dumps(dict(tool.parameters))
    if len(parameters) > MOST_BYTES:
        raise RequestError(f"the parameters of {tool.name} have more than {MOST_BYTES // 1024} KiB", param=where)
    if len(parameters) > _LONGEST_KEPT:
        check_schemas((tool,))
    else:
        _check_schema(tool.name, parameters)


@functools.lru_cache(maxsize=_MOST_CHECKED)
def _check_schema(name: str, parameters: str) -> None:
    check_schemas((Tool(name, "", json.loads(parameters)),))


def _choice(fields: Fields, tools: tuple[Tool, ...]) -> tuple[ToolChoice, frozenset[str] | None]:
    """Whether tools are called, and which; None for all."""
    value = fields.get("tool_choice")
    if value is None:
        return "auto", None
    if isinstance(value, str):
        if value not in _MODES:
            raise unknown("tool_choice", value, tuple(_MODES))
        choice, names = _MODES[value], None
    else:
        choice, names = _named(Fields.of(value, "tool_choice"))
    if choice == "required" and not tools:
        raise RequestError("tool_choice requires a tool, but tools is empty", "add tools", param="tool_choice")
    known = {tool.name for tool in tools}
    for name in names or ():
        if name not in known:
            raise RequestError(
                f"tool_choice: unknown tool: {shown(name)}",
                f"the tools are {', '.join(sorted(known))}" if known else "add tools",
                param="tool_choice",
            )
    return choice, names


def _named(choice: Fields) -> tuple[ToolChoice, frozenset[str]]:
    if choice.get("type") == "allowed_tools":
        allowed = choice.object("allowed_tools")
        mode = allowed.get("mode")
        if mode not in ("auto", "required"):
            raise unknown(allowed.path("mode"), mode, ("auto", "required"))
        listed = allowed.list("tools")
        if not listed:
            raise RequestError(f"{allowed.path('tools')} is empty", "name a tool", param=allowed.path("tools"))
        names = [_name(Fields.of(one, f"{allowed.path('tools')}[{at}]")) for at, one in enumerate(listed)]
        return _MODES[mode], frozenset(names)
    return "required", frozenset((_name(choice),))


def _name(chosen: Fields) -> str:
    """The name of a tool: ``{"type": "function", "function": {"name": …}}``."""
    kind = chosen.get("type")
    if kind != "function":
        raise unknown(chosen.path("type"), kind, ("function",))
    function = chosen.object("function")
    name = function.text("name")
    if not name:
        raise wrong(function.path("name"), name, "the name of a tool")
    return name
