"""The application: its routes, and what stands around them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from phicli.answering.types import Answer
from phicli.errors import PhiError
from phicli.server.http.answers import events_of
from phicli.server.models import Models
from phicli.server.openai.chat_reply import ChatReply
from phicli.server.openai.chat_request import ChatRequest, read_chat_request
from phicli.server.openai.errors import error_body, status_of


def make_app(models: Models, more: Sequence[Route] = ()) -> Starlette:
    """The application over ``models``, with ``more`` routes."""

    async def chat_completions(request: Request) -> Response:
        wanted = read_chat_request(await request.json())
        reply = ChatReply(wanted.asked.model)
        if wanted.stream:
            return StreamingResponse(_stream(models, wanted, reply), media_type="text/event-stream")
        answers = [event async for _, event in events_of(models, wanted.asked) if isinstance(event, Answer)]
        return JSONResponse(reply.whole(answers))

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[
            Route("/v1/chat/completions", chat_completions, methods=["POST"]),
            Route("/health", health),
            *more,
        ],
        exception_handlers={PhiError: _refused},
    )


async def _stream(models: Models, wanted: ChatRequest, reply: ChatReply) -> AsyncIterator[str]:
    answers: list[Answer] = []
    try:
        async for index, event in events_of(models, wanted.asked):
            if isinstance(event, Answer):
                answers.append(event)
            for chunk in reply.chunks(index, event):
                yield _event(chunk)
        if wanted.usage_chunk:
            yield _event(reply.usage_chunk(answers))
    except PhiError as error:
        yield _event(error_body(error))
    yield "data: [DONE]\n\n"


def _event(data: object) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, PhiError)  # noqa: S101 (it is registered for these)
    return JSONResponse(error_body(error), status_code=status_of(error))
