"""The routes that say which models there are."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phicli.errors import NotFoundError
from phicli.server.models import Models
from phicli.server.names import ServedName
from phicli.server.openai.models import model_body, models_body


def model_routes(models: Models) -> list[Route]:
    """``/v1/models`` and ``/v1/models/{id}``."""

    async def listing(_: Request) -> Response:
        return JSONResponse(models_body(await asyncio.to_thread(models.names)))

    async def one(request: Request) -> Response:
        return JSONResponse(model_body(await asyncio.to_thread(_named, models, request.path_params["id"])))

    return [Route("/v1/models", listing), Route("/v1/models/{id:path}", one)]


def _named(models: Models, wanted: str) -> ServedName:
    """The model that a request calls ``wanted``, under that name; nothing is downloaded.

    Raises:
        NotFoundError: there is none.
    """
    names = models.names()
    same = next((name for name in names if name.id.casefold() == wanted.casefold()), None)
    if same is None and not models.options.pull:
        located = models.locate(wanted)
        same = next((name for name in names if name.id in (located.name, located.reference)), None)
    if same is None:
        raise NotFoundError(f"model {wanted[:200]!r} is not on this machine", "the models are at /v1/models")
    return replace(same, id=wanted)
