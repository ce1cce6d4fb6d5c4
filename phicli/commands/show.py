"""``phi show``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.model_names import complete_known
from phicli.commands.options import Json


def show(
    model: Annotated[
        str,
        typer.Argument(
            help="Model name, e.g. phi-4-mini or phi-4-mini:q4_k_m, a downloaded owner/repo, or a GGUF file.",
            autocompletion=complete_known,
        ),
    ],
    as_json: Json = False,
) -> None:
    """Show the details of a model or a GGUF file."""
    from phicli.commands.locating import as_remote
    from phicli.commands.remotes.showing import is_shown
    from phicli.errors import NotFoundError
    from phicli.plan.description import describe, look_here
    from phicli.plan.tuned_here import tuned_files
    from phicli.ui.envelope import print_result
    from phicli.ui.models.page import example_of, print_description
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    if is_shown(terminal, model, as_json=as_json):
        return None
    try:
        shown, here = look_here(describe(model), terminal.say)
    except NotFoundError as error:
        raise as_remote(error, model) from None
    tuned = tuned_files(shown)
    if as_json:
        from phicli.ui.models.data import description_data

        return print_result(terminal, "show", description_data(shown, example_of(shown), here, tuned))
    return print_description(terminal, shown, here, tuned)
