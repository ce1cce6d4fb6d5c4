"""What ``phi bench`` found: for people, for programs, for documents, and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phicli.bench.types import Run
from phicli.ui.bench.figures import signs_of
from phicli.ui.bench.table import print_table
from phicli.ui.bench.varying import shape_of
from phicli.ui.bench.words import baseline_lines, ratio_lines
from phicli.ui.envelope import print_result
from phicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from phicli.bench.quality import Quality
    from phicli.bench.runs.compare import BaselineResult, Ratio


def print_runs(
    terminal: Terminal,
    runs: Sequence[Run],
    *,
    output: str,
    ratios: Sequence[Ratio] = (),
    baseline: BaselineResult | None = None,
    qualities: Sequence[Quality] = (),
    plot: Path | None = None,
) -> None:
    """Show ``runs`` as ``output`` says (``text``, ``json``, ``jsonl``, ``csv`` or ``markdown``), then draw them.

    Raises:
        OutputClosedError: nobody reads it any more.
        UsageError: there is nothing to draw with, or a plot cannot be written in that format.
        OSError: standard output or the plot cannot be written.
    """
    if output == "json":
        print_result(terminal, "bench", report_data(runs, ratios, baseline, qualities))
    elif output == "jsonl":
        from phicli.ui.bench.printers import print_jsonl

        print_jsonl(terminal, runs)
    elif output == "csv":
        from phicli.ui.bench.printers import print_csv

        print_csv(terminal, runs)
    elif runs:
        compared = [*ratio_lines(ratios), *(baseline_lines(baseline) if baseline is not None else ())]
        _print_text(terminal, runs, output, compared, qualities)
    for warning in warnings_of(runs):
        terminal.alarm("warning:", warning)
    if plot is not None:
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


def _print_text(
    terminal: Terminal, runs: Sequence[Run], output: str, compared: Sequence[str], qualities: Sequence[Quality]
) -> None:
    """The table for people, on a terminal, in a pipe or in Markdown, and below it what was compared."""
    if output == "markdown":
        from phicli.ui.bench.printers import print_markdown

        print_markdown(terminal, runs, [*compared, *_sentences(qualities)])
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


def draw_plot(terminal: Terminal, runs: Sequence[Run], path: Path) -> None:
    """Draw ``runs`` into ``path`` and say so, or say that there is nothing to draw."""
    from phicli.ui.bench.plot import draw

    if not any(run.prompt_tps or run.decode_tps for run in runs):
        terminal.say("nothing was measured that could be drawn: there is no plot")
        return
    draw(runs, path)
    terminal.say(f"plot: {path}")
