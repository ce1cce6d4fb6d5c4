"""Reports failures that nobody foresaw, so that the thread in which one happens can go on."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable

OnBug = Callable[[str], None]
"""Gets a line for each failure that nobody foresaw."""


def ignored(_: str) -> None:
    """An :data:`OnBug` for which nobody reads the lines."""


def report(error: Exception, on_bug: OnBug) -> None:
    """Give ``on_bug`` what failed and where, without the error's own words: a prompt could be in them.

    With ``PHI_DEBUG`` the traceback goes to standard error.
    """
    frame = traceback.extract_tb(error.__traceback__)[-1]
    on_bug(f"unexpected {type(error).__name__} in {frame.name}, line {frame.lineno} of {frame.filename}")
    if os.environ.get("PHI_DEBUG"):
        traceback.print_exception(error)
