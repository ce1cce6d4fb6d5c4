"""The routes by which other commands of this user look at the server and end it; never over TCP."""

from __future__ import annotations

import hmac
import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phicli.errors import NotFoundError, PhiError, UsageError
from phicli.server.models import Models
from phicli.server.served import user_of
from phicli.server.states import ModelState
from phicli.server.types import BusyError
from phicli.units import counted

_FORCE: Final = "wait until the answers and conversations end, or end them: phi stop --all --force"

_FORCE_ONE: Final = "wait until its answers and conversations end, or end them: phi stop {} --force"


class Ends(Protocol):
    """The server itself."""

    def about(self) -> Mapping[str, Any]:
        """What there is to say of it."""

    def others(self) -> int:
        """How many requests it answers, without the one that asks."""

    def end(self, force: bool) -> None:
        """End it when the reply was sent; with ``force`` answers are not waited for."""


def supervising_routes(models: Models, server: Ends, key: str = "") -> list[Route]:
    """``GET /phi/state`` and ``POST /phi/stop``: what there is to see and to end of the models and of the server.

    ``POST /phi/key`` says whether a key is ``key``, which programs need.
    """

    async def state(_: Request) -> Response:
        states = await run_in_threadpool(models.state)
        return JSONResponse({**server.about(), "models": [_row(one) for one in states]})

    async def stop(request: Request) -> Response:
        try:
            order = _order(await request.body())
            stopped = await run_in_threadpool(_stop, models, order, server.others())
        except PhiError as error:
            status = 404 if isinstance(error, NotFoundError) else 409 if isinstance(error, BusyError) else 400
            body = {"message": error.message, "hint": error.hint, "code": error.code}
            return JSONResponse({"error": body}, status_code=status)
        if order["all"]:
            server.end(order["force"])
        return JSONResponse({"stopped": stopped, "ended": order["all"]})

    async def same_key(request: Request) -> Response:
        given = (_object(await request.body()) or {}).get("key")
        same = isinstance(given, str) and hmac.compare_digest(given.encode(errors="replace"), key.encode())
        return JSONResponse({"same": same})

    return [
        Route("/phi/state", state),
        Route("/phi/stop", stop, methods=["POST"]),
        Route("/phi/key", same_key, methods=["POST"]),
    ]


def _order(body: bytes) -> dict[str, Any]:
    """``model`` (a name or None), ``all`` and ``force``.

    Raises:
        UsageError: the body is something else.
    """
    order = _object(body)
    if order is None:
        raise UsageError("the body is not a JSON object")
    model = order.get("model")
    if not (model is None or isinstance(model, str)):
        raise UsageError("model is not a string")
    return {"model": model, "all": order.get("all") is True, "force": order.get("force") is True}


def _object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in ``body``, an empty one where there is nothing; None for anything else."""
    try:
        data = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _stop(models: Models, order: Mapping[str, Any], others: int) -> list[str]:
    """Let go of what is asked for; the names of the models. Those of a server that ends are let go of when it does.

    Raises:
        BusyError: a model answers, or is lent.
        NotFoundError: the model is not loaded, or unknown.
    """
    if order["all"]:
        before = models.state()
        used = _used(before)
        if not order["force"] and (used or others):
            raise _busy(used or [counted(others, "request")])
        return [state.name for state in before]
    try:
        return list(models.let_go(order["model"], force=order["force"]))
    except BusyError as error:
        hint = _FORCE if order["model"] is None else _FORCE_ONE.format(shlex.quote(order["model"]))
        raise BusyError(error.message, hint, retry_after_s=10) from error


def _busy(users: Sequence[str]) -> BusyError:
    return BusyError(f"in use: {', '.join(users)}", _FORCE, retry_after_s=10)


def _used(states: Sequence[ModelState]) -> list[str]:
    """The models that are in use."""
    return [user_of(one.name, lent=bool(one.loans)) for one in states if _uses(one)]


def _uses(state: ModelState) -> int:
    return state.running + state.queued + state.loans


def _row(state: ModelState) -> dict[str, Any]:
    """A model as ``phi ps`` has it."""
    return {**state.to_data(), "used": _uses(state) > 0}
