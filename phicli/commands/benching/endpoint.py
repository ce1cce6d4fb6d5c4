"""``phi bench --url``: the load on an endpoint, and what is kept and shown of it."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, Final

from phicli.bench.endpoint.run import EndpointBench, headline_of
from phicli.bench.endpoint.types import EndpointReport, Load
from phicli.bench.measuring.surroundings import look_around
from phicli.commands.benching.options import BenchOptions
from phicli.engine.endpoint.address import KEY, Address, read_address
from phicli.engine.endpoint.client import EndpointClient
from phicli.engine.settings import FIELDS
from phicli.errors import NetworkError, PhiError, UsageError, UserInterruptError
from phicli.records.history import Entry, History, new_run_id, now
from phicli.ui.bench.progress import MeasuringLine
from phicli.ui.terminal import Terminal

_TIMEOUT: Final = "PHI_ENDPOINT_TIMEOUT"
_SILENCE_S: Final = 120.0
_FEWEST, _FEWEST_QUICK, _MOST = 8, 4, 10_000
_KEPT: Final = "what was measured until then is shown"


def run_endpoint(terminal: Terminal, models: Sequence[str], options: BenchOptions) -> None:
    """Measure the endpoint, keep and show what was found, all of it or what there was until a failure.

    Raises:
        UsageError: an option makes no sense here.
        NetworkError: the endpoint refuses, hangs or fails; what was measured is shown before.
        UserInterruptError: Ctrl-C; what was measured is shown before.
    """
    _check(models, options)
    loads = loads_of(options)
    silence_s = _silence_s()
    address = read_address(options.url or "", os.environ)
    with (
        MeasuringLine(terminal, enabled=not options.quiet) as line,
        EndpointClient(address, connections=max(options.concurrency)) as client,
    ):
        tell: Callable[[str], None] = (lambda _: None) if options.quiet else line.say
        _warn_of_key(address, tell)
        bench = EndpointBench(
            client, _report(address, models, options), loads, silence_s, random.Random(), _Watch(line, tell)  # noqa: S311
        )  # fmt: skip
        failure = _run(bench)
    _show(terminal, bench.report, options, failure)


def loads_of(options: BenchOptions) -> tuple[Load, ...]:
    """Every combination of lengths and concurrency, with its number of requests.

    Without ``--requests`` they are twice the concurrency and at least 8, or ``--repeat`` times the concurrency.
    """
    fewest = _FEWEST_QUICK if options.quick else _FEWEST

    def requests(concurrency: int) -> int:
        wanted = max(fewest, 2 * concurrency) if not options.repeat_typed else options.repeat * concurrency
        return min(options.requests or wanted, _MOST)

    grid = product(options.prompt_tokens, options.generated_tokens, options.concurrency)
    return tuple(Load(prompt, generated, at_a_time, requests(at_a_time)) for prompt, generated, at_a_time in grid)


class _Watch:
    """Tells the line on standard error."""

    def __init__(self, line: MeasuringLine, tell: Callable[[str], None]) -> None:
        self.show = line.show
        self.say = tell


def _run(bench: EndpointBench) -> PhiError | None:
    """Measure; what ended it early, None when nothing did."""
    try:
        bench.run()
    except KeyboardInterrupt:
        return UserInterruptError("interrupted", _KEPT if bench.report.levels else "")
    except NetworkError as error:
        return error
    return None


def _show(terminal: Terminal, report: EndpointReport, options: BenchOptions, failure: PhiError | None) -> None:
    """Keep and print what there is, then fail if something failed; as JSON both are one object.

    Raises:
        PhiError: ``failure``.
    """
    from phicli.ui.bench.endpoint import print_report, report_data

    measured = any(level.answers for level in report.levels)
    problem = History().try_add(entry_of(report)) if measured else None
    for warning in (*report.warnings, *([problem] if problem else [])):
        terminal.alarm("warning:", warning)
    if failure is None or (measured and options.output != "json"):
        print_report(terminal, report, output=options.output)
    elif report.levels:
        failure.data = report_data(report)
    if failure is not None:
        raise failure


def entry_of(report: EndpointReport) -> Entry:
    """The report as the history keeps it."""
    data = report.to_data() | headline_of(report)
    cpu = str(report.hardware.get("cpu", ""))
    return Entry(report.run_id, report.made_at, "endpoint", report.model, None, report.url, report.server, cpu, data)


def _report(address: Address, models: Sequence[str], options: BenchOptions) -> EndpointReport:
    settings: dict[str, Any] = {"concurrency": list(options.concurrency), "on_this_machine": address.is_loopback}
    return EndpointReport(
        new_run_id(), now(), address.shown, models[0] if models else "", "", settings, look_around().to_data()
    )


def _warn_of_key(address: Address, tell: Callable[[str], None]) -> None:
    if address.authorization is not None and not address.encrypted and not address.is_loopback:
        tell(f"the key goes to {address.shown} unencrypted: anybody on the way can read it")


def _silence_s() -> float:
    """Seconds without a byte after which a request counts as dead.

    Raises:
        UsageError: what the environment says is no number of seconds.
    """
    given = os.environ.get(_TIMEOUT)
    if not given:
        return _SILENCE_S
    if given.isascii() and given.isdigit() and 0 < int(given[:9]) <= 86_400 and len(given) < 9:
        return float(given)
    raise UsageError(f"{_TIMEOUT} is no number of seconds between 1 and 86400", f"for example: {_TIMEOUT}=600")


def _check(models: Sequence[str], options: BenchOptions) -> None:
    """Refuse what makes no sense with an endpoint.

    Raises:
        UsageError: something of that was asked for.
    """
    if len(models) > 1:
        raise UsageError("--url takes one model", f"measure {models[1]} with a command of its own")
    if 0 in options.generated_tokens:
        raise UsageError("--tokens 0 leaves nothing to measure of an endpoint", "leave it out: 128 are generated")
    untouched = BenchOptions()
    refused = {
        "--plot": "plot",
        "--baseline": "baseline",
        "--fail-below": "fail_below",
        "--depth": "depth_tokens",
        "--context": "context_tokens",
        "--engine": "engines",
        "--llama-server": "llama_server",
        "--tune": "tune",
        "--reset": "reset",
        "--eval": "eval_file",
        "--limit": "limit",
        "--restart": "restart",
    }
    typed = [option for option, name in refused.items() if getattr(options, name) != getattr(untouched, name)]
    for option in [*typed, *(FIELDS[name].option for name in options.settings)]:
        raise UsageError(f"{option} does not go with --url", f"leave it out; {KEY} has the endpoint's key, if any")
