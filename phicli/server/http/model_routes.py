"""The routes that say which models there are."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phicli.server.models import Models
from phicli.server.openai.models import model_body, models_body


def model_routes(models: Models) -> list[Route]:
    """``/v1/models`` and ``/v1/models/{id}``."""

    async def listing(_: Request) -> Response:
        return JSONResponse(models_body(await asyncio.to_thread(models.names)))

    async def one(request: Request) -> Response:
        return JSONResponse(model_body(await asyncio.to_thread(models.describe, request.path_params["id"])))

    return [Route("/v1/models", listing), Route("/v1/models/{id:path}", one)]
