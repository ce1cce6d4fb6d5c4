"""A closed loop of requests: so many at a time, each in a thread, a new one when one ends."""

from __future__ import annotations

import itertools
import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from phicli.bench.endpoint.asking import Limits, Manner, ask
from phicli.bench.endpoint.types import Failure, Level, LoadLevel, Response
from phicli.engine.endpoint.client import EndpointClient
from phicli.engine.endpoint.failures import EndpointError, silent

_LOOK_S: Final = 0.2
_ROW: Final = 3

Result = Response | Failure
Progress = Callable[[int], None]
"""Is told how many requests have ended."""


class InterruptedLevel(KeyboardInterrupt):
    """Ctrl-C; ``level`` is what was finished."""

    def __init__(self, level: Level) -> None:
        super().__init__()
        self.level = level


def run_level(
    client: EndpointClient, manner: Manner, load: LoadLevel, limits: Limits, chance: random.Random, progress: Progress
) -> Level:
    """Put one load on the endpoint.

    It ends early after a failure that would come again, and after as many failures in a row as requests are under
    way at a time, at least three.

    Raises:
        InterruptedLevel: Ctrl-C.
    """
    words = manner.words(load.prompt_tokens)
    requests = [manner.request(words, load.generated_tokens, chance) for _ in range(load.requests)]
    loop = _Loop(lambda number: _result(client, requests[number], limits), load)
    began, own = time.perf_counter(), time.process_time()
    loop.start()
    try:
        stopped = _collect(loop, client, limits, progress)
    except KeyboardInterrupt:
        raise InterruptedLevel(_level(loop, began, own, "interrupted")) from None
    finally:
        loop.stop.set()
    return _level(loop, began, own, stopped)


@dataclass(slots=True)
class _Loop:
    """The threads and what they found; they are daemons, so that one that hangs keeps nobody.

    The thread whose failure is one too many stops them all, so that no further request is sent; ``why`` is its message.
    """

    make: Callable[[int], Result]
    load: LoadLevel
    results: list[Result] = field(default_factory=list)
    ended: queue.Queue[tuple[int, Result | None]] = field(default_factory=queue.Queue)
    began_at: dict[int, float] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    last_s: float = 0.0
    why: str = ""
    _failed_in_a_row: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        numbers = itertools.count()  # its next() is one step for all threads
        for _ in range(min(self.load.concurrency, self.load.requests)):
            threading.Thread(target=self._work, args=(numbers,), daemon=True).start()

    def add(self, number: int, result: Result) -> None:
        self.began_at.pop(number, None)
        self.results.append(result)
        self.last_s = time.perf_counter()

    def _work(self, numbers: itertools.count[int]) -> None:
        while not self.stop.is_set() and (number := next(numbers)) < self.load.requests:
            self.began_at[number] = time.monotonic()
            result: Result | None = None
            try:
                result = self.make(number)
                self._watch(result)
            except (RuntimeError, ValueError):  # what a client raises that was closed meanwhile
                if not self.stop.is_set():
                    raise
            finally:
                self.ended.put((number, result))

    def _watch(self, result: Result) -> None:
        """Stop all threads at a failure that is final, or at the last one of too many in a row."""
        with self._lock:
            failed = isinstance(result, Failure)
            self._failed_in_a_row = self._failed_in_a_row + 1 if failed else 0
            most = max(_ROW, self.load.concurrency)
            if isinstance(result, Failure) and (result.is_final or self._failed_in_a_row >= most):
                self.why = self.why or result.message
                self.stop.set()


def _collect(loop: _Loop, client: EndpointClient, limits: Limits, progress: Progress) -> str:
    """Gather results until all are there; why it ended before, else nothing."""
    while len(loop.results) < loop.load.requests:
        try:
            number, result = loop.ended.get(timeout=_LOOK_S)
        except queue.Empty:
            if given_up := _hanging(loop, limits):
                error = silent(client.address, limits.total_s)
                loop.results += [Failure(error.kind, error.message, error.hint)] * given_up
                return error.message
            continue
        if result is None:  # the thread has said which bug it is
            raise RuntimeError("a request ended unexpectedly")
        loop.add(number, result)
        progress(len(loop.results))
        if loop.why and loop.ended.empty():
            return loop.why
    return ""


def _hanging(loop: _Loop, limits: Limits) -> int:
    """Requests that are far beyond their time and do not notice it themselves."""
    limit = time.monotonic() - limits.total_s - limits.silence_s - limits.grace_s
    return sum(at < limit for at in list(loop.began_at.values()))


def _level(loop: _Loop, began: float, own: float, stopped: str) -> Level:
    wall_s = max((loop.last_s or time.perf_counter()) - began, 1e-9)
    return Level(
        load=loop.load,
        answers=tuple(one for one in loop.results if isinstance(one, Response)),
        failures=tuple(one for one in loop.results if isinstance(one, Failure)),
        wall_s=wall_s,
        client_share=(time.process_time() - own) / wall_s,
        stopped=stopped,
    )


def _result(client: EndpointClient, request: dict[str, object], limits: Limits) -> Result:
    try:
        heard = ask(client, request, limits)
    except EndpointError as error:
        return Failure(error.kind, error.message, error.hint, error.is_final)
    return Response(
        heard.arrivals_ms, heard.total_ms, heard.end.completion_tokens, heard.end.prompt_tokens, heard.end.finish_reason
    )
