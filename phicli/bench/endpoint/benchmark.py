"""Measures an endpoint under load, and saves what was found."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final

from phicli.bench.endpoint.run import EndpointBench, headline_of
from phicli.bench.endpoint.types import EndpointReport, LoadLevel
from phicli.bench.measuring.surroundings import look_around
from phicli.engine.endpoint.address import Address, read_address
from phicli.engine.endpoint.client import EndpointClient
from phicli.engine.endpoint.patience import silence_s
from phicli.errors import NetworkError, PhiError, UsageError, UserInterruptError
from phicli.jobs.watch import Watch
from phicli.records.history import Entry, History
from phicli.records.run_ids import new_run_id, now
from phicli.remotes.keys import address_of
from phicli.remotes.kinds import kind_of
from phicli.remotes.types import RemoteModelName

_FEWEST, _FEWEST_QUICK, _MOST = 8, 4, 10_000
_KEPT: Final = "the measurements made so far are shown"


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """What is asked of an endpoint: every combination of lengths (in tokens) and concurrency.

    ``model`` is empty where the endpoint's first one is meant. ``requests`` of each combination; without it ``repeat``
    times the concurrency, without that twice the concurrency and at least 8 (``quick``: 4). A ``remote`` has its own
    key, and is asked as its kind takes it.
    """

    url: str
    model: str = ""
    prompt_tokens: tuple[int, ...] = (512,)
    generated_tokens: tuple[int, ...] = (128,)
    concurrency: tuple[int, ...] = (1,)
    requests: int | None = None
    repeat: int | None = None
    quick: bool = False
    remote: RemoteModelName | None = None


@dataclass(frozen=True, slots=True)
class EndpointFindings:
    """What was measured until all was done or ``failure`` ended it; ``warnings`` belong to it."""

    report: EndpointReport
    failure: PhiError | None
    warnings: tuple[str, ...]

    @property
    def measured(self) -> bool:
        """Whether anything was answered."""
        return any(level.answers for level in self.report.levels)


def benchmark_endpoint(options: EndpointOptions, watch: Watch) -> EndpointFindings:
    """Put load on the endpoint and save what was found, all of it or what there was until a failure.

    Raises:
        UsageError: an option makes no sense here.
    """
    if 0 in options.generated_tokens:
        raise UsageError(
            "--tokens 0 leaves nothing to measure for an endpoint", "leave out --tokens: the default is 128"
        )
    silence = silence_s(os.environ)
    remote = options.remote
    address = read_address(options.url, os.environ) if remote is None else address_of(remote.remote)
    with EndpointClient(address, connections=max(options.concurrency)) as client:
        if remote is None and (warning := address.exposed_key):
            watch.say(warning)
        kind = None if remote is None else kind_of(remote.remote)
        report, chance = _report(address, options), random.Random()  # noqa: S311
        bench = EndpointBench(client, report, loads_of(options), silence, chance, watch, kind)
        failure = _run(bench)
    report = bench.report
    found = EndpointFindings(report, failure, tuple(report.warnings))
    problem = History().try_add(entry_of(report)) if found.measured else None
    return replace(found, warnings=(*found.warnings, problem)) if problem else found


def loads_of(options: EndpointOptions) -> tuple[LoadLevel, ...]:
    """Every combination of lengths and concurrency, with its number of requests, at most 10,000."""
    fewest = _FEWEST_QUICK if options.quick else _FEWEST

    def requests(concurrency: int) -> int:
        usual = max(fewest, 2 * concurrency) if options.repeat is None else options.repeat * concurrency
        return min(options.requests or usual, _MOST)

    grid = product(options.prompt_tokens, options.generated_tokens, options.concurrency)
    return tuple(LoadLevel(prompt, generated, at_a_time, requests(at_a_time)) for prompt, generated, at_a_time in grid)


def _run(bench: EndpointBench) -> PhiError | None:
    """Measure; what ended it early, None when nothing did."""
    try:
        bench.run()
    except KeyboardInterrupt:
        return UserInterruptError("interrupted", _KEPT if bench.report.levels else "")
    except NetworkError as error:
        return error
    return None


def entry_of(report: EndpointReport) -> Entry:
    """The report as the history keeps it."""
    data = report.to_data() | headline_of(report)
    cpu = str(report.hardware.get("cpu", ""))
    return Entry(report.run_id, report.made_at, "endpoint", report.model, None, report.url, report.server, cpu, data)


def _report(address: Address, options: EndpointOptions) -> EndpointReport:
    settings: dict[str, Any] = {"concurrency": list(options.concurrency), "on_this_machine": address.is_loopback}
    if options.remote is not None:
        settings |= {"remote": options.remote.remote.name, "product": options.remote.remote.kind}
    return EndpointReport(new_run_id(), now(), address.shown, options.model, "", settings, look_around().to_data())
