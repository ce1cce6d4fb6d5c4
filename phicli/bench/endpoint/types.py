"""What a benchmark of an endpoint asks and finds, as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from phicli.records.statistics import Summary, percentile, summary

FAIR_SHARE: Final = 0.5
"""Of one processor: a client that uses more of it may be what is measured."""


@dataclass(frozen=True, slots=True)
class LoadLevel:
    """One level of load: so many requests, ``concurrency`` of them at a time, each of these lengths in tokens."""

    prompt_tokens: int
    generated_tokens: int
    concurrency: int
    requests: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request failed: a kind of :class:`phicli.engine.endpoint.failures.EndpointError`, and its words."""

    kind: str
    message: str
    hint: str = ""
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """One request that was answered whole. Times are in milliseconds from sending it, in order of arrival.

    Args:
        arrivals_ms: when each piece of text came; several may have come at once.
        total_ms: until the stream ended.
        told_tokens: generated, as the endpoint says; None where it does not.
        prompt_tokens: the same of the prompt.
        finish_reason: as the endpoint says.
    """

    arrivals_ms: tuple[float, ...]
    total_ms: float
    told_tokens: int | None
    prompt_tokens: int | None
    finish_reason: str | None = None

    @property
    def tokens(self) -> int:
        """Generated tokens: those told, else the pieces of text, which most endpoints send one a token."""
        return self.told_tokens or len(self.arrivals_ms)

    @property
    def ttft_ms(self) -> float:
        """To the first text."""
        return self.arrivals_ms[0]

    @property
    def gaps_ms(self) -> tuple[float, ...]:
        """From each piece of text to the next."""
        return tuple(b - a for a, b in zip(self.arrivals_ms, self.arrivals_ms[1:], strict=False))

    @property
    def decode_tps(self) -> float | None:
        """Tokens per second from the first text to the last; None when all came at once."""
        later = [at for at in self.arrivals_ms if at > self.arrivals_ms[0]]
        if not later:
            return None
        share = len(later) / len(self.arrivals_ms)
        return 1000 * self.tokens * share / (later[-1] - self.arrivals_ms[0])

    @property
    def total_tps(self) -> float:
        """Generated tokens per second of the whole request, waiting and reading the prompt included."""
        return 1000 * self.tokens / self.total_ms

    def to_data(self) -> dict[str, Any]:
        """Its JSON form."""
        return {
            "ttft_ms": self.ttft_ms,
            "total_ms": self.total_ms,
            "prompt_tokens": self.prompt_tokens,
            "generated_tokens": self.tokens,
            "tokens_told": self.told_tokens is not None,
            "decode_tps": self.decode_tps,
            "total_tps": self.total_tps,
            "gap_ms": quantiles(self.gaps_ms),
            "finish_reason": self.finish_reason,
        }


@dataclass(frozen=True, slots=True)
class Level:
    """What came of one :class:`LoadLevel`.

    ``wall_s`` is from the first request to the end of the last; ``client_share`` the part of one processor that
    ``phi`` itself used meanwhile. ``stopped`` says why not all requests were made, empty when they were.
    """

    load: LoadLevel
    answers: tuple[Response, ...]
    failures: tuple[Failure, ...]
    wall_s: float
    client_share: float
    stopped: str = ""

    @property
    def throughput_tps(self) -> float | None:
        """Generated tokens per second of all requests together; None where none was answered."""
        tokens = sum(one.tokens for one in self.answers)
        return tokens / self.wall_s if tokens and self.wall_s else None

    @property
    def in_flight(self) -> float | None:
        """Answered requests that were under way at a time, on average: below ``concurrency`` at the end."""
        return sum(one.total_ms for one in self.answers) / 1000 / self.wall_s if self.answers else None

    @property
    def tokens_told(self) -> bool:
        """Whether the endpoint counted all generated tokens itself."""
        return all(one.told_tokens for one in self.answers)

    @property
    def ttft_ms(self) -> Mapping[str, float] | None:
        """Median and 95th percentile of the time to the first text."""
        return quantiles([one.ttft_ms for one in self.answers])

    @property
    def gap_ms(self) -> Mapping[str, float] | None:
        """The same of the times between pieces of text, of all answers together."""
        return quantiles([gap for one in self.answers for gap in one.gaps_ms])

    @property
    def decode_tps(self) -> Summary | None:
        """Tokens per second that one request sees after its first."""
        return summary([one.decode_tps for one in self.answers if one.decode_tps])

    @property
    def failed(self) -> Mapping[str, int]:
        """How many requests failed, by kind, the most frequent first."""
        return dict(Counter(one.kind for one in self.failures).most_common())

    def to_data(self) -> dict[str, Any]:
        """Its JSON form: the answers, and what is derived from them beside."""
        prompts = [one.prompt_tokens for one in self.answers if one.prompt_tokens]
        return {
            "concurrency": self.load.concurrency,
            "prompt_tokens": self.load.prompt_tokens,
            "generated_tokens": self.load.generated_tokens,
            "requests": self.load.requests,
            "answered": len(self.answers),
            "failed": dict(self.failed),
            "failures": sorted({one.message for one in self.failures}),
            "stopped": self.stopped or None,
            "wall_s": self.wall_s,
            "client_cpu_share": self.client_share,
            "in_flight": self.in_flight,
            "requests_per_s": len(self.answers) / self.wall_s if self.wall_s else None,
            "throughput_tps": self.throughput_tps,
            "tokens_told": self.tokens_told,
            "told_prompt_tokens": mean_of(prompts),
            "mean_generated_tokens": mean_of([one.tokens for one in self.answers]),
            "ttft_ms": self.ttft_ms,
            "total_ms": quantiles([one.total_ms for one in self.answers]),
            "gap_ms": self.gap_ms,
            "decode_tps": mean_and_stdev(self.decode_tps),
            "total_tps": mean_and_stdev(summary([one.total_tps for one in self.answers])),
            "answers": [one.to_data() for one in self.answers],
        }


@dataclass(frozen=True, slots=True)
class EndpointReport:
    """All levels of one endpoint. ``url`` is what may be shown of it; ``server`` what it calls itself.

    ``first_ms`` is how long the very first answer took, which may have loaded the model. ``complete`` is False when
    it was interrupted or gave up.
    """

    run_id: str
    made_at: str
    url: str
    model: str
    server: str
    settings: Mapping[str, Any]
    hardware: Mapping[str, Any]
    levels: tuple[Level, ...] = ()
    first_ms: float | None = None
    warnings: tuple[str, ...] = ()
    complete: bool = True

    def to_data(self) -> dict[str, Any]:
        """Its form in ``--json`` and in the history."""
        return {
            "run_id": self.run_id,
            "made_at": self.made_at,
            "url": self.url,
            "model": self.model,
            "server": self.server or None,
            "settings": dict(self.settings),
            "first_ms": self.first_ms,
            "levels": [level.to_data() for level in self.levels],
            "hardware": dict(self.hardware),
            "warnings": list(self.warnings),
            "complete": self.complete,
        }


def quantiles(values: Sequence[float]) -> dict[str, float] | None:
    """``p50`` and ``p95``; None without values."""
    return {"p50": percentile(values, 50), "p95": percentile(values, 95)} if values else None


def mean_of(values: Sequence[float]) -> float | None:
    """Their mean; None without values."""
    return sum(values) / len(values) if values else None


def mean_and_stdev(found: Summary | None) -> dict[str, float] | None:
    """The JSON form of a summary."""
    return {"mean": found.mean, "stdev": found.stdev} if found else None
