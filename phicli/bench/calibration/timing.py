"""An engine with a stopwatch: milliseconds of a token and of a prompt, as the engine itself counts them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.bench.measuring.generation import FIRST_ID, generate, ids_after, token_ms
from phicli.engine.settings import EngineSettings
from phicli.engine.starting import DEFAULT_ENGINE, start_engine
from phicli.engine.types import Done, Engine, LoadSettings, Sampling

TOKENS: Final = 8
_SHORT_PROMPT: Final = 8


@dataclass(frozen=True, slots=True)
class Setting:
    """How the engine is set for the runs that the times are for, and where its layers are.

    ``device`` is ``cpu`` or the name of the GPU that has all layers.
    """

    engine: EngineSettings
    device: str = "cpu"


class Timed:
    """Times of ``engine``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def decode_ms(self, depth_tokens: int = _SHORT_PROMPT, tokens: int = TOKENS, turn: int = 0) -> float:
        """Milliseconds of one token after ``depth_tokens``, the mean of ``tokens``.

        The prompt of a ``turn`` is always the same: a long one is read only once.

        Raises:
            EngineError: the engine failed, or ended after the first token.
        """
        return token_ms(self._run(_prompt(depth_tokens, turn), tokens + 1))

    def prefill_ms(self, tokens: int, turn: int = 0) -> float:
        """Milliseconds of reading what is not cached of a prompt of ``tokens``; another ``turn``, another prompt.

        Raises:
            EngineError: the engine failed.
        """
        return self._run(_prompt(tokens, turn), 1).timings.prompt_ms

    def _run(self, prompt: tuple[int, ...], most: int) -> Done:
        return generate(self._engine, prompt, Sampling(max_tokens=most)).done


@contextlib.contextmanager
def timed_engine(path: Path, setting: Setting, context_tokens: int) -> Iterator[Timed]:
    """The engine in a child process, loaded as ``phi chat`` loads it for a conversation."""
    engine = start_engine(DEFAULT_ENGINE, LoadSettings(path, context_tokens, setting.engine, warmup=True))
    try:
        engine.wait_ready()
        yield Timed(engine)
    finally:
        engine.close()


def _prompt(tokens: int, turn: int = 0) -> tuple[int, ...]:
    """Ids without a pattern. A long prompt begins with the shorter long ones of its turn, never with the short one."""
    return ids_after(FIRST_ID - 1 if tokens <= _SHORT_PROMPT else FIRST_ID + turn, tokens)


Start = Callable[[Path, Setting, int], AbstractContextManager[Timed]]
"""Starts an engine on a file, as set, with a context of so many tokens; leaving it ends the engine."""
