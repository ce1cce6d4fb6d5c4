"""``phi runs list``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.model_names import complete_known
from phicli.commands.options import Json, checked


def complete_kind(incomplete: str) -> list[str]:
    """Kinds of runs that begin with ``incomplete``."""
    from phicli.records.history import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete.lower())]


def _kind(typed: str) -> object:
    from phicli.records.history import kind_of

    return kind_of(typed)


def list_(
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            help="Only runs of this kind: run, endpoint, quality, tune, eval or speed.",
            autocompletion=complete_kind,
            callback=checked(_kind),
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="Only runs of this model, e.g. phi-4-mini or phi-4-mini:q4_k_m.",
            show_default=False,
            autocompletion=complete_known,
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1_000_000, help="Maximum number of runs, newest first.")
    ] = 30,
    as_json: Json = False,
) -> None:
    """List the saved runs."""
    from phicli.commands.runs.ids import open_history
    from phicli.records.history import kind_of
    from phicli.ui.bench.run_list import print_list
    from phicli.ui.terminal import Terminal

    wanted = kind_of(kind)
    terminal = Terminal.current()
    found = open_history(terminal).entries(kind=wanted, model=model, limit=limit + 1)
    narrowed = kind is not None or model is not None
    print_list(terminal, found[:limit], more=len(found) > limit, as_json=as_json, narrowed=narrowed)
