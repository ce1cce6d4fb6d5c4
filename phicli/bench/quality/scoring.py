"""A text read by a model, token by token, and two such readings compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from phicli.engine.logprobs import Scored
from phicli.errors import UsageError

TOP: Final = 32
"""How many of the reference's likeliest tokens are compared one by one."""

LIKELIEST: Final = 256
"""How many log-probabilities are asked for, so that the reference's likeliest are found among the other's too."""

_LEAST_SHARE: Final = 1e-6


@runtime_checkable
class ScoringEngine(Protocol):
    """An engine that reports probabilities."""

    @property
    def build(self) -> str:
        """The engine and its version."""

    def document(self, text: str) -> tuple[int, ...]:
        """Token ids of ``text`` as a document of its own: with the begin-of-text token, where the model has one."""

    def score(self, prompt: Sequence[int], token_id: int, *, likeliest: int) -> Scored:
        """How probable ``token_id`` is after ``prompt``, beside the ``likeliest`` tokens there."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of a text is read: ``context_tokens`` before the first token that counts, then ``tokens`` that count."""

    tokens: int = 256
    context_tokens: int = 64

    @property
    def total(self) -> int:
        """Tokens in all."""
        return self.tokens + self.context_tokens


USUAL: Final = Extent()
"""About 30 s for a model of 4 billion parameters on two cores, which generates 9 tokens per second."""

QUICK: Final = Extent(tokens=64, context_tokens=32)
"""About 8 s for the same."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model made of each token of a text that counts. ``ids`` are all of the text, the context included."""

    ids: tuple[int, ...]
    steps: tuple[Scored, ...]

    @property
    def losses(self) -> tuple[float, ...]:
        """The negative log-likelihood of each token, in nats."""
        return tuple(-step.log_probability for step in self.steps)


def read(engine: ScoringEngine, text: str, extent: Extent, *, on_token: Callable[[int], None] | None = None) -> Reading:
    """Read the first tokens of ``text``; each one that counts costs about as much as generating one.

    ``on_token`` is told after each how many are done.

    Raises:
        UsageError: the text is shorter than ``extent``.
        EngineError: the engine failed.
    """
    ids = engine.document(text)[: extent.total]
    if len(ids) < extent.total:
        raise UsageError(f"the text has {len(ids)} tokens, but {extent.total} are needed", "use a longer text")
    steps = []
    for place in range(extent.context_tokens, extent.total):
        steps.append(engine.score(ids[:place], ids[place], likeliest=LIKELIEST))
        if on_token is not None:
            on_token(len(steps))
    return Reading(ids, tuple(steps))


def first_choice(step: Scored) -> int | None:
    """The likeliest token; of several that are equally likely the one with the least id."""
    best = max(step.likeliest.values(), default=0.0)
    return min((token for token, value in step.likeliest.items() if value == best), default=None)


def divergence(reference: Scored, other: Scored, top: int = TOP) -> float:
    """The Kullback-Leibler divergence of ``other`` from ``reference`` at one token, in nats, on a coarser grain.

    With the set T of the ``top`` likeliest tokens of the reference, p and q the probabilities under the reference and
    the other, and the rest R = 1 - sum over T::

        sum over t in T of p(t) ln(p(t) / q(t))  +  R_p ln(R_p / R_q)

    Putting tokens together can only make a divergence smaller: this is a lower bound of the one over the whole
    vocabulary, and a close one where T has nearly all of p. A token of T that is not among the other's ``LIKELIEST``,
    whose q is therefore not known, goes to the rest. A rest below 1e-6, which is rounding, counts as that.
    """
    shared = [token for token in list(reference.likeliest)[:top] if token in other.likeliest]
    p = {token: math.exp(reference.likeliest[token]) for token in shared}
    q = {token: math.exp(other.likeliest[token]) for token in shared}
    compared = sum(p[token] * (reference.likeliest[token] - other.likeliest[token]) for token in shared)
    rest_p, rest_q = (max(1 - math.fsum(part.values()), _LEAST_SHARE) for part in (p, q))
    return max(compared + rest_p * math.log(rest_p / rest_q), 0.0)
