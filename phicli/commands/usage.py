"""What is said of a command line that makes no sense: the error, and what to type instead."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import typer

from phicli.commands.foreign_options import typed_foreign
from phicli.commands.group import LazyGroup
from phicli.commands.unknown import quoted, unknown_option
from phicli.errors import UsageError

_EXTRA: Final = re.compile(r"got unexpected extra arguments?(?:\(s\))? \((?P<words>.*)\)", re.IGNORECASE | re.DOTALL)
_LISTS: Final = ("--choice",)
"""Options whose value is a list with commas."""
_NOT_NUMBERS: Final = {
    "int_parsing": "whole number", "int_from_float": "whole number", "int_parsing_size": "number that fits",
    "float_parsing": "number",
}  # fmt: skip
"""What pydantic calls a text that is not a number, and what it should be."""
_LONGEST: Final = 100


def usage_error(command: str, error: typer.TyperException, words: Sequence[str]) -> UsageError:
    """The error for what Typer refuses.

    Args:
        command: such as ``chat`` or ``cache list``; ``phi`` for none.
        error: what Typer raised.
        words: all that was typed behind ``phi``.
    """
    of_command = getattr(getattr(error, "ctx", None), "command", None)
    arguments = usage_line(command, of_command)
    if (option := getattr(error, "option_name", None)) is not None and hasattr(error, "possibilities"):
        known = [name for parameter in _parameters(of_command) for name in parameter.opts]
        return unknown_option(command, option, error.possibilities or (), words, known=known, usage=arguments)
    page = _page(command)
    text = _text(error)
    if isinstance(of_command, LazyGroup) and text.startswith("Missing command"):
        choices = ", ".join(of_command.list_commands(None))
        return UsageError(f"phi {command} requires a command", f"choose one of {choices}; see {page}")
    parameter = getattr(error, "param", None)
    if text.startswith("Missing argument") and parameter is not None:
        return UsageError(
            f"missing argument: {_label(parameter).removesuffix(' ...')}", f"usage: {arguments}; see {page}"
        )
    if extra := _EXTRA.match(text):
        return _unexpected(extra["words"], words, arguments, page)
    return _wrong_value(command, error, of_command, words)


def usage_line(command: str, of_command: Any) -> str:
    """``phi batch IN [MODEL] --out OUT``: the command with its arguments, and with the file that it writes."""
    arguments = [parameter for parameter in _parameters(of_command) if parameter.param_type_name == "argument"]
    shown = [_label(parameter) if parameter.required else f"[{_label(parameter)}]" for parameter in arguments]
    options = [option for parameter in _parameters(of_command) for option in parameter.opts]
    written = next((option for option in ("--out", "--output") if option in options and "-o" in options), "")
    if written:
        shown.append("--out OUT" if command == "batch" else f"[{written} OUT]")
    return " ".join(["phi", command, *shown])


def _text(error: typer.TyperException) -> str:
    return str(getattr(error, "format_message", lambda: str(error))())


def _page(command: str) -> str:
    return "phi --help" if command == "phi" else f"phi {command} --help"


def _parameters(of_command: Any) -> Sequence[Any]:
    return getattr(of_command, "params", ())


def _label(parameter: Any) -> str:
    """What the help calls an argument, in capitals where it has only the name of a variable: ``MODEL``."""
    label = str(parameter.metavar or str(parameter.name).upper()).removesuffix("...")
    label = label[1:-1] if label[0] in "[{" and label[-1] in "]}" else label
    return f"{label} ..." if parameter.nargs == -1 else label


def _unexpected(extra: str, words: Sequence[str], arguments: str, page: str) -> UsageError:
    shown = extra if len(extra) <= _LONGEST else f"{extra[:_LONGEST]}…"
    message = f"unexpected argument: {shown}"
    first = extra.partition(" ")[0]
    place = words.index(first) if first in words else 0
    if place > 1 and words[place - 2] in _LISTS:
        together = ",".join([words[place - 1], *extra.split(" ")])
        return UsageError(message, f"put commas between the words: {words[place - 2]} {quoted(together)}")
    return UsageError(message, f"usage: {arguments}; see {page}")


def _wrong_value(command: str, error: typer.TyperException, of_command: Any, words: Sequence[str]) -> UsageError:
    text, page = _text(error), _page(command)
    if text.startswith("Invalid value for '-") and (typed := typed_foreign(words)):  # -ngl is read as -n gl
        known = [name for parameter in _parameters(of_command) for name in parameter.opts]
        return unknown_option(command, typed, (), words, known=known, usage="")
    if problem := _problem(error):
        option, wrong, advice = problem
        return UsageError(f"{option} {wrong}", f"{advice or f'see the help of {option}'}: {page}")
    return UsageError(text[:1].lower() + text[1:].rstrip("."), f"see {page}")


def _problem(error: typer.TyperException) -> tuple[str, str, str] | None:
    """The option whose number makes no sense, what is wrong in words, and advice; None for any other ``error``."""
    option = getattr(error, "param", None)
    problems: Sequence[Any] = getattr(error.__cause__, "errors", list)()
    if not problems or option is None or option.param_type_name != "option":
        return None
    kind, value = problems[0]["type"], problems[0]["input"]
    name = option.opts[0]
    if kind in _NOT_NUMBERS:
        share = re.fullmatch(r"([0-9]{1,2}) ?%", str(value))
        advice = f"write a share, such as {name} {int(share[1]) / 100:g}; see" if share else ""
        return name, f"{quoted(str(value)[:_LONGEST])} is not a {_NOT_NUMBERS[kind]}", advice
    if kind not in ("greater_than_equal", "less_than_equal"):
        return None
    least, most = getattr(option, "min", None), getattr(option, "max", None)
    words = f"less than {least}" if most is None else f"more than {most}"
    if least is not None and most is not None:
        words = f"not between {least} and {most}"
    return name, f"{value} is {words}", ""
