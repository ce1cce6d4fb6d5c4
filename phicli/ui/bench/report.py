"""What ``phi bench`` found: for people, for programs, for documents, and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phicli.errors import PhiError, UserInterruptError
from phicli.records.run import Run
from phicli.ui.bench.comparisons import baseline_lines, ratio_lines
from phicli.ui.bench.figures import signs_of
from phicli.ui.bench.run_facts import shape_of
from phicli.ui.bench.table import print_table
from phicli.ui.envelope import print_result
from phicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from phicli.bench.local_models import BenchFindings
    from phicli.bench.quality.types import Quality
    from phicli.bench.runs.compare import BaselineResult, Ratio


def print_findings(terminal: Terminal, found: BenchFindings, *, output: str, plot: Path | None, command: str) -> None:
    """Show what was measured, then fail if something failed; as ``json`` both are in one object.

    Args:
        terminal: where to.
        found: what was measured.
        output: ``text``, ``json``, ``jsonl``, ``csv`` or ``markdown``.
        plot: the picture to draw; where something failed, not being able to is a warning.
        command: measures the same again.

    Raises:
        PhiError: ``found.failure``.
        OutputClosedError, OSError: as for :func:`print_runs`.
    """
    for warning in found.warnings:
        terminal.alarm("warning:", warning)
    failure, runs = found.failure, found.runs
    if runs and failure is not None and plot is not None:
        draw_or_warn(terminal, runs, plot)
        plot = None
    if runs and not (failure is not None and output == "json"):
        print_runs(
            terminal, runs, output=output, ratios=found.ratios, baseline=found.baseline, qualities=found.qualities,
            plot=plot, command=command,
        )  # fmt: skip
    elif runs and failure is not None:
        failure.data = report_data(runs, found.ratios, found.baseline, found.qualities)
    if failure is not None:
        raise failure


def print_runs(
    terminal: Terminal,
    runs: Sequence[Run],
    *,
    output: str,
    ratios: Sequence[Ratio] = (),
    baseline: BaselineResult | None = None,
    qualities: Sequence[Quality] = (),
    plot: Path | None = None,
    command: str = "",
) -> None:
    """Show ``runs`` as ``output`` says (``text``, ``json``, ``jsonl``, ``csv`` or ``markdown``), then draw them.

    ``command`` measures the same again; without it, that follows from ``runs``.

    With ``json`` they are drawn first, so that a failure is told in the one object that is printed, which has the runs.
    A plot is drawn even where standard output takes nothing.

    Raises:
        OutputClosedError: the reader has closed it.
        UsageError, DoesNotFitError: there is nothing to draw with, or the plot cannot be written.
        UserInterruptError: it was interrupted while it was drawn.
        OSError: standard output cannot be written.
    """
    data = report_data(runs, ratios, baseline, qualities) if output == "json" else None
    if data is not None and plot is not None:
        _draw_before(terminal, runs, plot, data)
    try:
        if data is not None:
            print_result(terminal, "bench", data)
        elif output in ("jsonl", "csv"):
            _print_records(terminal, runs, output)
        elif runs:
            compared = [*ratio_lines(ratios), *(baseline_lines(baseline) if baseline is not None else ())]
            _print_text(terminal, runs, output, compared, qualities, command)
        for warning in warnings_of(runs):
            terminal.alarm("warning:", warning)
    finally:
        if data is None and plot is not None:
            draw_plot(terminal, runs, plot)


def report_data(
    runs: Sequence[Run],
    ratios: Sequence[Ratio] = (),
    baseline: BaselineResult | None = None,
    qualities: Sequence[Quality] = (),
) -> dict[str, Any]:
    """What ``phi bench --json`` carries; ``hardware`` is that of the first run."""
    return {
        "hardware": dict(runs[0].hardware) if runs else {},
        "runs": [run.to_data() for run in runs],
        "ratios": [ratio.to_data() for ratio in ratios],
        "baseline": baseline.to_data() if baseline else None,
        "quality": [quality.to_data() for quality in qualities],
    }


def warnings_of(runs: Sequence[Run]) -> tuple[str, ...]:
    """The warnings of ``runs``, each once; one that is not about all of them says about which."""
    if not runs:
        return ()
    shape = shape_of(runs)
    found: dict[str, list[str]] = {}
    for run, label in zip(runs, shape.labels, strict=True):
        setting = shape.setting(run)
        for warning in dict.fromkeys(run.warnings):
            found.setdefault(warning, []).append(f"{label} ({setting})" if setting else label)
    return tuple(
        warning if len(names) == len(runs) else f"{'; '.join(names)}: {warning}" for warning, names in found.items()
    )


def _print_records(terminal: Terminal, runs: Sequence[Run], output: str) -> None:
    from phicli.ui.bench.printers import print_csv, print_jsonl

    (print_csv if output == "csv" else print_jsonl)(terminal, runs)


def _print_text(
    terminal: Terminal,
    runs: Sequence[Run],
    output: str,
    compared: Sequence[str],
    qualities: Sequence[Quality],
    command: str,
) -> None:
    """The table for people, on a terminal, in a pipe or in Markdown, and below it what was compared."""
    if output == "markdown":
        from phicli.ui.bench.printers import print_markdown

        print_markdown(terminal, runs, [*compared, *_sentences(qualities)], command)
        return
    lines = list(compared)
    if qualities:
        from phicli.ui.bench.quality import quality_lines

        lines += [*([""] if lines else []), *quality_lines(qualities, signs_of(terminal.stdout))]
    print_table(terminal, runs, lines)


def _sentences(qualities: Sequence[Quality]) -> Iterator[str]:
    if qualities:
        from phicli.ui.bench.quality import quality_sentences

        yield from quality_sentences(qualities)


def draw_or_warn(terminal: Terminal, runs: Sequence[Run], path: Path) -> None:
    """Draw ``runs``; not being able to is a warning, for something else that failed is to be told."""
    try:
        draw_plot(terminal, runs, path)
    except PhiError as error:
        terminal.alarm("warning:", error.message)


def _draw_before(terminal: Terminal, runs: Sequence[Run], path: Path, data: Mapping[str, Any]) -> None:
    """Draw ``runs``; what goes wrong takes ``data`` along, which nobody has seen yet.

    Raises:
        UsageError, DoesNotFitError, UserInterruptError: as for :func:`print_runs`, with ``data``.
    """
    try:
        draw_plot(terminal, runs, path)
    except KeyboardInterrupt:
        raise UserInterruptError("interrupted", data=data) from None
    except PhiError as error:
        error.data = data
        raise


def draw_plot(terminal: Terminal, runs: Sequence[Run], path: Path) -> None:
    """Draw ``runs`` into ``path`` and say so, or say that there is nothing to draw."""
    from phicli.ui.bench.plot import draw

    if not any(run.prompt_tps or run.decode_tps for run in runs):
        terminal.say("no measurement can be plotted: the plot was not written")
        return
    draw(runs, path)
    terminal.say(f"plot: {path}")
