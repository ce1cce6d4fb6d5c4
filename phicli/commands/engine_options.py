"""The options that set the engine: their help, and which commands have them. Their values: ``engine/settings.py``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

import typer

from phicli.commands.options import checked, complete_values
from phicli.engine.settings import FIELDS, Whole

_Function = TypeVar("_Function", bound=Callable[..., Any])
_MEASURING: Final = ("bench", "eval", "autotune")
_ANSWERING: Final = ("chat", "serve", "batch")


@dataclass(frozen=True, slots=True)
class EngineOption:
    """How commands offer one field of the engine's settings: its help, its short form, and which commands have it."""

    field: str
    help: str
    commands: tuple[str, ...] = _MEASURING
    short: str | None = None


ENGINE_OPTIONS: Final = (
    EngineOption("threads", "Number of threads [default: number of physical cores].", (*_ANSWERING, *_MEASURING), "-t"),
    EngineOption("batch_tokens", "Prompt tokens per batch [default: 128].", short="-b"),
    EngineOption("kv_type", "KV cache type: f16, q8_0 or q4_0 [default: f16].", (*_ANSWERING, *_MEASURING)),
    EngineOption("flash_attention", "Flash attention: auto, on or off [default: auto]."),
    EngineOption(
        "repack",
        "Repack the weights for the processor: on or off [default: off].",
        (*_ANSWERING, *_MEASURING),
    ),
    EngineOption(
        "gpu_layers",
        "Number of layers on the GPU [default: depends on the command].",
        (*_ANSWERING, "bench", "eval"),
    ),
    EngineOption(
        "speculation",
        "Measure speculation on real text: ngram-simple, ngram-map-k, ngram-mod or none, e.g. none,ngram-simple.",
        ("bench",),
    ),
)


def engine_options(command: str, *, several: bool = False) -> Callable[[_Function], _Function]:
    """Put the engine's options in place of the parameter ``settings`` of a command.

    The command gets a mapping from fields to what was typed; a field that was not typed is not in it.

    Args:
        command: its name, which says which rows of the table it has.
        several: an option takes a list such as ``1,2,4``, as text.
    """

    def decorate(function: _Function) -> _Function:
        rows = [row for row in ENGINE_OPTIONS if command in row.commands]
        own = inspect.signature(function, eval_str=True)
        parameters: list[inspect.Parameter] = []
        for parameter in own.parameters.values():
            if parameter.name == "settings":
                parameters += [_parameter(row, several=several) for row in rows]
            else:
                parameters.append(parameter)

        def run(**values: Any) -> Any:
            typed = {row.field: values.pop(FIELDS[row.field].parameter) for row in rows}
            return function(settings={name: value for name, value in typed.items() if value is not None}, **values)

        run.__name__, run.__doc__, run.__module__ = function.__name__, function.__doc__, function.__module__
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        return run  # type: ignore[return-value]

    return decorate


def engine_grid(typed: Mapping[str, str]) -> Mapping[str, tuple[Any, ...]]:
    """The values in each list that was typed, by field.

    Raises:
        UsageError: a value makes no sense.
    """
    return {name: FIELDS[name].read_list(text) for name, text in typed.items()}


def _parameter(row: EngineOption, *, several: bool) -> inspect.Parameter:
    field = FIELDS[row.field]
    number = field.kind if isinstance(field.kind, Whole) and not several else None
    flags = [field.option, *([row.short] if row.short else [])]
    limits = {"min": max(number.least, 0), "max": number.most} if number else {}
    text = f"{row.help} Separate several with commas, e.g. 1,2,4." if several and row.field == "threads" else row.help
    kind: Any = (int if number else str) | None
    check = None if number else checked(field.read_list if several else field.read)
    values = complete_values(*known) if (known := field.kind.typed) else None
    option = typer.Option(*flags, help=text, callback=check, autocompletion=values, **limits)  # type: ignore[arg-type]
    return inspect.Parameter(
        field.parameter, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option]
    )
