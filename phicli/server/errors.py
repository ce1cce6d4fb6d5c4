"""Requests that the caller can correct."""

from __future__ import annotations

from phicli.errors import UsageError


class RequestError(UsageError):
    """A request that the caller can correct.

    Attributes:
        param: the field that is wrong, such as ``messages[0].role``; None for the whole request.
    """

    code = "invalid_request"

    def __init__(self, message: str, hint: str = "", *, param: str | None = None) -> None:
        super().__init__(message, hint)
        self.param = param
