"""One engine with a stopwatch: reading a prompt, generating tokens, and the first token from outside.

Milliseconds are the engine's own where it counts them; the time to the first token is the client's. A prompt that is
to be read differs from the one before in its first token, so that the engine knows nothing of it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from phicli.bench.launch import BenchEngine
from phicli.bench.measuring.energy import EnergyMeter
from phicli.bench.measuring.generation import FIRST_ID, Generated, generate
from phicli.bench.measuring.grid import COLD_TOKENS
from phicli.engine.starting import DEFAULT_ENGINE
from phicli.engine.types import Sampling
from phicli.errors import EngineError
from phicli.records.run import Workload

_IDS: Final = 389
_DEEP_ID: Final = 299
_WARM_UP_TOKENS: Final = 4
_WARM_UP_PROMPT: Final = 128


@dataclass(frozen=True, slots=True)
class PromptTime:
    """Milliseconds of reading a prompt by the engine's clock, and until the first token came by ours."""

    prompt_ms: float
    ttft_ms: float


@dataclass(frozen=True, slots=True)
class DecodeTime:
    """Milliseconds of generating by the engine's clock, and the joules it took; None if the machine does not report it.

    ``took_s`` is by our clock without what had to be read before. ``text`` was generated; with speculation
    ``draft_tokens`` were drafted and ``accepted_tokens`` of them accepted.
    """

    decode_ms: float
    energy_j: float | None
    took_s: float
    text: str
    draft_tokens: int
    accepted_tokens: int


@dataclass(frozen=True, slots=True)
class Pace:
    """Milliseconds of a token in a prompt and of a generated one, roughly: for telling how long the rest takes."""

    prompt_ms: float
    decode_ms: float


class Stopwatch:
    """Times ``engine``.

    Args:
        engine: with its model loaded, one sequence at a time.
        meter: tells the energy.
        clock: seconds; tests give their own.
    """

    def __init__(self, engine: BenchEngine, meter: EnergyMeter, clock: Callable[[], float] = time.perf_counter) -> None:
        self.engine = engine
        self._meter, self._clock = meter, clock
        self._prompts = 0
        self._read: tuple[int, ...] = ()

    def first_token(self) -> float:
        """Milliseconds from sending :data:`~phicli.bench.measuring.grid.COLD_TOKENS` tokens to the first token.

        Raises:
            EngineError: the engine failed.
        """
        return self.read_prompt(COLD_TOKENS).ttft_ms

    def warm_up(self, loads: Sequence[Workload]) -> Pace:
        """Do a little of what ``loads`` ask for, which is not counted: pages are read and buffers touched on first use.

        Raises:
            EngineError: the engine failed.
        """
        longest = max(COLD_TOKENS, *(one.prompt_tokens for one in loads))
        tokens = min(longest, _WARM_UP_PROMPT)
        prompt = self.read_prompt(tokens).prompt_ms / tokens
        decode = self.decode(_WARM_UP_TOKENS).decode_ms / _WARM_UP_TOKENS
        return Pace(prompt, decode)

    def read_prompt(self, tokens: int) -> PromptTime:
        """Read a prompt of ``tokens`` of which the engine knows nothing, up to the first token after it.

        Raises:
            EngineError: the engine failed, or knew a part of the prompt.
        """
        self._prompts += 1
        self._read = ()
        started = self._clock()
        made = self._run(prompt_ids(tokens, self._prompts), 1)
        done = made.done
        if done.usage.cached_tokens:
            message = f"the engine had {done.usage.cached_tokens} tokens of a new prompt in its cache"
            hint = f"try the default engine, as the times would be wrong: --engine {DEFAULT_ENGINE}"
            raise EngineError(message, hint)
        return PromptTime(done.timings.prompt_ms, (made.first_s - started) * 1000)

    def decode(self, tokens: int, depth_tokens: int = 0) -> DecodeTime:
        """Generate ``tokens`` after ``depth_tokens`` in the context, at least one.

        The tokens before are the same each time and are read only when they are not in the cache already; that time
        is not counted. The engine's clock starts with the first token, which belongs to the prompt, so one more is
        generated.

        Raises:
            EngineError: the engine failed, or ended early though it was told not to.
        """
        before = deep_ids(max(depth_tokens, 1))
        if before != self._read:
            self._run(before, 1)
        self._read = before
        return self._timed(before, tokens)

    def answer(self, prompt: tuple[int, ...], tokens: int) -> DecodeTime:
        """Generate ``tokens`` after ``prompt``; reading it is not counted, see :meth:`decode`.

        Raises:
            EngineError: the engine failed, or ended early though it was told not to.
        """
        self._read = ()
        self._run(prompt, 1)
        return self._timed(prompt, tokens)

    def _timed(self, before: tuple[int, ...], tokens: int) -> DecodeTime:
        started, joules = self._clock(), self._meter.joules()
        made = self._run(before, tokens + 1)
        done = made.done
        after, took_s = self._meter.joules(), self._clock() - started
        if done.usage.completion_tokens != tokens + 1:
            message = f"the engine ended after {done.usage.completion_tokens} of {tokens + 1} tokens"
            raise EngineError(message, f"run the command again; if it fails again, try: --engine {DEFAULT_ENGINE}")
        energy = None if joules is None or after is None else (after - joules) * tokens / (tokens + 1)
        times = done.timings
        return DecodeTime(times.decode_ms, energy, took_s, made.text, times.draft_tokens, times.accepted_tokens)

    def _run(self, prompt: tuple[int, ...], most: int) -> Generated:
        sampling = Sampling(top_k=1, max_tokens=most, ignore_eos=True)
        return generate(self.engine, prompt, sampling, self._clock)


def prompt_ids(tokens: int, turn: int) -> tuple[int, ...]:
    """Ids without a pattern; those of the next ``turn`` begin with another one."""
    chance = random.Random(turn)  # noqa: S311 (no secret)
    return (FIRST_ID + turn % _IDS, *(FIRST_ID + chance.randrange(_IDS) for _ in range(tokens - 1)))


def deep_ids(tokens: int) -> tuple[int, ...]:
    """Ids without a pattern, always the same; they begin as no prompt of :func:`prompt_ids` does."""
    return (_DEEP_ID, *prompt_ids(tokens, 0)[1:])
