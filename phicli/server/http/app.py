"""The application: its routes, and what stands around them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from phicli.errors import PhiError
from phicli.server.bugs import OnBug, ignored
from phicli.server.http.errors import MethodError, UnknownRouteError, refusal
from phicli.server.http.generation import Generation
from phicli.server.http.guard import Guard, Rules
from phicli.server.http.logged import Logged, note_of
from phicli.server.http.metrics import CONTENT_TYPE, metrics_text
from phicli.server.http.model_routes import model_routes
from phicli.server.http.traffic import Traffic
from phicli.server.models import Models
from phicli.server.openai.chat_request import read_chat_request
from phicli.server.openai.completion_request import read_completion_request

_WITHOUT_VERSION: Final = ("/chat/completions", "/completions", "/models")
"""What clients ask for whose base address lacks ``/v1``."""


@dataclass(frozen=True, slots=True)
class AppOptions:
    """How the server answers.

    Attributes:
        rules: who may come in over TCP.
        log: gets a line for each request; None: nobody gets them.
        log_prompts: these lines come with the prompts.
        on_bug: gets a line for each failure that nobody foresaw.
    """

    rules: Rules = field(default_factory=Rules)
    log: Callable[[str], None] | None = None
    log_prompts: bool = False
    on_bug: OnBug = ignored


def make_app(
    models: Models, traffic: Traffic, options: AppOptions, *, private: bool = False, routes: Sequence[Route] = ()
) -> ASGIApp:
    """The application over ``models``.

    Args:
        models: that answer.
        traffic: where requests are counted: one for all applications of this server.
        options: how it answers.
        private: for a socket that only this user can open: no key is asked for, and no name is checked.
        routes: that it has beside the usual ones.
    """
    every = [*_routes(models, traffic, options), *routes]
    patterns = {id(route.endpoint): route.path for route in every}
    app = Starlette(
        routes=every, exception_handlers={PhiError: _refused, HTTPException: _misdirected, Exception: _failed}
    )
    app.router.redirect_slashes = False
    return Logged(app if private else Guard(app, options.rules), traffic, patterns, options.log, options.on_bug)


def _routes(models: Models, traffic: Traffic, options: AppOptions) -> list[Route]:
    log_prompt = options.log if options.log_prompts else None
    chat = Generation(models, traffic, read_chat_request, log_prompt)
    completion = Generation(models, traffic, read_completion_request, log_prompt)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def metrics(_: Request) -> Response:
        states = await asyncio.to_thread(models.state)  # it looks at processes
        counted = {**models.counters.data(), "loaded": len(states)}
        return PlainTextResponse(metrics_text(traffic, counted), media_type=CONTENT_TYPE)

    return [
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/v1/completions", completion, methods=["POST"]),
        *model_routes(models),
        Route("/health", health),
        Route("/metrics", metrics),
    ]


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, PhiError)  # noqa: S101 (it is registered for these)
    note_of(request.scope).error = error.code
    return refusal(error)


async def _misdirected(request: Request, error: Exception) -> Response:
    """The reply to a request for what is not there."""
    assert isinstance(error, HTTPException)  # noqa: S101 (it is registered for these)
    where = f"{request.method[:20]} {ascii(request.url.path)[1:-1][:200]}"
    if error.status_code == MethodError.status:
        headers = dict(error.headers or {})
        allowed = headers.get("Allow", "")
        return refusal(MethodError(f"{where} is not possible", f"use {allowed}"), headers)
    path = request.url.path
    close = (
        f"use /v1{path}"
        if path in _WITHOUT_VERSION
        else "the routes are /v1/chat/completions, /v1/completions and /v1/models"
    )
    return refusal(UnknownRouteError(f"{where} does not exist", close))


async def _failed(_: Request, error: Exception) -> Response:
    del error  # it is raised again, and logged there
    return refusal(PhiError("the server failed; its log says where"))
