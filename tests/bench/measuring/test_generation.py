"""What all measurements of an engine share: a timed generation, the time of a token, ids for prompts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from phicli.bench.measuring.generation import generate, ids_after, token_ms
from phicli.engine.types import Chunk, Done, GenerationEvent, Prefill, Sampling, Timings, Usage
from phicli.errors import EngineError
from tests.fakes.clocked_engine import Clock, ClockedEngine


def done(tokens: int, decode_ms: float) -> Done:
    return Done("length", Usage(3, tokens, 0), Timings(1.0, decode_ms, 1.0, 1.0), None)


class Playing:
    """Plays events, and has a clock that counts how often it is asked."""

    def __init__(self, *events: GenerationEvent) -> None:
        self._events, self.asked = events, 0

    def generate(self, prompt: object, sampling: object, **_: object) -> Iterator[GenerationEvent]:
        yield from self._events

    def clock(self) -> float:
        self.asked += 1
        return float(self.asked)


def test_the_first_token_is_not_the_reading_of_the_prompt() -> None:
    engine = Playing(Prefill(1, 3, 0), Prefill(3, 3, 0), Chunk("a", (1,), 1), Chunk("b", (2,), 1), done(2, 5.0))
    made = generate(engine, (1, 2, 3), Sampling(max_tokens=2), engine.clock)  # type: ignore[arg-type]
    assert (made.done.usage.completion_tokens, made.first_s, engine.asked) == (2, 1.0, 1)
    assert made.text == "ab"


@pytest.mark.parametrize("events", [(), (Prefill(1, 3, 0),), (Chunk("a", (1,), 1),)], ids=["nothing", "prompt", "text"])
def test_an_engine_that_just_stops_has_failed(events: tuple[GenerationEvent, ...]) -> None:
    engine = Playing(*events)
    with pytest.raises(EngineError, match="without a final event"):
        generate(engine, (1,), Sampling(max_tokens=1))  # type: ignore[arg-type]


def test_the_first_token_is_not_timed() -> None:
    engine = ClockedEngine(2, Clock(layer=1.0, fixed=0.5))
    last = generate(engine, ids_after(300, 8), Sampling(max_tokens=5)).done
    assert token_ms(last) == pytest.approx(2.5)
    assert token_ms(done(5, 10.0)) == pytest.approx(2.5)
    for early in (0, 1):
        with pytest.raises(EngineError, match="before there was anything to measure"):
            token_ms(done(early, 0.0))


def test_ids_differ_in_the_first_and_are_known_to_every_vocabulary() -> None:
    one, other = ids_after(300, 64), ids_after(301, 16)
    assert (len(one), one[0], other[0]) == (64, 300, 301)
    assert one[1:16] == other[1:]
    assert max(one) < 900
    assert ids_after(299, 1) == (299,)
