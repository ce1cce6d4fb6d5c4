"""The events of the answers to one request, made in threads, read in the event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Generator
from functools import partial
from typing import Final

from starlette.types import Receive

from phicli.answering.asked import Asked
from phicli.answering.types import Answer, Event
from phicli.engine.closable import Closing
from phicli.errors import PhiError
from phicli.server.http.bridge import Bridge
from phicli.server.http.errors import ClientGone, SlowAnswerError
from phicli.server.http.logged import Note
from phicli.server.http.traffic import Traffic
from phicli.server.making import answering
from phicli.server.models import Models

_ANY_TIME_S: Final = 86_400.0


class Begun:
    """The model is there: from now on the answer is being made."""


BEGUN = Begun()
Item = tuple[int, Event | Begun]


class Answers:
    """The answers to one request. They are made from now on; :meth:`begun` must follow at once."""

    def __init__(self, models: Models, asked: Asked, traffic: Traffic, note: Note) -> None:
        self._traffic, self._note = traffic, note
        self._early: list[tuple[int, Event]] = []
        self._ended = False
        self.loading = True
        self._models, self._asked = models, asked
        traffic.waiting += 1
        self._bridge: Bridge[Item] = Bridge()
        self._bridge.add(partial(self._events, 0))

    def fail(self, error: BaseException) -> None:
        """End them with ``error``."""
        self._bridge.fail(error)

    def failed(self, error: PhiError) -> None:
        """Take note of an ``error`` that came after the reply had begun."""
        self._traffic.failed += 1
        self._note.error = error.code

    @contextlib.asynccontextmanager
    async def begun(self, receive: Receive) -> AsyncIterator[Answers]:
        """Within the context they are being made; at its end, or when the client leaves, the engine stops."""
        watching = asyncio.ensure_future(self._watch(receive))
        limit_s = self._traffic.limits.answer_s
        timer = asyncio.get_running_loop().call_later(limit_s, self.fail, _slow(limit_s))
        try:
            with self._traffic.making(self):
                yield self
        finally:
            timer.cancel()
            watching.cancel()
            self._bridge.leave()
            self._has_begun()

    async def opened(self, patience_s: float) -> None:
        """Wait for the first event, at most so long: what is wrong with the request is known then, or never.

        Raises:
            PhiError: the request cannot be answered.
        """
        until = asyncio.get_running_loop().time() + patience_s
        while not self._early and not self._ended and (left := until - asyncio.get_running_loop().time()) > 0:
            self._early = await self._next(left) or []

    async def batches(self, patience_s: float) -> AsyncIterator[list[tuple[int, Event]]]:
        """The events, as many at a time as have come; empty when none came for ``patience_s``.

        Raises:
            PhiError: the request cannot be answered, or the answer failed.
            ClientGone: nobody reads it.
        """
        if self._early:
            early, self._early = self._early, []
            yield early
        while not self._ended:
            events = await self._next(patience_s)
            if events is not None:
                yield events

    async def whole(self) -> list[Answer]:
        """The complete answers, in order. Raises what :meth:`batches` raises."""
        answers: dict[int, Answer] = {}
        async for events in self.batches(_ANY_TIME_S):
            answers |= {index: event for index, event in events if isinstance(event, Answer)}
        return [answers[index] for index in sorted(answers)]

    async def _next(self, patience_s: float) -> list[tuple[int, Event]] | None:
        """The next events; None at the end, and where there was only a sign that something begins."""
        items = await self._bridge.batch(patience_s)
        if items is None:
            self._ended = True
            return None
        events: list[tuple[int, Event]] = []
        for index, item in items:
            if isinstance(item, Begun):
                self._has_begun()
            else:
                events.append((index, item))
            if isinstance(item, Answer):
                self._count(item)
        return None if items and not events else events

    def _count(self, answer: Answer) -> None:
        self._traffic.count(answer)
        self._note.prompt_tokens = answer.usage.prompt_tokens
        self._note.completion_tokens += answer.usage.completion_tokens

    def _has_begun(self) -> None:
        if self.loading:
            self.loading = False
            self._traffic.waiting -= 1

    def _events(self, index: int, closing: Closing) -> Generator[Item, None, None]:
        """What a thread makes; the first one has the others begin, when it is known that there may be so many."""
        with self._models.lease(self._asked.model, closing) as loaded:
            yield index, BEGUN
            making = answering(loaded, self._asked, index)
            for other in range(1, self._asked.answers) if index == 0 else ():
                self._bridge.add(partial(self._events, other))
            with closing.woken_by(making.close), contextlib.closing(making):
                for event in making:
                    yield index, event

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.fail(ClientGone())


def _slow(limit_s: float) -> SlowAnswerError:
    return SlowAnswerError(f"the answer was not complete after {limit_s:g} s", "use max_tokens to limit its length")
