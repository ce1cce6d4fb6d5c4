"""Which kind of benchmark was asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from phicli.commands.benching.hints import bench_hints
from phicli.commands.benching.options import BenchOptions
from phicli.commands.threads import tell_threads
from phicli.ui.terminal import Terminal


def run(models: Sequence[str], options: BenchOptions) -> None:
    """Run the benchmark that ``options`` describe and show what it found."""
    terminal = Terminal.current()
    if not options.quiet:
        tell_threads(options.settings.get("threads", ()), terminal.say)
    with bench_hints():
        _kind_of(options)(terminal, models, options)


def _kind_of(options: BenchOptions) -> Callable[[Terminal, Sequence[str], BenchOptions], None]:
    """What runs the kind of benchmark that is asked for."""
    if options.url is not None:
        from phicli.commands.benching.endpoint import run_endpoint

        return run_endpoint
    if options.tune:
        from phicli.commands.benching.tuning import run_tuning

        return run_tuning
    if options.eval_file is not None:
        from phicli.commands.benching.evaluation import run_evaluation

        return run_evaluation
    from phicli.commands.benching.local import run_local

    return run_local
