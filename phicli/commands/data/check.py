"""``phi data check``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.data.options import DataFile, complete_service
from phicli.commands.model_names import complete_here
from phicli.commands.output_format import Json


def check(
    file: DataFile,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help="Count the tokens of each example as this model reads them.",
            autocompletion=complete_here, show_default=False,
        ),
    ] = None,
    service: Annotated[
        str | None,
        typer.Option(
            "--for", help="Also refuse what this service does not take: azure, openai or trl.",
            autocompletion=complete_service, show_default=False,
        ),
    ] = None,
    validation: Annotated[
        str | None,
        typer.Option("--validation", help="Validation file: checked too, and compared.", show_default=False),
    ] = None,
    allow_key: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-key", help="Allow this key of your own next to messages. Can be repeated.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Check training data line by line; exit code 9 if it must not be used."""
    from phicli.commands.data.checking import check_files
    from phicli.training_data.checking import CheckOptions
    from phicli.training_data.findings import KEPT, SHOWN
    from phicli.training_data.services import service_called
    from phicli.ui.terminal import Terminal
    from phicli.ui.training_data import print_report

    terminal = Terminal.current()
    options = CheckOptions(service_called(service), tuple(allow_key or ()), KEPT if as_json else SHOWN)
    report = check_files(terminal, file, validation, options, model)
    print_report(terminal, report, as_json=as_json)
