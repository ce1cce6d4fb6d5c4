"""Which setting gives an option its value, and which values it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import typer

from phicli.commands import SHARED_SETTINGS
from phicli.errors import PhiError, UsageError
from phicli.settings.key import Key, variable_of

TYPED_EACH_TIME: Final = frozenset(
    {
        *("json", "jsonl", "csv", "markdown", "openai"),  # formats for programs
        *("yes", "force", "dry_run"),  # consent
        *("calibrate", "fix", "reset", "restart", "url", "plot", "speculation", "output", "as"),  # what one run does
        "interactive",
        *("background", "print_unit"),  # how one server is started
        *("schema", "choice", "regex", "grammar", "json_object", "retries"),  # the form of one answer
        *("session", "continue", "before", "file"),  # which conversation, and what is sent
        *("reproduce", "prompt"),  # a part of one session
        *("messages", "tools", "tool_choice", "force_tools", "events", "logprobs", "samples"),  # what a program asks
        *("template", "var"),  # what is asked
        *("out", "input_format", "remote", "retry_failed"),  # one batch
        *("adapter", "base"),  # what belongs to one model
        "plan",  # files instead of a training
        "token",  # a secret
        *("help", "version", "profile"),
    }
)
"""Options that no setting can give. A setting is a preference: how a command works, not what a single run is to do."""

_CONSENT: Final = "yes"
_SENDS_WHAT_WAS_NAMED: Final = ("chat",)
"""Commands whose consent is about a file that was typed too."""
MODEL: Final = "model"
"""The key of the default model."""


def keys_of(command: str, parameters: Iterable[Any]) -> dict[str, Key]:
    """The settings of a command: the name of the parameter to its key.

    A command that asks before it acts has none: a setting must not make it remove more than what was typed.

    Args:
        command: such as ``chat`` or ``cache.verify``.
        parameters: what Typer built for its signature.
    """
    found = {parameter.name: key for parameter in parameters if (key := _key_of(command, parameter)) is not None}
    asks = command not in _SENDS_WHAT_WAS_NAMED and any(_CONSENT in flags_of(parameter) for parameter in parameters)
    return {} if asks else found


def flags_of(parameter: Any) -> tuple[str, ...]:
    """The long names of an option as keys have them: ``max_tokens`` for ``--max-tokens``; none for an argument."""
    long = (option[2:] for option in parameter.opts if option.startswith("--"))
    return tuple(name.replace("-", "_") for name in long)


def _key_of(command: str, parameter: Any) -> Key | None:
    if parameter.param_type_name == "argument":
        return Key(MODEL) if parameter.envvar == variable_of(MODEL) else None
    flags = flags_of(parameter)
    if parameter.hidden or not flags or TYPED_EACH_TIME.intersection(flags):
        return None
    shared = flags[0] if flags[0] in SHARED_SETTINGS and flags[0] != MODEL else ""
    return Key(f"{command}.{flags[0]}", shared)


def as_typed(parameter: Any, value: Any, *, from_file: bool) -> Any:
    """What would be typed for ``value``, which came from a variable (a text) or from the file (what TOML has).

    Raises:
        ValueError: it has a type that the parameter does not take.
    """
    kind = parameter.type_descriptor.annotation
    if isinstance(value, Mapping) or (isinstance(value, bool) and kind is not bool):
        raise ValueError
    if kind is bool and from_file:
        if not isinstance(value, bool):
            raise ValueError
        return value
    if takes_several(parameter):
        return [_text(item) for item in (value if isinstance(value, list) else [value])]
    return _text(value)


def taken(parameter: Any, value: Any, read: Callable[[Any], Any], *, from_file: bool) -> Any:
    """What ``read`` makes of ``value`` as it would be typed for ``parameter``.

    Raises:
        UsageError: the parameter does not take it. The message completes the sentence that begins with the value.
    """
    try:
        return read(as_typed(parameter, value, from_file=from_file))
    except PhiError as error:
        raise UsageError(f"is not valid: {error.message}", error.hint) from None
    except (ValueError, typer.BadParameter) as error:
        said = getattr(error, "message", "")
        is_text = parameter.type_descriptor.annotation not in (bool, int, float)
        raise UsageError(
            f"is not valid: {said}" if is_text and said else f"is not {what_it_takes(parameter)}"
        ) from None


def takes_several(parameter: Any) -> bool:
    """Whether the values of ``parameter`` are a list."""
    return bool(parameter.multiple or parameter.nargs == -1)


def what_it_takes(parameter: Any) -> str:
    """The values of ``parameter`` in words: ``a whole number from 1 to 512``."""
    kind = parameter.type_descriptor.annotation
    if kind is bool:
        return "true or false"
    if kind in (int, float):
        return ("a whole number" if kind is int else "a number") + _limits(parameter)
    return "a list of strings" if takes_several(parameter) else "a string"


def _limits(parameter: Any) -> str:
    least, most = parameter.min, parameter.max
    if least is None:
        return "" if most is None else f" of at most {most}"
    return f" of at least {least}" if most is None else f" from {least} to {most}"


def _text(value: Any) -> str:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ValueError
    return str(value)
