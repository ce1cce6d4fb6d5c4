"""Which kind of benchmark was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from phicli.commands.benching.options import BenchOptions
from phicli.ui.terminal import Terminal


def run(models: Sequence[str], options: BenchOptions) -> None:
    """Run the benchmark that ``options`` describe and show what it found."""
    terminal = Terminal.current()
    if options.url is not None:
        from phicli.commands.benching.endpoint import run_endpoint

        run_endpoint(terminal, models, options)
    elif options.tune:
        from phicli.commands.benching.tuning import run_tuning

        run_tuning(terminal, models, options)
    elif options.eval_file is not None:
        from phicli.commands.benching.evaluation import run_evaluation

        run_evaluation(terminal, models, options)
    else:
        from phicli.commands.benching.local import run_local

        run_local(terminal, models, options)
