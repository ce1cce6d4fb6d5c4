"""Options that commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from phicli.commands import output_format as formats
from phicli.commands.model_names import complete_measured, complete_usable
from phicli.engine.abilities import Ability
from phicli.engine.settings import OneOf, read_list
from phicli.engine.starting import DEFAULT_ENGINE, ENGINES, LLAMA_SERVER, EngineChoice, can
from phicli.errors import UsageError

_TUNABLE: Final = tuple(name for name in ENGINES if can(name, Ability.SLOTS))


def _one_of(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]])


def complete_values(*known: str) -> Callable[[str], list[str]]:
    """The completion of an option that takes one of the ``known`` values, or several with commas between them."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [f"{before}{comma}{word}" for word in known if word.lower().startswith(last.lower())]

    return complete


def checked(read: Callable[[str], object]) -> Callable[[str | None], str | None]:
    """A callback that refuses what ``read`` refuses: so a setting of the option is refused too, when it is made."""

    def check(text: str | None) -> str | None:
        if text is not None:
            read(text)
        return text

    return check


def read_engine(typed: str) -> str:
    """The engine, where only one can be used.

    Raises:
        UsageError: there is no such engine.
    """
    return OneOf(tuple(ENGINES)).read(typed, "--engine")


def read_engines(typed: str) -> tuple[str, ...]:
    """The engines in a list.

    Raises:
        UsageError: there is no such engine.
    """
    return read_list(OneOf(tuple(ENGINES)), typed, "--engine")


Model = Annotated[
    str | None,
    typer.Argument(
        help="Model name, e.g. phi-4-mini or phi-4-mini:q4_k_m, owner/repo[:QUANT], REMOTE/MODEL, or a "
        "GGUF file [default: the model setting, else the last model used].",
        envvar="PHI_MODEL",
        autocompletion=complete_usable,
        show_default=False,
        show_envvar=False,
    ),
]


def was_typed(ctx: Any, name: str) -> bool:
    """Whether the parameter called ``name`` was typed, rather than given by a setting."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def models_of_this_machine(ctx: typer.Context, value: list[str] | None) -> list[str] | None:
    """The models that were typed, else that of the setting; for an endpoint only those that were typed."""
    return value if was_typed(ctx, "models") or not ctx.params.get("url") else None


Models = Annotated[
    list[str] | None,
    typer.Argument(
        help="Models, named as for phi chat, or MODEL+ADAPTER; several are compared "
        "[default: the model setting, else all installed models].",
        envvar="PHI_MODEL",
        autocompletion=complete_measured,
        callback=models_of_this_machine,
        show_default=False,
        show_envvar=False,
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help=f"Engine: {_one_of([*ENGINES])} [default: {DEFAULT_ENGINE}, or the one that phi autotune found faster].",
        autocompletion=complete_values(*ENGINES),
        callback=checked(read_engine),
    ),
]


def _several_engines(names: Sequence[str]) -> Any:
    """The option of a command that takes several engines, and can use those called ``names``."""
    return typer.Option(
        "--engine",
        help=f"Engine: {_one_of(names)}. Separate several with commas [default: {DEFAULT_ENGINE}].",
        autocompletion=complete_values(*names),
        callback=checked(read_engines),
    )


Engines = Annotated[str | None, _several_engines([*ENGINES])]
TunableEngines = Annotated[str | None, _several_engines(_TUNABLE)]
LlamaServer = Annotated[
    Path | None, typer.Option("--llama-server", help=f"Path to the {LLAMA_SERVER} program [default: the one on PATH].")
]
MemoryCheck = Annotated[
    bool,
    typer.Option("--memory-check/--no-memory-check", help="Refuse a model that does not seem to fit into memory."),
]
Json = formats.Json
Jsonl = Annotated[bool, typer.Option("--jsonl", help="Print JSON lines: one object per run or question.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV, for spreadsheets.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Hide progress, notices and reasoning.")]
Context = Annotated[
    int | None,
    typer.Option("--context", "-c", min=32, help="Maximum context size in tokens."),
]


def output_format(*, as_json: bool, jsonl: bool, csv: bool, markdown: bool) -> str:
    """The one format that was asked for: ``json``, ``jsonl``, ``csv``, ``markdown``, else ``text``.

    Raises:
        UsageError: more than one was.
    """
    return formats.only_one({"json": as_json, "jsonl": jsonl, "csv": csv, "markdown": markdown}) or "text"


def engines_of(ctx: typer.Context, typed: str | None, program: Path | None) -> tuple[tuple[str, ...], Path | None]:
    """The engines that were asked for, in order, and the program of the one that has one.

    A program that a setting names counts only where its engine is asked for.

    Raises:
        UsageError: there is no such engine, or a program was typed for an engine that was not asked for.
    """
    names = (DEFAULT_ENGINE,) if typed is None else read_engines(typed)
    if program is None or any(ENGINES[name].program is not None for name in names):
        return names, program
    if was_typed(ctx, "llama_server"):
        raise UsageError(f"--llama-server requires --engine {LLAMA_SERVER}", f"add --engine {LLAMA_SERVER}")
    return names, None


def engine_of(ctx: typer.Context, typed: str | None, program: Path | None) -> EngineChoice | None:
    """The engine that was asked for, None where none was.

    Raises:
        UsageError: as :func:`engines_of`.
    """
    names, program = engines_of(ctx, typed, program)
    return None if typed is None else EngineChoice(names[0], program)


def limit_of_baseline(ctx: typer.Context, baseline: str | None, fail_below: float | None) -> float | None:
    """The limit that was typed; that of a setting only where there is a baseline."""
    return fail_below if baseline is not None or was_typed(ctx, "fail_below") else None
