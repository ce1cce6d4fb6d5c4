"""How a batch went, for people and for programs."""

from __future__ import annotations

from phicli.batch.output import is_table
from phicli.batch.report import Report
from phicli.ui.bench.progress import about
from phicli.ui.envelope import print_result
from phicli.ui.terminal import Terminal
from phicli.units import counted, format_pace


def print_report(terminal: Terminal, report: Report, *, as_json: bool, quiet: bool) -> None:
    """Print how a batch went: one object on standard output, or lines on standard error, none of them if ``quiet``."""
    if as_json:
        print_result(terminal, "batch", report.to_data())
        return
    if quiet:
        return
    terminal.say(_summary(report))
    if len(workers := report.workers or {}) > 1:
        terminal.say("answered by " + ", ".join(f"{name}: {lines:,}" for name, lines in workers.items()))
    if report.cut_off:
        answers = counted(report.cut_off, "answer")
        terminal.say(
            f"note: {answers} reached the limit of tokens; to ask all lines again with more: --restart --max-tokens N"
        )
    for one in report.failures:
        terminal.say(f"line {one.line}: {one.reason}")
    if (more := report.failed - len(report.failures)) > 0:
        terminal.say(f"… and {more:,} more; see {_place(report)} in {report.out}")


def _place(report: Report) -> str:
    """Where the output says why a line failed."""
    if report.has_responses:
        return "response.body.error"
    return "the column error" if is_table(report.out) else "the key error"


def _duration(seconds: float) -> str:
    text = about(seconds)
    return f"{seconds:.1f} s" if text.endswith(" s") else text


def _summary(report: Report) -> str:
    if not report.asked:
        failed = f", {report.failed:,} of them failed" if report.failed else ""
        return f"{report.out} has all {counted(report.rows, 'line')} already{failed}: nothing was asked"
    words = [f"{report.out}: {report.answered:,} of {counted(report.rows, 'line')} answered"]
    words += [f"{report.failed:,} failed"] if report.failed else []
    pace, unit = format_pace(report.asked / report.elapsed_s if report.elapsed_s else 0.0)
    words += [f"{report.asked:,} asked in {_duration(report.elapsed_s)} ({pace} per {unit})"]
    words += [f"{report.completion_tokens:,} tokens generated"]
    return ", ".join(words)
