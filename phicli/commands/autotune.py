"""``phi autotune``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from phicli.commands.engine_options import engine_grid, engine_options
from phicli.commands.model_names import complete_runnable
from phicli.commands.options import Json, LlamaServer, MemoryCheck, Quiet, TunableEngines, engines_of, was_typed
from phicli.engine.settings import FIELDS
from phicli.errors import UsageError


@engine_options("autotune", several=True)
def autotune(
    ctx: typer.Context,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Models, named as for phi chat. With --reset, no name means all models.",
            autocompletion=complete_runnable,
            show_default=False,
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Spend one minute per model instead of three.")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Delete the saved settings.")] = False,
    *,
    settings: Any,
    memory_check: MemoryCheck = True,
    engine: TunableEngines = None,
    llama_server: LlamaServer = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the fastest engine settings for a model, and save them for phi chat."""
    from phicli.bench.tuning import autotune as tuning
    from phicli.bench.tuning.tune import TuneOptions
    from phicli.commands.remotes.elsewhere import refuse_remote
    from phicli.ui.bench.progress import measuring
    from phicli.ui.bench.tuning import print_forgotten, print_tunings

    for model in models or ():
        refuse_remote(model, "autotune")
    engines, program = engines_of(ctx, engine, llama_server)
    options = TuneOptions(engine_grid(settings), engines, program, quick=quick, memory_check=memory_check)
    others = ("quick", "memory_check", "engine", "llama_server", *(field.parameter for field in FIELDS.values()))
    if reset and any(was_typed(ctx, name) for name in others):
        raise UsageError("--reset cannot be combined with other options", "leave out the other options")
    with measuring(quiet=quiet) as (terminal, line):
        if reset:
            print_forgotten(terminal, tuning.forget(models or ()), as_json=as_json)
        else:
            print_tunings(terminal, line, tuning.autotune(models or (), options, line), as_json=as_json)
