"""Ctrl-C at the earliest moment after a file or folder was made: before the program knows that it is there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MAKES = ("open", "mkdir")


@contextmanager
def as_soon_as_made(folder: Path, pattern: str) -> Iterator[None]:
    """An interruption comes when the system has made the first thing in ``folder`` whose name fits ``pattern``."""

    def interrupt(_: object, event: str, function: object) -> None:
        if event == "c_return" and getattr(function, "__name__", "") in _MAKES and any(folder.glob(pattern)):
            sys.setprofile(None)
            raise KeyboardInterrupt

    before = sys.getprofile()
    sys.setprofile(interrupt)
    try:
        yield
    except KeyboardInterrupt:
        return
    finally:
        sys.setprofile(before)
    raise AssertionError("nothing was made")
