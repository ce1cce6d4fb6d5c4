"""The two kinds of subject that ``phi bench`` has: models on this machine, and an endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from phicli.bench.endpoint.benchmark import EndpointOptions, benchmark_endpoint
from phicli.bench.local_models import benchmark
from phicli.bench.options import BenchOptions
from phicli.ui.bench.progress import measuring


def bench_endpoint(options: EndpointOptions, *, output: str, quiet: bool) -> None:
    """Measure an endpoint and show what was found."""
    from phicli.commands.measured_models import say_of_remotes
    from phicli.ui.bench.endpoint import print_findings

    with measuring(quiet=quiet) as (terminal, line):
        say_of_remotes(terminal, [options.remote] if options.remote else [], quiet=quiet)
        findings = benchmark_endpoint(options, line)
    print_findings(terminal, findings, output=output)


def bench_models(models: Sequence[str], options: BenchOptions, *, plot: Path | None, output: str, quiet: bool) -> None:
    """Measure models of this machine and show what was found."""
    from phicli.ui.bench.plot import check_plot
    from phicli.ui.bench.repeat_command import command_of
    from phicli.ui.bench.report import print_findings

    if plot is not None:
        check_plot(plot)
    with measuring(quiet=quiet) as (terminal, line):
        findings = benchmark(models, options, line)
    command = command_of(
        findings.planned, llama_server=options.llama_server, quick=options.quick, quality=options.quality
    )
    print_findings(terminal, findings, output=output, plot=plot, command=command)
