"""What goes on in the server: the answers that are being made, and the counts since it started."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from phicli.answering.types import Answer
from phicli.server.http.errors import EndingError
from phicli.server.http.limits import Limits
from phicli.server.types import BusyError


class Endable(Protocol):
    """An answer that is being made."""

    def fail(self, error: BaseException) -> None:
        """End it: its reader gets ``error``."""


@dataclass(slots=True)
class Traffic:
    """The answers that are being made, and counts. To be used from the thread of the event loop.

    Attributes:
        requests: replies by method, route and status.
        seconds: the sum of the times of all requests, by route.
        tokens: by kind: ``prompt``, ``cached`` and ``completion``.
        failed: answers that ended with an error after their reply had begun.
        waiting: requests that have no model yet.
        closing: no further answer is begun.
    """

    limits: Limits
    started: float = field(default_factory=time.time)
    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    tokens: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    waiting: int = 0
    _running: set[Endable] = field(default_factory=set)
    _none_left: asyncio.Event = field(default_factory=asyncio.Event)
    closing: bool = False
    _ending: bool = False

    @property
    def running(self) -> int:
        """Requests whose answers are being made, those that wait included."""
        return len(self._running)

    @contextmanager
    def making(self, answers: Endable) -> Iterator[None]:
        """Within the context ``answers`` are being made."""
        self._running.add(answers)
        try:
            if self._ending:
                answers.fail(_ending())
            yield
        finally:
            self._running.discard(answers)
            if not self._running:
                self._none_left.set()

    def check(self) -> None:
        """Raise where no further answer can be begun.

        Raises:
            BusyError: too many are being made or waited for.
            EndingError: the server is ending.
        """
        if self.closing:
            raise _ending()
        if len(self._running) >= self.limits.requests:
            message = f"the server is busy: {len(self._running)} requests are being answered or wait"
            raise BusyError(message, retry_after_s=2)

    def count(self, answer: Answer) -> None:
        """Add the tokens of ``answer``."""
        self.tokens["prompt"] += answer.usage.prompt_tokens
        self.tokens["cached"] += answer.usage.cached_tokens
        self.tokens["completion"] += answer.usage.completion_tokens

    def end(self) -> None:
        """End all answers now, and those that are begun later."""
        self._ending = True
        for answers in list(self._running):
            answers.fail(_ending())

    async def until_none(self, patience_s: float) -> bool:
        """Whether no answer is being made, at the latest after ``patience_s``."""
        if self._running:
            self._none_left.clear()
            try:
                await asyncio.wait_for(self._none_left.wait(), patience_s)
            except TimeoutError:
                return False
        return True


def _ending() -> EndingError:
    return EndingError("the server is ending", "start it again: phi serve")
