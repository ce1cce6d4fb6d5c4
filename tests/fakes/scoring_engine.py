"""An engine that predicts by a rule: it keeps the promises of ``phicli.bench.quality.scoring.ScoringEngine``."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from phicli.bench.launch import BenchEngine
from phicli.engine.logprobs import Scored
from phicli.engine.settings import EngineSettings
from phicli.engine.types import NO_TOKENS, GenerationEvent, Sampling
from phicli.records.run import Subject

Rule = Callable[[Sequence[int]], Mapping[int, float]]
"""The probabilities of the next token after a prompt; all that there are."""


class RuledEngine:
    """Args: the rule, what its tokeniser adds to each code point, after how many answers it is interrupted."""

    pid, load_ms, build = 1, 1.0, "ruled 1"

    def __init__(self, rule: Rule, *, shift: int = 0, context_tokens: int = 4096, fails: Callable[[int], None]) -> None:
        self._rule, self._shift, self._fails = rule, shift, fails
        self.context_tokens = context_tokens
        self.prompts: list[tuple[int, ...]] = []

    def tokenize(self, text: str, *, parse_special: bool) -> tuple[int, ...]:
        return tuple(ord(letter) + self._shift for letter in text)

    def document(self, text: str) -> tuple[int, ...]:
        return self.tokenize(text, parse_special=False)

    def generate(
        self,
        prompt: Sequence[int],
        sampling: Sampling,
        *,
        stop_ids: frozenset[int] = frozenset(),
        visible_tokens: Mapping[str, int] = NO_TOKENS,
        until: Callable[[], bool] | None = None,
    ) -> Iterator[GenerationEvent]:
        raise NotImplementedError("it only predicts")

    def score(self, prompt: Sequence[int], token_id: int, *, likeliest: int) -> Scored:
        assert len(prompt) < self.context_tokens
        self._fails(len(self.prompts))
        self.prompts.append(tuple(prompt))
        shares = sorted(self._rule(prompt).items(), key=lambda one: -one[1])
        found = {token: math.log(share) for token, share in shares}
        return Scored(token_id, found[token_id], dict(list(found.items())[:likeliest]))


class Launcher:
    """Starts ruled engines by the quant of the subject, and remembers what it did.

    Args:
        rules: by quant.
        shifts: of the tokenisers, by quant.
        fails: called before each answer with the quant and how many there were; raises what shall go wrong.
    """

    def __init__(
        self,
        rules: Mapping[str, Rule],
        *,
        shifts: Mapping[str, int] | None = None,
        fails: Callable[[str, int], None] = lambda quant, done: None,
    ) -> None:
        self._rules, self._shifts, self._fails = rules, shifts or {}, fails
        self.engines: dict[str, RuledEngine] = {}
        self.settings: list[EngineSettings] = []
        self.running = 0
        self.most_running = 0

    @contextlib.contextmanager
    def __call__(
        self,
        subject: Subject,
        settings: EngineSettings,
        context_tokens: int,
        *,
        slots: int = 1,
        llama_server: Path | None = None,
    ) -> Iterator[BenchEngine]:
        quant = subject.quant or ""
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        self.settings.append(settings)
        engine = RuledEngine(
            self._rules[quant],
            shift=self._shifts.get(quant, 0),
            context_tokens=context_tokens,
            fails=lambda done: self._fails(quant, done),
        )
        self.engines[quant] = engine
        try:
            yield engine
        finally:
            self.running -= 1
