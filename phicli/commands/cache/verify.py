"""``phi cache verify``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.model_names import complete_here
from phicli.commands.options import Json, Quiet


def verify(
    model: Annotated[
        str | None,
        typer.Argument(
            help="Model, named as for phi rm [default: all files].", autocompletion=complete_here, show_default=False
        ),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Download damaged files again.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Hash model files and compare them with the expected hashes."""
    from phicli.hub.disk.verification import require_sound, verify_cache
    from phicli.hub.download.redownload import fetcher
    from phicli.ui.cache.tables import hashing, print_verdicts, verdict_data
    from phicli.ui.envelope import print_result
    from phicli.ui.pull_screen import PullScreen
    from phicli.ui.terminal import Terminal

    with PullScreen(terminal := Terminal.current(), quiet=quiet) as screen:
        verdicts = verify_cache(model, on_progress=hashing(screen), fetch_again=fetcher(screen) if fix else None)
    if not as_json:
        print_verdicts(terminal, verdicts)
    require_sound(verdicts, verdict_data(verdicts))
    if as_json:
        print_result(terminal, "cache verify", verdict_data(verdicts))
