"""The routes by which other commands of this user look at the server and end it; never over TCP."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phicli.errors import NotFoundError, PhiError, UsageError
from phicli.server.http.bodies import read_object
from phicli.server.http.limits import LIMITS
from phicli.server.key import is_same_key
from phicli.server.models import Models
from phicli.server.private_refusal import private_refusal
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
        states = await asyncio.to_thread(models.state)
        return JSONResponse({**server.about(), "models": [_row(one) for one in states]})

    async def stop(request: Request) -> Response:
        try:
            order = _order(await read_object(request, LIMITS))
            stopped = await asyncio.to_thread(_stop, models, order, server.others())
        except PhiError as error:
            status = 404 if isinstance(error, NotFoundError) else 409 if isinstance(error, BusyError) else 400
            return private_refusal(status, error.message, hint=error.hint, code=error.code)
        if order["all"]:
            server.end(order["force"])
        return JSONResponse({"stopped": stopped, "ended": order["all"]})

    async def same_key(request: Request) -> Response:
        given = (await read_object(request, LIMITS)).get("key")
        return JSONResponse({"same": isinstance(given, str) and is_same_key(given, key)})

    return [
        Route("/phi/state", state),
        Route("/phi/stop", stop, methods=["POST"]),
        Route("/phi/key", same_key, methods=["POST"]),
    ]


def _order(body: Mapping[str, Any]) -> dict[str, Any]:
    """``model`` (a name or None), ``all`` and ``force``.

    Raises:
        UsageError: the model is not a string.
    """
    model = body.get("model")
    if not (model is None or isinstance(model, str)):
        raise UsageError("model is not a string")
    return {"model": model, "all": body.get("all") is True, "force": body.get("force") is True}


def _stop(models: Models, order: Mapping[str, Any], others: int) -> list[str]:
    """Unload the models of ``order``; returns their names. A server that ends unloads its models later, at its end.

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
