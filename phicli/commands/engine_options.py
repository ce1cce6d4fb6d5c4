"""The options that set the engine: one table, from which every command that has them gets them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

import typer

from phicli.engine.types import MOST_THREADS

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class EngineOption:
    """One option: the field of the engine's settings that it sets, how it is typed, and which commands have it.

    ``least`` and ``most`` are the limits of a number; without them it is a word.
    """

    field: str
    flags: tuple[str, ...]
    help: str
    commands: tuple[str, ...] = ("bench", "eval", "autotune")
    least: int | None = None
    most: int | None = None


_MEASURING: Final = ("bench", "eval", "autotune")
ENGINE_OPTIONS: Final = (
    EngineOption(
        "threads", ("--threads", "-t"), "Threads [default: the physical cores].", ("chat", *_MEASURING), 1, MOST_THREADS
    ),
    EngineOption(
        "batch_tokens", ("--batch-size", "-b"), "Tokens of a prompt per batch [default: 128].", _MEASURING, 1, 16384
    ),
    EngineOption(
        "kv_type", ("--kv-type",), "Type of the KV cache: f16, q8_0 or q4_0 [default: f16].", ("chat", *_MEASURING)
    ),
    EngineOption("flash_attention", ("--flash-attention",), "auto, on or off [default: auto].", _MEASURING),
    EngineOption("repack", ("--repack",), "Repack the weights for the processor: on or off.", _MEASURING),
    EngineOption(
        "gpu_layers",
        ("--gpu-layers",),
        "Layers on the GPU [default: the engine decides].",
        ("chat", "bench", "eval"),
        0,
    ),
)


def engine_options(command: str, *, several: bool = False) -> Callable[[_Function], _Function]:
    """Put the engine's options in place of the parameter ``settings`` of a command.

    The command gets a mapping from field to what was typed there; what was not typed is not in it.

    Args:
        command: its name, which says which rows of the table it has.
        several: an option takes a list such as ``1,2,4``, as text.
    """

    def decorate(function: _Function) -> _Function:
        rows = {row.field: row for row in ENGINE_OPTIONS if command in row.commands}
        own = inspect.signature(function, eval_str=True)
        parameters: list[inspect.Parameter] = []
        for parameter in own.parameters.values():
            if parameter.name == "settings":
                parameters += [_parameter(row, several=several) for row in rows.values()]
            else:
                parameters.append(parameter)

        def run(**values: Any) -> Any:
            typed = {name: values.pop(name) for name in rows}
            return function(settings={name: value for name, value in typed.items() if value is not None}, **values)

        run.__name__, run.__doc__, run.__module__ = function.__name__, function.__doc__, function.__module__
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        return run  # type: ignore[return-value]

    return decorate


def _parameter(row: EngineOption, *, several: bool) -> inspect.Parameter:
    number = row.least is not None and not several
    limits = {"min": row.least, "max": row.most} if number else {}
    text = row.help + (" 1,2,4 measures each." if several and row.field == "threads" else "")
    option = typer.Option(*row.flags, help=text, **limits)  # type: ignore[arg-type]
    kind: Any = (int if number else str) | None
    return inspect.Parameter(
        row.field, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option]
    )
