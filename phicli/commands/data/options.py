"""Options that the commands of ``phi data`` share."""

from __future__ import annotations

from typing import Annotated

import typer

DataFile = Annotated[
    str,
    typer.Argument(help="File of JSON Lines, or - for standard input.", metavar="FILE", show_default=False),
]
Force = Annotated[bool, typer.Option("--force", help="Replace existing files.")]


def complete_service(incomplete: str) -> list[str]:
    """What ``--for`` takes."""
    from phicli.training_data.services import SERVICES

    return [name for name in SERVICES if name.startswith(incomplete.lower())]


def complete_format(incomplete: str) -> list[str]:
    """What ``--from`` takes."""
    from phicli.training_data.converting import FORMATS

    return [name for name in FORMATS if name.startswith(incomplete.lower())]


def complete_target(incomplete: str) -> list[str]:
    """What ``--to`` takes."""
    from phicli.training_data.formats_out import WRITERS

    return [name for name in WRITERS if name.startswith(incomplete.lower())]
