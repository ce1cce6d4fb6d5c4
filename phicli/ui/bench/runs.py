"""What ``phi runs show`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from phicli.bench.runs.compare import values_of
from phicli.bench.runs.run_files import run_of
from phicli.catalog.display_name import name_of
from phicli.errors import PhiError
from phicli.records.history import Entry
from phicli.records.run import Run
from phicli.records.statistics import Summary, interval_of_mean, summary
from phicli.ui.bench.entry_tables import is_table, measured, table_of, text_of, title_of, words_of
from phicli.ui.bench.figures import Signs, duration, rate, signs_of, with_spread
from phicli.ui.bench.headline import number
from phicli.ui.envelope import print_result
from phicli.ui.sections import Section, print_page
from phicli.ui.terminal import Terminal
from phicli.units import format_bytes

_SPEEDS: Final = {
    "prompt_tps": ("prompt", "tokens/s"),
    "decode_tps": ("generation", "tokens/s"),
    "ttft_ms": ("first token", "ms"),
}


def print_entry(terminal: Terminal, entry: Entry, *, as_json: bool) -> None:
    """All about ``entry``.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    if as_json:
        print_result(terminal, "runs show", entry.to_data())
        return
    width = None
    if terminal.stdout.isatty():
        from phicli.ui.canvas import Canvas

        width = Canvas(terminal).width
    tables = [table_of(name, rows, width) for name, rows in entry.data.items() if is_table(rows)]
    sections = [
        Section("", facts=tuple(_about(entry))),
        Section("Speed", facts=tuple(_speed(entry, signs_of(terminal.stdout)))),
        *(Section(title_of(name), facts=tuple(_facts(part))) for name, part in entry.data.items() if _is_part(part)),
        *(section for section, _ in tables),
    ]
    print_page(terminal, f"{entry.run_id}: {name_of(entry)}", sections)
    if left_out := [name for _, names in tables for name in names]:
        terminal.say(f"not shown here: {', '.join(left_out)}; to see everything: phi runs show {entry.run_id} --json")


def _about(entry: Entry) -> Iterator[tuple[str, str]]:
    """What is known of every kind of entry, and the single values of its data that :func:`_speed` does not show."""
    known = {"kind": entry.kind, "made at": entry.made_at, "model": entry.model, "quant": entry.quant}
    known |= {"engine": entry.engine, "build": entry.build, "processor": entry.cpu}
    yield from ((label, value) for label, value in known.items() if value)
    elsewhere = {*known, "run_id", "made_at", *(_SPEEDS if entry.kind == "speed" or _run(entry) else ())}
    rest = {name: value for name, value in entry.data.items() if name not in elsewhere}
    yield from _facts({name: value for name, value in rest.items() if not _is_part(value) and not is_table(value)})


def _speed(entry: Entry, signs: Signs) -> Iterator[tuple[str, str]]:
    """Means of a speed run with the 95 % intervals, which the data do not have; of a ``speed`` as they were saved."""
    if entry.kind == "speed":
        yield from _saved_speed(entry.data, signs)
        return
    run = _run(entry)
    for what, (label, unit) in _SPEEDS.items() if run else ():
        values = values_of(run, what) if run else []
        found = interval_of_mean(values)
        if found is not None:
            ends = ""
            if found.low is not None and found.high is not None:
                ends = f" (95 % interval {rate(max(found.low, 0.0))} to {rate(found.high)})"  # few values leave it wide
            yield label, f"{with_spread(summary(values), signs)} {unit}{ends}"


def _saved_speed(data: Mapping[str, Any], signs: Signs) -> Iterator[tuple[str, str]]:
    for what, (label, unit) in _SPEEDS.items():
        mean, stdev = number(data, what, "mean"), number(data, what, "stdev")
        if mean is not None:
            found = Summary(mean, stdev or 0.0, 1 if stdev is None else 2)
            yield label, f"{with_spread(found, signs)} {unit}"


def _run(entry: Entry) -> Run | None:
    if entry.kind != "run":
        return None
    try:
        return run_of(entry)
    except PhiError:  # what can be shown of it is shown all the same
        return None


def _is_part(value: Any) -> bool:
    """Whether it gets a section of its own."""
    return isinstance(value, Mapping) and bool(value) and measured(value) is None


def _facts(part: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Label and text of each value; the unit goes from the name to the number."""
    for name, value in part.items():
        words = words_of(name)
        if isinstance(value, int) and not isinstance(value, bool) and name.endswith("_bytes"):
            yield words.removesuffix(" bytes"), format_bytes(value)
        elif isinstance(value, (int, float)) and name.endswith("_ms"):
            yield words.removesuffix(" ms"), duration(value)
        elif name == "gpu_layers" and value == -1:
            yield words, "chosen by the engine"
        else:
            yield words, text_of(value)
