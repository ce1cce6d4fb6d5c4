"""``phi runs list``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from phicli.commands.model_names import complete_known
from phicli.commands.options import Json, checked

if TYPE_CHECKING:
    from phicli.records.history import Entry, History


def complete_kind(incomplete: str) -> list[str]:
    """Kinds of runs that begin with ``incomplete``."""
    from phicli.records.history import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete.lower())]


def _kind(typed: str) -> object:
    from phicli.records.history import kind_of

    return kind_of(typed)


def _entries(history: History, kind: str | None, model: str | None, most: int) -> Sequence[Entry]:
    """The newest entries of ``kind`` and ``model``; an adapter belongs to the name of a model, as the list shows it."""
    from phicli.catalog.display_name import name_of, with_adapters
    from phicli.catalog.names import PLUS

    found = history.entries(kind=kind, model=model, limit=most)
    if found or model is None or PLUS not in model:
        return found
    wanted = model.lower()
    both = [(one, (name_of(one), with_adapters(one.model, one.adapters))) for one in history.entries(kind=kind)]
    return [entry for entry, names in both if wanted in map(str.lower, names)][:most]


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
            help="Only runs of this model, e.g. phi-4-mini, phi-4-mini:q4_k_m or phi-4-mini+ADAPTER.",
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
    found = _entries(open_history(terminal), wanted, model, limit + 1)
    narrowed = kind is not None or model is not None
    print_list(terminal, found[:limit], more=len(found) > limit, as_json=as_json, narrowed=narrowed)
