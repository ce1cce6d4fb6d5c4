"""The editor that a person has chosen."""

from __future__ import annotations

import os
import shlex
import sys

from phicli.errors import UsageError


def editor_command() -> list[str] | None:
    """The program and arguments in ``$VISUAL``, else in ``$EDITOR``; None where neither is set.

    Raises:
        UsageError: the variable cannot be read, e.g. a quote in it is not closed.
    """
    for variable in ("VISUAL", "EDITOR"):
        if given := os.environ.get(variable, "").strip():
            try:
                return shlex.split(given, posix=sys.platform != "win32")
            except ValueError as error:
                raise UsageError(f"{variable}={given!r} cannot be read: {error}") from None
    return None
