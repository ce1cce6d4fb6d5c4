"""The routes that say which models there are."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phicli.errors import NotFoundError
from phicli.server.models import Models
from phicli.server.openai.models import model_body, models_body


def model_routes(models: Models) -> list[Route]:
    """``/v1/models`` and ``/v1/models/{id}``."""

    async def listing(_: Request) -> Response:
        return JSONResponse(models_body(await asyncio.to_thread(models.names)))

    async def one(request: Request) -> Response:
        wanted = request.path_params["id"]
        for name in await asyncio.to_thread(models.names):
            if name.id.casefold() == wanted.casefold():
                return JSONResponse(model_body(name))
        raise NotFoundError(f"model {wanted[:200]!r} not found", "the models are at /v1/models")

    return [Route("/v1/models", listing), Route("/v1/models/{id:path}", one)]
