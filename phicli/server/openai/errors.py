"""Errors as OpenAI has them."""

from __future__ import annotations

from typing import Any

from phicli.answering.formed import FormError
from phicli.engine.constraint import ConstraintError
from phicli.errors import (
    CheckFailedError,
    ContextExceededError,
    DoesNotFitError,
    NotFoundError,
    PhiError,
    UsageError,
)


class RequestError(PhiError):
    """A request that the caller can correct.

    Attributes:
        param: the field that is wrong, such as ``messages[0].role``; None for the whole request.
    """

    code = "invalid_request"

    def __init__(self, message: str, hint: str = "", *, param: str | None = None) -> None:
        super().__init__(message, hint)
        self.param = param


def status_of(error: PhiError) -> int:
    """The HTTP status that says what ``error`` means for the caller."""
    if isinstance(error, NotFoundError):
        return 404
    if isinstance(error, DoesNotFitError):
        return 503
    if isinstance(error, FormError | CheckFailedError):
        return 422
    return 400 if isinstance(error, RequestError | UsageError | ConstraintError | ContextExceededError) else 500


def error_body(error: PhiError) -> dict[str, Any]:
    """The object that stands for ``error`` in a reply or in a stream."""
    status = status_of(error)
    kind = "invalid_request_error" if status < 500 else "server_error"
    codes = {404: "model_not_found"}
    code = "context_length_exceeded" if isinstance(error, ContextExceededError) else codes.get(status, error.code)
    message = f"{error.message}; {error.hint}" if error.hint else error.message
    return {"error": {"message": message, "type": kind, "param": getattr(error, "param", None), "code": code}}
