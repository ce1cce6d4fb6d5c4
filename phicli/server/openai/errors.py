"""Errors as OpenAI has them.

Clients send a request again where the status is 408, 409, 429 or 500 and above. So what the caller can correct never
has one of these, nor has an answer that did not get its form after several attempts.
"""

from __future__ import annotations

from typing import Any, Final

from phicli.answering.formed import FormError
from phicli.errors import (
    CheckFailedError,
    ContextExceededError,
    DoesNotFitError,
    NetworkError,
    NotAModelError,
    NotFoundError,
    PhiError,
    UnsupportedModelError,
    UsageError,
)
from phicli.server.errors import RequestError, UnknownNameError, names_a_path
from phicli.server.types import BusyError

_MENDED: Final = (UsageError, ContextExceededError, UnsupportedModelError, NotAModelError)
_BUSY: Final = (BusyError, DoesNotFitError, NetworkError)
_CODES: Final = {404: "model_not_found", 422: "answer_does_not_match"}
_OF_COMMANDS: Final = ("--", "the command again", "phi chat")
_AGAIN: Final = "send the request again"
_UNTOLD: Final = "the model cannot be used"
_SEE: Final = "the log of the server says why"
"""In place of words about the server's disk, which are for whoever runs it."""


def status_of(error: PhiError) -> int:
    """The HTTP status that says what ``error`` means for the caller."""
    if isinstance(error, NotFoundError):
        return 404
    if isinstance(error, CheckFailedError):
        return 422
    if isinstance(error, _MENDED):
        return 400
    return 503 if isinstance(error, _BUSY) else 500


def error_body(error: PhiError, *, hides_paths: bool = True) -> dict[str, Any]:
    """The object that stands for ``error`` in a reply or in a stream; ``hides_paths`` leaves out those of the server.

    A place in an answer that does not match its schema is not one, although it looks like one: ``/age``.
    """
    status = status_of(error)
    code = "context_length_exceeded" if isinstance(error, ContextExceededError) else _CODES.get(status, error.code)
    hint, told = _hint(error), error.message
    known = not hides_paths or isinstance(error, RequestError | UnknownNameError | FormError)
    if not known and names_a_path(f"{told}\n{hint}"):
        told, hint = _UNTOLD, _SEE
    return error_object(told, hint, status=status, code=code, param=_param(error))


def error_object(message: str, hint: str = "", *, status: int, code: str, param: str | None = None) -> dict[str, Any]:
    """The object of an error with this HTTP status; ``param`` is the path of a field that is wrong."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    text = f"{message}; {hint}" if hint else message
    return {"error": {"message": text, "type": kind, "param": param, "code": code}}


def _param(error: PhiError) -> str | None:
    if isinstance(error, RequestError):
        return error.param
    if isinstance(error, ContextExceededError):
        return "messages"
    return "model" if isinstance(error, NotFoundError) else None


def _hint(error: PhiError) -> str:
    """What the caller can do: options of another command than the server's are of no use to a program."""
    if isinstance(error, ContextExceededError):
        return "send fewer or shorter messages"
    if isinstance(error, FormError):
        return "say in the messages what you need, or use a simpler schema"
    hint = error.hint_for("chat")
    if hint == "run the command again":
        return _AGAIN
    of_server = "phi serve" in hint or "the server" in hint
    return "" if not of_server and any(words in hint for words in _OF_COMMANDS) else hint
