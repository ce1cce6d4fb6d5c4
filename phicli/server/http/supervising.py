"""The routes by which other commands of this user look at the server and end it; never over TCP."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phicli.errors import NotFoundError, PhiError, UsageError
from phicli.units import counted


class BusyError(PhiError):
    """A model is in use, so it stays loaded."""

    code = "busy"


class Kept(Protocol):
    """The models that a server keeps loaded."""

    def state(self) -> Sequence[Mapping[str, Any]]:
        """What ``phi ps`` shows of each model; no engine is asked."""

    def let_go(self, name: str | None) -> object:
        """Give the memory of a model back, of all for None.

        Raises:
            PhiError: the model is unknown, or in use.
        """


class Ends(Protocol):
    """The server itself."""

    def about(self) -> Mapping[str, Any]:
        """What there is to say of it."""

    def others(self) -> int:
        """How many requests it answers, without the one that asks."""

    def end(self, force: bool) -> None:
        """End it when the reply was sent; with ``force`` answers are not waited for."""


def routes(kept: Kept, server: Ends) -> list[Route]:
    """``GET /phi/state`` and ``POST /phi/stop``: what there is to see and to end of the models and of the server."""

    async def state(_: Request) -> Response:
        rows = await run_in_threadpool(kept.state)
        return JSONResponse({**server.about(), "models": [dict(row) for row in rows]})

    async def stop(request: Request) -> Response:
        try:
            order = _order(await request.body())
            stopped = await run_in_threadpool(_stop, kept, order, server.others())
        except PhiError as error:
            status = 404 if isinstance(error, NotFoundError) else 409 if isinstance(error, BusyError) else 400
            body = {"message": error.message, "hint": error.hint, "code": error.code}
            return JSONResponse({"error": body}, status_code=status)
        if order["all"]:
            server.end(order["force"])
        return JSONResponse({"stopped": stopped, "ended": order["all"]})

    return [Route("/phi/state", state), Route("/phi/stop", stop, methods=["POST"])]


def _order(body: bytes) -> dict[str, Any]:
    """``model`` (a name or None), ``all`` and ``force``.

    Raises:
        UsageError: the body is something else.
    """
    try:
        order = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        order = None
    if not isinstance(order, dict):
        raise UsageError("the body is not a JSON object")
    model = order.get("model")
    if not (model is None or isinstance(model, str)):
        raise UsageError("model is not a string")
    return {"model": model, "all": order.get("all") is True, "force": order.get("force") is True}


def _stop(kept: Kept, order: Mapping[str, Any], others: int) -> list[str]:
    """Let go of what is asked for; the names of the models. Those of a server that ends are let go of when it does.

    Raises:
        BusyError: a model answers, or is lent.
        NotFoundError: the model is not loaded, or unknown.
    """
    name = None if order["all"] else order["model"]
    before = kept.state()
    busy = [row for row in before if row.get("running") and (name is None or _is(row, name))]
    if not order["force"] and (busy or (order["all"] and others)):
        names = ", ".join(f"{row['model']} ({row['running']} running)" for row in busy) or counted(others, "request")
        raise BusyError(f"in use: {names}", "wait until the answers end, or end them: add --force")
    if order["all"]:
        return [str(row["model"]) for row in before]
    kept.let_go(name)
    left = {row["model"] for row in kept.state()}
    stopped = [str(row["model"]) for row in before if row["model"] not in left]
    if name is not None and not stopped:
        raise NotFoundError(f"{name} is not loaded", "see what is loaded: phi ps")
    return stopped


def _is(row: Mapping[str, Any], name: str) -> bool:
    """Whether a row is of the model called ``name``, with or without its quantization."""
    model = str(row["model"]).casefold()
    return name.casefold() in (model, model.partition(":")[0])
