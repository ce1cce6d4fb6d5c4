"""``phi engine build``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phicli.commands.options import Json, Quiet


def build(
    sdist: Annotated[
        Path | None,
        typer.Option(
            "--sdist",
            help="Source archive of the installed engine, for use without network access [default: download it].",
            show_default=False,
        ),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Compile, test and save engine kernels for this processor.

    The sources are those of the installed engine. This takes about a minute and needs a C++ compiler. Kernels that
    fail their trial, or are not faster than those of the wheel, are not saved.
    """
    from phicli.kernels.build import build as build_kernels
    from phicli.ui.engine.build_screen import BuildScreen, print_outcome
    from phicli.ui.terminal import Terminal
    from phicli.ui.tidy_end import tidy_end

    terminal = Terminal.current()
    with tidy_end(), BuildScreen(terminal, quiet=quiet) as screen:
        outcome = build_kernels(sdist, screen)
    print_outcome(terminal, outcome, quiet=quiet, as_json=as_json)
