"""Runs for programs and for documents: JSON lines, CSV, Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from phicli.engine.settings import FIELDS
from phicli.records.run import Run
from phicli.ui.bench import cells
from phicli.ui.bench.cells import Cell, markdown_table, markdown_text
from phicli.ui.bench.figures import Signs
from phicli.ui.bench.repeat_command import command_of
from phicli.ui.bench.run_facts import processor, shape_of
from phicli.ui.bench.table import common_lines, filled_columns, rows_of
from phicli.ui.envelope import json_line
from phicli.ui.terminal import Terminal, one_line

_SIGNS: Final = Signs()


def print_jsonl(terminal: Terminal, runs: Iterable[Run]) -> None:
    """One JSON object per line and run, as :meth:`Run.to_data` has it.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    for run in runs:
        terminal.write(json_line(terminal, run.to_data()))


def print_csv(terminal: Terminal, runs: Sequence[Run]) -> None:
    """RFC 4180: a header, then one record per run; units are in the names of the columns.

    Texts that a spreadsheet would take for a formula have an apostrophe before them.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    records = ((run, run.to_data()) for run in runs)
    cells.print_csv(terminal, _COLUMNS, ([value(run, data) for value in _COLUMNS.values()] for run, data in records))


def print_markdown(terminal: Terminal, runs: Sequence[Run], notes: Iterable[str] = (), command: str = "") -> None:
    """A table as GitHub shows it, the conditions and ``notes`` below, and the ``command`` to repeat it.

    Without one, it is what follows from ``runs``.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    shape = shape_of(runs)
    rows = rows_of(runs, shape, _SIGNS)
    columns = filled_columns(shape, rows)
    lines = [
        *markdown_table(columns, rows),
        "",
        *(f"- {markdown_text(line)}" for line in common_lines(shape, _SIGNS)),
    ]
    if not any(run.tokens_per_joule for run in runs):
        lines.append("- energy: not available")
    lines += [f"- {markdown_text(note)}" for note in notes]
    terminal.write("\n".join([*lines, "", "```sh", one_line(command or command_of(runs)), "```"]) + "\n")


def _field(name: str) -> Callable[[Run, Mapping[str, Any]], Cell]:
    """What the JSON of a run has under ``name``."""
    return lambda _, data: data[name]


def _setting(name: str) -> Callable[[Run, Mapping[str, Any]], Cell]:
    return lambda _, data: data["settings"][name]


def _mean(name: str) -> Callable[[Run, Mapping[str, Any]], Cell]:
    return lambda _, data: data[name]["mean"] if data[name] else None


def _stdev(name: str) -> Callable[[Run, Mapping[str, Any]], Cell]:
    return lambda _, data: data[name]["stdev"] if data[name] else None


_COLUMNS: Final[Mapping[str, Callable[[Run, Mapping[str, Any]], Cell]]] = {
    **{name: _field(name) for name in ("run_id", "made_at", "model", "quant", "engine", "build")},
    **{name: _setting(name) for name in FIELDS},
    **{name: _field(name) for name in ("context_tokens", "depth_tokens", "prompt_tokens", "generated_tokens")},
    "repetitions": lambda run, _: len(run.samples),
    "complete": _field("complete"),
    "prompt_tps_mean": _mean("prompt_tps"),
    "prompt_tps_stdev": _stdev("prompt_tps"),
    "decode_tps_mean": _mean("decode_tps"),
    "decode_tps_stdev": _stdev("decode_tps"),
    "ttft_ms_mean": _mean("ttft_ms"),
    "ttft_ms_stdev": _stdev("ttft_ms"),
    "cold_ttft_ms": _field("cold_ttft_ms"),
    "load_ms": _field("load_ms"),
    "peak_rss_bytes": _field("peak_rss_bytes"),
    "peak_anonymous_bytes": _field("peak_anonymous_bytes"),
    "tokens_per_joule_mean": _mean("tokens_per_joule"),
    "tokens_per_joule_stdev": _stdev("tokens_per_joule"),
    "size_bytes": _field("size_bytes"),
    "sha256": _field("sha256"),
    "path": _field("path"),
    "processor": lambda run, _: processor(run),
    "memory_total_bytes": lambda run, _: run.hardware.get("memory_total_bytes"),
    "load_average": _field("load_average"),
    "warnings": lambda run, _: "; ".join(run.warnings),
}
