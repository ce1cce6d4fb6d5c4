"""The routes that say which models there are."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phicli.errors import NotFoundError
from phicli.server.models import Models


def model_routes(models: Models) -> list[Route]:
    """``/v1/models`` and ``/v1/models/{id}``."""

    async def listing(_: Request) -> Response:
        names = await asyncio.to_thread(models.names)
        return JSONResponse({"object": "list", "data": [_data(name) for name in names]})

    async def one(request: Request) -> Response:
        wanted = request.path_params["id"]
        names = await asyncio.to_thread(models.names)
        for name in names:
            if name.casefold() == wanted.casefold():
                return JSONResponse(_data(name))
        raise NotFoundError(f"model {wanted[:200]!r} not found", "the models are at /v1/models")

    return [Route("/v1/models", listing), Route("/v1/models/{id:path}", one)]


def _data(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "phi"}
