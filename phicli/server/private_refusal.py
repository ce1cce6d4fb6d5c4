"""How the server refuses a request that comes through the socket of its user."""

from __future__ import annotations

from starlette.responses import JSONResponse


def private_refusal(status: int, message: str, *, code: str, hint: str = "") -> JSONResponse:
    """The reply with this HTTP status; :class:`phicli.supervisor.client.RefusedError` is what a command makes of it."""
    return JSONResponse({"error": {"message": message, "hint": hint, "code": code}}, status_code=status)
