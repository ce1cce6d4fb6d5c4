"""The events of the answers to one request, made in threads, read in the event loop."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

from phicli.answering.types import Event
from phicli.server.http.bridge import Bridge
from phicli.server.making import answering
from phicli.server.models import Models
from phicli.server.types import Asked


async def events_of(models: Models, asked: Asked) -> AsyncIterator[tuple[int, Event]]:
    """The events, each with the number of its answer; closing the iterator stops the engine.

    Raises:
        PhiError: the model cannot be loaded, or cannot answer.
    """

    def make(stops_by: Callable[[Callable[[], None]], None]) -> Iterator[tuple[int, Event]]:
        with models.lease(asked.model) as loaded:
            making = answering(loaded, asked)
            stops_by(making.close)
            with contextlib.closing(making):
                for event in making:
                    yield 0, event

    bridge = Bridge(make)
    with contextlib.closing(_Leaving(bridge)):
        async for item in bridge.items():
            yield item


class _Leaving:
    def __init__(self, bridge: Bridge[tuple[int, Event]]) -> None:
        self._bridge = bridge

    def close(self) -> None:
        self._bridge.leave()
