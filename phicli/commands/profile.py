"""The option that chooses a profile of the settings."""

from __future__ import annotations

from typing import Annotated

import typer


def complete_profile(incomplete: str) -> list[str]:
    """Profiles that begin with ``incomplete``; none where the settings cannot be read."""
    from phicli.errors import PhiError
    from phicli.settings.file import read_settings

    try:
        return [name for name in read_settings().profiles() if name.startswith(incomplete)]
    except PhiError:
        return []


Profile = Annotated[
    str | None,
    typer.Option("--profile", help="Use this profile of the settings.", autocompletion=complete_profile),
]
