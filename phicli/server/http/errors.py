"""What can go wrong between a client and the server, with the HTTP status that says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from starlette.responses import JSONResponse

from phicli.errors import PhiError
from phicli.server.openai.errors import error_body, error_object
from phicli.server.openai.errors import status_of as status_of_others


class HttpError(PhiError):
    """A request that is refused, or an answer that is ended, before it comes to a model."""

    status: ClassVar[int]


class EndingError(HttpError):
    """The server is ending, and ends the answer."""

    code, status = "server_ends", 503


class SlowAnswerError(HttpError):
    """An answer takes longer than the server allows."""

    code, status = "timeout", 504


class BodyTooLargeError(HttpError):
    """A body has more bytes than the limit."""

    code, status = "request_too_large", 413


class SlowBodyError(HttpError):
    """A body does not come."""

    code, status = "request_timeout", 408


class KeyRequiredError(HttpError):
    """The key of a request is missing or wrong."""

    code, status = "invalid_api_key", 401


class ForbiddenError(HttpError):
    """The request comes from a web page, or through a name, that is not allowed."""

    code, status = "forbidden", 403


class UnknownRouteError(HttpError):
    """There is nothing at this path."""

    code, status = "unknown_url", 404


class MethodError(HttpError):
    """The path is there, but not with this method."""

    code, status = "method_not_allowed", 405


class ClientGone(Exception):  # noqa: N818 (nobody is there to get it as an error)
    """The client closed its connection before it had the reply."""


def status_of(error: PhiError) -> int:
    """The HTTP status that says what ``error`` means for the caller."""
    return error.status if isinstance(error, HttpError) else status_of_others(error)


def body_of(error: PhiError) -> dict[str, Any]:
    """The object that stands for ``error`` in a reply or in a stream, in OpenAI's shape."""
    if not isinstance(error, HttpError):
        return error_body(error)
    return error_object(error.message, error.hint, status=error.status, code=error.code)


def refusal(error: PhiError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The reply that says ``error``; one for a server that is busy says when to come again."""
    status = status_of(error)
    wait = {"retry-after": str(getattr(error, "retry_after_s", 2))} if status == 503 else {}
    return JSONResponse(body_of(error), status_code=status, headers={**wait, **(headers or {})})
