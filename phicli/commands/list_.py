"""``phi list``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.options import Json, checked


def complete_family(incomplete: str) -> list[str]:
    """Families that begin with ``incomplete``."""
    from phicli.catalog.load import catalog

    known = dict.fromkeys(variant.family for variant in catalog().variants)
    return [name for name in known if name.lower().startswith(incomplete.lower())]


def _family(typed: str) -> object:
    from phicli.plan.overview import family_named

    return family_named(typed)


def list_(
    everything: Annotated[
        bool, typer.Option("--all", "-a", help="Also list models that cannot run on this machine.")
    ] = False,
    only_installed: Annotated[bool, typer.Option("--installed", help="List only models on this machine.")] = False,
    family: Annotated[
        str | None,
        typer.Option(
            "--family",
            help="List only one family, e.g. phi-3.5.",
            autocompletion=complete_family,
            callback=checked(_family),
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the Phi models: size, strengths, and which are installed."""
    from phicli.commands.remotes.elsewhere import names_to_list
    from phicli.plan.overview import overview
    from phicli.ui.envelope import print_result
    from phicli.ui.terminal import Terminal

    terminal, names = Terminal.current(), names_to_list(Terminal.current())
    found = overview(everything=everything, only_installed=only_installed, family=family)
    if as_json:
        from phicli.ui.models.data import overview_data

        return print_result(terminal, "list", {**overview_data(found), "remotes": list(names)})
    from phicli.ui.models.table import print_models

    return print_models(terminal, found, only_installed=only_installed, remotes=names)
