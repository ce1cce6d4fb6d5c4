"""The benchmark of an endpoint as a table, with bars on a terminal, and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from phicli.bench.endpoint.benchmark import EndpointFindings
from phicli.bench.endpoint.types import EndpointReport, Level
from phicli.ui.bench import cells
from phicli.ui.bench.cells import markdown_table, markdown_text
from phicli.ui.bench.figures import Signs, bar, duration, rate, signs_of, with_spread
from phicli.ui.envelope import json_line, print_result
from phicli.ui.tables import Column, print_rows
from phicli.ui.terminal import Terminal

_LENGTHS, _AT_A_TIME = Column("tokens"), Column("concurrency", right=True)
_DONE, _TOGETHER = Column("answered", right=True), Column("total t/s", right=True)
_FIRST, _GAP = Column("first token", right=True), Column("between", right=True)
_EACH, _BAR = Column("t/s each", right=True), Column("", key="bar")
_PLAIN: Final = (_LENGTHS, _AT_A_TIME, _DONE, _FIRST, _GAP, _EACH, _TOGETHER)
_LAYOUTS: Final = (
    (_LENGTHS, _AT_A_TIME, _DONE, _FIRST, _GAP, _EACH, _TOGETHER, _BAR),
    _PLAIN,
    _PLAIN[1:],
    (_AT_A_TIME, _DONE, _FIRST, _EACH, _TOGETHER),
    (_AT_A_TIME, _FIRST, _TOGETHER),
)
_BAR_WIDTH: Final = 16
_CLOSE: Final = Signs()


def print_report(terminal: Terminal, report: EndpointReport, *, output: str) -> None:
    """Show ``report`` (with at least one level) as ``text``, ``json``, ``jsonl``, ``csv`` or ``markdown``.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    if output == "json":
        print_result(terminal, "bench", report_data(report))
    elif output == "jsonl":
        _print_jsonl(terminal, report)
    elif output == "csv":
        _print_csv(terminal, report)
    elif output == "markdown":
        _print_markdown(terminal, report)
    else:
        _print_text(terminal, report)


def print_findings(terminal: Terminal, found: EndpointFindings, *, output: str) -> None:
    """Show what was measured, then fail if something failed; as ``json`` both are in one object.

    Raises:
        PhiError: ``found.failure``.
        OutputClosedError, OSError: as for :func:`print_report`.
    """
    for warning in found.warnings:
        terminal.alarm("warning:", warning)
    if found.failure is None or (found.measured and output != "json"):
        print_report(terminal, found.report, output=output)
    elif found.report.levels:
        found.failure.data = report_data(found.report)
    if found.failure is not None:
        raise found.failure


def report_data(report: EndpointReport) -> dict[str, Any]:
    """What ``phi bench URL --json`` carries."""
    return {"hardware": dict(report.hardware), "endpoint": report.to_data()}


def _print_text(terminal: Terminal, report: EndpointReport) -> None:
    signs = signs_of(terminal.stdout)
    rows, about, notes = list(_rows(report, signs)), _about(report, signs), list(_notes(report))
    print_rows(terminal, _LAYOUTS, rows, above=[about], below=notes, below_style="dim", plain=_PLAIN)


def _about(report: EndpointReport, signs: Signs) -> str:
    parts = [report.model, report.url, report.server]
    return f" {signs.dot} ".join(part for part in parts if part)


def _rows(report: EndpointReport, signs: Signs) -> Iterator[dict[str, str]]:
    most = max((level.throughput_tps or 0.0 for level in report.levels), default=0.0)
    for level in report.levels:
        load, together = level.load, level.throughput_tps
        yield {
            "tokens": f"{load.prompt_tokens} + {load.generated_tokens}",
            "concurrency": str(load.concurrency),
            "answered": f"{len(level.answers)} of {load.requests}",
            "first token": _pair(level.ttft_ms),
            "between": _pair(level.gap_ms),
            "t/s each": with_spread(level.decode_tps, signs),
            "total t/s": rate(together) if together else "",
            "bar": bar(together / most, _BAR_WIDTH, fine=signs.fine) if together else "",
        }


def _pair(found: Mapping[str, float] | None) -> str:
    """Median and 95th percentile: ``120 / 310 ms``."""
    if found is None:
        return ""
    middle, high = duration(found["p50"]), duration(found["p95"])
    same = middle.rpartition(" ")[2] == high.rpartition(" ")[2]
    return f"{middle.rpartition(' ')[0] if same else middle} / {high}"


def _notes(report: EndpointReport) -> Iterator[str]:
    """What the numbers are, in words."""
    yield "time to first token and between tokens: median / 95th percentile, measured here, including the network"
    told = [prompt for prompt in (_told_prompt(level) for level in report.levels) if prompt]
    if told:
        yield f"prompts had {' to '.join(sorted({f'{min(told):.0f}', f'{max(told):.0f}'}, key=float))} tokens"
    if report.first_ms is not None:
        yield f"the first answer, which may include loading the model, took {duration(report.first_ms)}"
    if report.settings.get("on_this_machine"):
        yield "the endpoint is on this machine: it shares the processors with phi"
    if not report.complete:
        yield "incomplete: the measurement ended early"


def _told_prompt(level: Level) -> float | None:
    told = [one.prompt_tokens for one in level.answers if one.prompt_tokens]
    return sum(told) / len(told) if told else None


def _print_jsonl(terminal: Terminal, report: EndpointReport) -> None:
    """One JSON object per line and level."""
    for level in report.levels:
        terminal.write(json_line(terminal, {**_of_report(report), **level.to_data()}))


def _of_report(report: EndpointReport) -> dict[str, Any]:
    return {
        "run_id": report.run_id, "made_at": report.made_at, "url": report.url, "model": report.model,
        "server": report.server or None, "complete": report.complete,
    }  # fmt: skip


def _record(report: EndpointReport, level: Level) -> dict[str, Any]:
    data = level.to_data()
    plain = (
        "concurrency", "prompt_tokens", "generated_tokens", "requests", "answered", "wall_s", "client_cpu_share",
        "in_flight", "requests_per_s", "throughput_tps", "tokens_told", "told_prompt_tokens", "mean_generated_tokens",
    )  # fmt: skip
    found = {**_of_report(report), **{name: data[name] for name in plain}, "failed": len(level.failures)}
    for name, parts in (("ttft_ms", _ENDS), ("total_ms", _ENDS), ("gap_ms", _ENDS), ("decode_tps", ("mean", "stdev"))):
        found |= {f"{name}_{part}": data[name][part] if data[name] else None for part in parts}
    return found | {"failures": "; ".join(data["failures"])}


_ENDS: Final = ("p50", "p95")


def _print_csv(terminal: Terminal, report: EndpointReport) -> None:
    """RFC 4180: a header, then one record per level."""
    records = [_record(report, level) for level in report.levels]
    cells.print_csv(terminal, records[0], (record.values() for record in records))


def _print_markdown(terminal: Terminal, report: EndpointReport) -> None:
    rows = list(_rows(report, _CLOSE))
    lines = [
        *markdown_table(_PLAIN, rows),
        "",
        *(f"- {markdown_text(line)}" for line in (_about(report, _CLOSE), *_notes(report))),
    ]
    terminal.write("\n".join(lines) + "\n")
