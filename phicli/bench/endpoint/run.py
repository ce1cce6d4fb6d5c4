"""The whole benchmark of an endpoint: which model, how to ask it, then one load after the other."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from phicli.bench.endpoint.asking import Limits, Opening, manner_of, open_endpoint
from phicli.bench.endpoint.loading import InterruptedLevel, run_level
from phicli.bench.endpoint.types import FAIR_SHARE, EndpointReport, Level, LoadLevel
from phicli.engine.endpoint.client import EndpointClient
from phicli.engine.endpoint.failures import EndpointError
from phicli.errors import NetworkError
from phicli.jobs.watch import Watch
from phicli.remotes.kinds import Kind

_LIST_S: Final = 30.0
_TOTAL: Final = 5
"""How many times longer than silence a request may take in all."""

_NO_CHAT: Final = ("embed", "rerank")
"""In the names of models that cannot chat: LM Studio and Ollama list them among the others."""


@dataclass(slots=True)
class EndpointBench:
    """One benchmark; ``report`` has what was found so far, also after a failure or Ctrl-C.

    Args:
        client: the endpoint.
        report: with nothing measured in it yet; its model is empty where the endpoint's first is meant.
        loads: what to put on it, in this order.
        silence_s: a request that is silent for so long counts as dead; while several are under way, for longer.
        chance: of the words of the prompts; it should differ from run to run, so that no cache knows them.
        watch: is told how it goes.
        kind: the product behind it; None where it is unknown.
    """

    client: EndpointClient
    report: EndpointReport
    loads: tuple[LoadLevel, ...]
    silence_s: float
    chance: random.Random
    watch: Watch
    kind: Kind | None = None

    def run(self) -> None:
        """Measure all loads, until one is no longer answered.

        Raises:
            NetworkError: the endpoint refuses, cannot be reached, or fails again and again.
            KeyboardInterrupt: Ctrl-C.
        """
        self.report = replace(self.report, complete=False)
        if not self.report.model:
            self.report = replace(self.report, model=self._first_model())
        opening = self._open()
        manner = opening.manner
        settings = {**self.report.settings, "asked_for": [*manner.extras, manner.limit]}
        self.report = replace(self.report, first_ms=opening.first_ms, server=self.client.server, settings=settings)
        for place, load in enumerate(self.loads):
            self._add(self._level(opening, load, self.loads[place + 1 :]))
        self.report = replace(self.report, complete=True)

    def _first_model(self) -> str:
        listed = self.client.models(silence_s=min(self.silence_s, _LIST_S))
        if not listed:
            url = self.client.address.shown
            raise NetworkError(f"{url} has no models", f"load a model there, or name one: phi bench {url} MODEL")
        chosen = next((name for name in listed if not any(word in name.lower() for word in _NO_CHAT)), listed[0])
        which = "the first" if chosen == listed[0] else "one"
        more = f", {which} of the endpoint's {len(listed)} models" if len(listed) > 1 else ""
        self.watch.say(f"measuring {chosen}{more}")
        return chosen

    def _open(self) -> Opening:
        first = self.loads[0]
        limits = Limits(self.silence_s, self.silence_s * _TOTAL)
        return open_endpoint(
            self.client, manner_of(self.report.model, self.kind), first.prompt_tokens, first.generated_tokens, limits,
            self.chance, self.watch.show,
        )  # fmt: skip

    def _level(self, opening: Opening, load: LoadLevel, later: tuple[LoadLevel, ...]) -> Level:
        silence_s = self.silence_s + load.concurrency * opening.warm_ms / 1000
        limits = Limits(silence_s, _TOTAL * silence_s)
        what = f"{self.report.model}: concurrency {load.concurrency}"
        seconds = _Forecast(self.report, opening.warm_ms / 1000)

        def progress(done: int) -> None:
            left = replace(load, requests=load.requests - done)
            self.watch.show(f"{what}, {done} of {load.requests}", sum(map(seconds, (left, *later))))

        progress(0)
        try:
            return run_level(self.client, opening.manner, load, limits, self.chance, progress)
        except InterruptedLevel as interruption:
            if interruption.level.answers:
                self.report = replace(self.report, levels=(*self.report.levels, interruption.level))
            raise

    def _add(self, level: Level) -> None:
        """Add ``level`` to the report.

        Raises:
            NetworkError: it ended early, or nothing of it was answered.
        """
        self.report = replace(
            self.report,
            levels=(*self.report.levels, level),
            warnings=tuple(dict.fromkeys((*self.report.warnings, *warnings_of(level)))),
        )
        if level.stopped or not level.answers:
            last = level.failures[-1]
            where = f"at concurrency {level.load.concurrency}, {len(level.failures)} of {level.load.requests} failed"
            raise EndpointError(last.kind, f"{last.message} ({where})", last.hint)


@dataclass(frozen=True, slots=True)
class _Forecast:
    """How long a load takes, from the last level, else from the warm-up; requests at a time are taken to share."""

    report: EndpointReport
    warm_s: float

    def __call__(self, load: LoadLevel) -> float:
        """Seconds."""
        done = [level for level in self.report.levels if level.answers]
        each = done[-1].wall_s / len(done[-1].answers) if done else self.warm_s
        return each * load.requests


def warnings_of(level: Level) -> tuple[str, ...]:
    """Words for what makes the numbers of ``level`` worth less."""
    found = []
    load = level.load
    if level.failures:
        kinds = ", ".join(f"{count} {_KINDS.get(kind, kind)}" for kind, count in level.failed.items())
        found.append(f"concurrency {load.concurrency}: {len(level.failures)} of {load.requests} failed ({kinds})")
    if level.client_share > FAIR_SHARE:
        found.append(
            f"concurrency {load.concurrency}: phi itself used {level.client_share:.0%} of a processor, "
            "so the endpoint may be faster than this"
        )
    if level.answers and not level.tokens_told:
        found.append(
            "the endpoint does not report token counts: chunks of text are counted instead, and a chunk may contain "
            "several tokens"
        )
    short = [one for one in level.answers if one.tokens < load.generated_tokens // 2]
    if short:
        found.append(f"{len(short)} of {len(level.answers)} answers ended before half of the requested --tokens")
    return tuple(found)


_KINDS: Final[Mapping[str, str]] = {
    "limited": "exceeded the rate limit",
    "server": "met a server error",
    "unreachable": "could not connect",
    "silent": "got no answer in time",
    "slow": "took too long",
    "garbage": "got an invalid response",
    "cut": "were cut off",
    "empty": "were empty",
    "rejected": "were rejected",
    "key": "were refused because of the API key",
    "not_found": "were not found",
    "redirect": "were redirected",
    "tls": "could not connect securely",
}


def headline_of(report: EndpointReport) -> dict[str, Any]:
    """What a list of runs shows of it beside the levels: the lengths that all of them have in common."""
    lengths = {(level.load.prompt_tokens, level.load.generated_tokens) for level in report.levels}
    if len(lengths) != 1:
        return {}
    prompt, generated = lengths.pop()
    return {"prompt_tokens": prompt, "generated_tokens": generated}
