"""Errors of requests, and what a client is told of others."""

from __future__ import annotations

import re
from typing import Final

from phicli.errors import NotFoundError, UsageError

_PATH: Final = re.compile(r"(?<![\w.:/~])~?/[^\s/]|(?<!\w)[A-Za-z]:[\\/]|\\\\\w")


def names_a_path(text: str) -> bool:
    """Whether ``text`` has an absolute path, which tells a client about the disk of the server."""
    return _PATH.search(text) is not None


class UnknownNameError(NotFoundError):
    """No model of a name is served. What it says is what the client knows: its own words, and names."""


class RequestError(UsageError):
    """A request that the caller can correct.

    Attributes:
        param: the field that is wrong, such as ``messages[0].role``; None for the whole request.
    """

    code = "invalid_request"

    def __init__(self, message: str, hint: str = "", *, param: str | None = None) -> None:
        super().__init__(message, hint)
        self.param = param
