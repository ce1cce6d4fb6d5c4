"""Counts and logs every request, and answers those that fail in a way that nobody foresaw."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phicli.server.bugs import OnBug, report
from phicli.server.http.errors import ClientGone
from phicli.server.http.traffic import Traffic

NOTE: Final = "phi.note"
"""Where a scope has its :class:`Note`."""
_GONE: Final = 499
"""What nginx logs for a client that left before the reply."""
_OTHER: Final = "other"
_OWN: Final = "/phi/"
"""Where ``phi`` itself asks the server; such a request has a line only where it fails."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
_LONGEST: Final = 200


@dataclass(slots=True)
class Note:
    """What the routes know of a request: its model, its tokens, what went wrong."""

    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: str = ""


def note_of(scope: Scope) -> Note:
    """The note of a request, to be filled."""
    note: Note = scope.setdefault(NOTE, Note())
    return note


class Logged:
    """The application ``app``, whose requests are counted in ``traffic`` and given to ``log``, a line each.

    Args:
        app: answers.
        traffic: where requests are counted.
        patterns: the paths of routes, by the identity of their endpoints.
        log: gets the lines; None: nobody gets them.
        on_bug: gets a line for each failure that nobody foresaw.
    """

    def __init__(
        self,
        app: ASGIApp,
        traffic: Traffic,
        patterns: Mapping[int, str],
        log: Callable[[str], None] | None,
        on_bug: OnBug,
    ) -> None:
        self._app, self._traffic, self._patterns, self._log, self._on_bug = app, traffic, patterns, log, on_bug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began, note, status, complete = time.monotonic(), note_of(scope), 0, False

        async def send_and_note(message: Message) -> None:
            nonlocal status, complete
            if message["type"] == "http.response.start":
                status = message["status"]
            complete = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except ClientGone:
            status = _GONE
        except Exception as error:  # noqa: BLE001 (as in main(): a bug is reported, and the server goes on)
            note.error = "failed"
            report(error, self._on_bug)
            if not complete:
                raise ConnectionAbortedError from None  # a part of the reply was sent
        finally:
            self._write(scope, note, status, time.monotonic() - began)

    def _write(self, scope: Scope, note: Note, status: int, seconds: float) -> None:
        route = self._patterns.get(id(scope.get("endpoint")), _OTHER)
        method = scope["method"] if scope["method"] in _METHODS else _OTHER
        self._traffic.requests[method, route, status] += 1
        self._traffic.seconds[route] += seconds
        if self._log is None or (scope["path"].startswith(_OWN) and not note.error):
            return
        path = scope["raw_path"].decode("ascii", "backslashreplace")[:_LONGEST]
        parts = [scope["method"][:_LONGEST], path, str(status or _GONE)]
        parts += [ascii(note.model[:_LONGEST])[1:-1]] if note.model else []
        tokens = f"{note.prompt_tokens} + {note.completion_tokens} tokens"
        parts += [tokens] if note.prompt_tokens else []
        parts += [f"{seconds:.2f} s", *([note.error[:_LONGEST]] if note.error else [])]
        self._log(" ".join(parts))
