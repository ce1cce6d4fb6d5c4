"""The route over which another command of the same user borrows the engine of a model."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from phicli.engine.closable import Closing
from phicli.engine.loan import LEND_TARGET, LoanRequest
from phicli.errors import PhiError
from phicli.server.lending import Lending, Lent
from phicli.server.models import Models

T = TypeVar("T")

_SOON_S: Final = 0.3
"""What is known by then is the status of the reply; after that a refusal is a line."""
_LINE_S: Final = 0.25
"""Between two lines while the model loads."""
_LOOK_S: Final = 0.5
"""Between two looks at the process of the engine."""


def lending_routes(models: Models, version: str) -> list[Route]:
    """The route; for a socket that only this user can open.

    Args:
        models: of the server.
        version: of this program.
    """

    lending = Lending(models, version)

    async def lent(request: Request) -> Response:
        try:
            wanted = LoanRequest.from_data(await request.json())
        except ValueError as error:
            return _refusal(400, f"the request is wrong: {error}")
        holding = _Holding(lambda closing: lending.lend(wanted, closing))
        try:
            await asyncio.wait({holding.known}, timeout=_SOON_S)
            if holding.known.done():
                holding.known.result()
        except (PhiError, OSError) as error:
            return _refusal(409, str(error))
        except asyncio.CancelledError:
            holding.release()
            raise
        return StreamingResponse(_lines(holding), media_type="application/x-ndjson")

    return [Route(LEND_TARGET, lent, methods=["POST"])]


class _Holding:
    """An engine that a thread borrows until :meth:`release`.

    ``known`` gets it, or what went wrong; ``ended`` gets how its process has ended.
    """

    def __init__(self, borrow: Callable[[Closing], AbstractContextManager[Lent]]) -> None:
        self._borrow, self._loop = borrow, asyncio.get_running_loop()
        self._released, self._closing = threading.Event(), Closing()
        self.known: asyncio.Future[Lent] = self._loop.create_future()
        self.ended: asyncio.Future[str] = self._loop.create_future()
        threading.Thread(target=self._run, daemon=True, name="phi-lending").start()

    def release(self) -> None:
        """Give the engine back; returns at once."""
        self._released.set()
        if not self.known.done():  # what wakes the thread may wait for the engine, and the event loop must not
            threading.Thread(target=self._closing.ask, daemon=True, name="phi-closing").start()
        self.known.cancel()
        self.ended.cancel()

    def _run(self) -> None:
        try:
            with self._borrow(self._closing) as lent:
                self._in_loop(_set, self.known, lent)
                while not self._released.wait(_LOOK_S):
                    if why := lent.ended():
                        return self._in_loop(_set, self.ended, why)
        except BaseException as error:  # noqa: BLE001 (it is raised again where it is read)
            self._in_loop(self._fail, error)

    def _fail(self, error: BaseException) -> None:
        future: asyncio.Future[Any] = self.ended if self.known.done() else self.known
        if not future.done():
            future.set_exception(error)

    def _in_loop(self, call: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(call, *arguments)


def _set(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


async def _lines(holding: _Holding) -> AsyncIterator[str]:
    """What the borrower is told; cancelled when it closes the connection."""
    try:
        began = time.monotonic()
        while not holding.known.done():
            yield _line({"loading": round(time.monotonic() - began, 1)})
            await asyncio.wait({holding.known}, timeout=_LINE_S)
        yield _line({"lent": holding.known.result().loan.to_data()})
        yield _line({"ended": await holding.ended})
    except (PhiError, OSError) as error:
        yield _line({"ended": str(error)})
    finally:
        holding.release()


def _line(data: Mapping[str, Any]) -> str:
    return json.dumps(data) + "\n"


def _refusal(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "code": "not_lent"}}, status_code=status)
