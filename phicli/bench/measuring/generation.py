"""One generation that is timed: what all measurements share, whatever they make of the times.

The engine counts milliseconds itself (:class:`~phicli.engine.types.Timings`); the first token is seen from outside.
Prompts are ids below 900, which every vocabulary of a Phi model has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from phicli.engine.types import Chunk, Done, Generator, Prefill, Sampling
from phicli.errors import EngineError

FIRST_ID: Final = 300
_PRIME: Final = 389


@dataclass(frozen=True, slots=True)
class Generated:
    """The last event, the clock (in seconds) at the first token, and the text."""

    done: Done
    first_s: float
    text: str


def generate(
    engine: Generator, prompt: Sequence[int], sampling: Sampling, clock: Callable[[], float] = time.perf_counter
) -> Generated:
    """Generate after ``prompt``, with ``clock`` in seconds.

    Raises:
        EngineError: the engine failed.
    """
    first: float | None = None
    done: Done | None = None
    pieces: list[str] = []
    for event in engine.generate(prompt, sampling):
        if first is None and not isinstance(event, Prefill):
            first = clock()
        if isinstance(event, Chunk):
            pieces.append(event.text)
        if isinstance(event, Done):
            done = event
    if done is None or first is None:
        raise EngineError("the engine ended without a final event", "run the command again")
    return Generated(done, first, "".join(pieces))


def token_ms(done: Done) -> float:
    """Milliseconds of one generated token, the mean of all but the first.

    The engine's clock starts with the first token, which belongs to the prompt; so generate one more than is timed.

    Raises:
        EngineError: the engine ended after the first token.
    """
    timed = done.usage.completion_tokens - 1
    if timed < 1:
        raise EngineError("the engine ended before there was anything to measure", "run the command again")
    return done.timings.decode_ms / timed


def ids_after(first: int, tokens: int) -> tuple[int, ...]:
    """``tokens`` ids without a pattern, beginning with ``first``; the others are the same each time."""
    return (first, *(FIRST_ID + place * place % _PRIME for place in range(1, tokens)))
