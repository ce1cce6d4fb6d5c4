"""An engine whose clock is a formula: it takes exactly the time that it is told to take, and remembers its prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from phicli.engine.types import NO_TOKENS, Done, GenerationEvent, Sampling, Timings, Usage
from phicli.errors import TemplateError


@dataclass(frozen=True, slots=True)
class Clock:
    """Milliseconds, as in :class:`phicli.fit.calibration.Calibration`."""

    layer: float
    fixed: float
    attention: float = 0.0
    prefill: float = 0.0
    prefill_attention: float = 0.0
    prefill_fixed: float = 0.0


class ClockedEngine:
    """Args: how many layers, their clock, the context, after how many tokens an answer ends by itself."""

    def __init__(self, layers: int, clock: Clock, *, context_tokens: int = 2048, ends_after: int = 1 << 30) -> None:
        self._layers, self._clock, self._context, self._ends_after = layers, clock, context_tokens, ends_after
        self.cache: tuple[int, ...] = ()
        self.prompt_lengths: list[int] = []
        self.closed = False

    @property
    def context_tokens(self) -> int:
        return self._context

    @property
    def load_ms(self) -> float:
        return 1.0

    def tokenize(self, text: str, *, parse_special: bool) -> tuple[int, ...]:
        return tuple(map(ord, text))

    def render_template(self, messages: Sequence[dict[str, str]]) -> str:
        raise TemplateError("the clocked engine has no template")

    def generate(
        self,
        prompt: Sequence[int],
        sampling: Sampling,
        *,
        stop_ids: frozenset[int] = frozenset(),
        visible_tokens: Mapping[str, int] = NO_TOKENS,
        until: Callable[[], bool] | None = None,
    ) -> Iterator[GenerationEvent]:
        assert sampling.max_tokens is not None
        assert len(prompt) + sampling.max_tokens <= self._context
        self.prompt_lengths.append(len(prompt))
        cached = next(
            (place for place, pair in enumerate(zip(self.cache, prompt, strict=False)) if pair[0] != pair[1]),
            min(len(self.cache), len(prompt) - 1),
        )
        self.cache = tuple(prompt)
        count = min(sampling.max_tokens, self._ends_after)
        # the first token is that of the prompt: the clock starts when it is there
        decode = (count - 1) * self.token_ms(len(prompt))
        usage = Usage(len(prompt), count, cached)
        yield Done("length", usage, Timings(self._prompt_ms(cached, len(prompt)), decode, 1.0, 1.0), None)

    def close(self) -> None:
        self.closed = True

    def token_ms(self, depth: int) -> float:
        return self._clock.fixed + self._layers * (self._clock.layer + depth * self._clock.attention)

    def _prompt_ms(self, first: int, end: int) -> float:
        depths = (first + end) / 2
        token = self._layers * (self._clock.prefill + depths * self._clock.prefill_attention)
        return self._clock.prefill_fixed + (end - first) * token
