"""What ``phi data`` prints: the findings of a check, tokens as a histogram, and how far a long file is read."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Final

from phicli.errors import CheckFailedError, UserInterruptError
from phicli.training_data.convert_result import Converted
from phicli.training_data.findings import SHOWN, TITLES, Finding, Severity
from phicli.training_data.report import Report, Tokens
from phicli.training_data.source import typed_name
from phicli.training_data.split_result import Split
from phicli.ui.envelope import print_result
from phicli.ui.status import StatusLine
from phicli.ui.terminal import Terminal, one_line
from phicli.units import counted, format_bytes

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_DELAY_S: Final = 0.5
_BAR_COLUMNS: Final = 40
_MOST_KEYS: Final = 4
_LABELS: Final[dict[Severity, str]] = {"error": "error", "warning": "warning", "note": "note"}


class ReadingBar:
    """How far a file is read: a bar with the time left on a terminal, for what takes longer than half a second."""

    def __init__(self, terminal: Terminal, what: str, total_bytes: int | None) -> None:
        self._terminal, self._what, self._total = terminal, what, total_bytes
        self._status = StatusLine(terminal)
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._began = monotonic()

    def update(self, done_bytes: int) -> None:
        """So many bytes are read."""
        if not self._terminal.shows_progress or monotonic() - self._began < _DELAY_S:
            return
        if self._total is None or self._terminal.dumb:
            self._status.update(f"{self._what}: {format_bytes(done_bytes)}")
            return
        if self._progress is None:
            from phicli.ui.download_bar import download_bar

            self._progress = download_bar(self._terminal)
            self._task = self._progress.add_task(self._what, total=self._total)
            self._progress.start()
        if self._task is not None:
            self._progress.update(self._task, completed=min(done_bytes, self._total))

    def __enter__(self) -> ReadingBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.clear()
        if self._progress is not None:
            self._progress.stop()


def print_report(terminal: Terminal, report: Report, *, as_json: bool) -> None:
    """The findings to standard output.

    Raises:
        CheckFailedError: the data must not be used.
        UserInterruptError: a person stopped it; what was found before is printed.
        OutputClosedError: the reader has closed it.
    """
    if not as_json:
        for line in _report_lines(report, bar=_bar_of(terminal)):
            terminal.write_line(line)
    if report.interrupted:
        last = report.files[-1] if report.files else None
        where = "" if last is None else f" in line {last.lines:,} of {last.name}"
        raise UserInterruptError(
            f"stopped{where}: the rest was not checked", data=report.to_data() if as_json else None
        )
    if as_json and report.usable:
        print_result(terminal, "data check", report.to_data())
    if not report.usable:
        errors = counted(report.findings.count("error"), "error")
        lines = f" in {counted(report.findings.bad_lines, 'line')}" if report.findings.bad_lines else ""
        raise CheckFailedError(
            f"{report.files[0].name} must not be used: {errors}{lines}",
            _what_to_do(report),
            data=report.to_data() if as_json else None,
        )


def print_split(terminal: Terminal, split: Split, *, as_json: bool) -> None:
    """Which files were written, and what is in them."""
    if as_json:
        print_result(terminal, "data split", split.to_data())
        return
    for side in (split.training, split.validation):
        terminal.write_line(f"{side.path}: {counted(side.examples, 'example')}, {format_bytes(side.bytes)}")
    for note in split.notes:
        terminal.say(f"note: {note}")


def print_converted(terminal: Terminal, made: Converted, *, as_json: bool) -> None:
    """What was written, and what the target cannot hold.

    Raises:
        CheckFailedError: examples were left out.
    """
    if as_json and not made.left_out:
        print_result(terminal, "data convert", made.to_data())
    if not as_json:
        for line in _groups(made.findings.groups()):
            terminal.say(line)
        where = f" to {made.output}" if made.output else ""
        terminal.say(
            f"{counted(made.examples, 'example')} written{where}, converted from {made.source} to {made.target}"
        )
    if made.left_out:
        raise CheckFailedError(
            f"{counted(made.left_out, 'example')} left out, {made.examples:,} written as {made.target}",
            _after_convert(made),
            data=made.to_data() if as_json else None,
        )


def _after_convert(made: Converted) -> str:
    kinds = {kind for level, kind, _, _ in made.findings.groups() if level == "error"}
    if "encoding" in kinds:
        return "name the encoding of the file, e.g. --input-encoding latin-1; or change these lines"
    if made.target in ("alpaca", "csv") and kinds == {"left_out"}:
        return "change these lines, or choose another target with --to"
    return "change these lines and convert again; all findings: --json -o NEW.jsonl"


def _what_to_do(report: Report) -> str:
    kinds = {kind for level, kind, _, _ in report.findings.groups() if level == "error"}
    name = report.files[0].name
    name = "FILE" if " " in name else typed_name(name)
    own = [one.place for one in report.findings.kept() if one.kind == "unknown_key" and "--allow-key" in one.message]
    allowed = " ".join(f"--allow-key {shlex.quote(key)}" for key in list(dict.fromkeys(own))[:_MOST_KEYS])
    ways = (
        ("file" in kinds, "when the new file is there: phi data check NEW.jsonl"),
        ("encoding" in kinds, f"write it as UTF-8: phi data convert {name} --input-encoding latin-1 -o NEW.jsonl"),
        (kinds == {"validation"}, f"make a validation file of other examples: phi data split {name}"),
        (kinds == {"count"} and not report.files[0].examples, "name another file"),
        (kinds <= {"count", "size"}, "change the number of examples"),
        (
            kinds == {"unknown_key"} and bool(own),
            f"allow keys of your own: phi data check {name} {allowed}; or leave them out: "
            f"phi data convert {name} --to azure -o NEW.jsonl",
        ),
        (
            kinds <= {"shape", "unknown_key", "json", "count"} and bool(kinds & {"shape", "json"}),
            f"if it is in another format: phi data convert {name} -o NEW.jsonl; all findings: --json",
        ),
    )
    return next((hint for holds, hint in ways if holds), "change these lines and check again; all findings: --json")


def _report_lines(report: Report, *, bar: str) -> Iterator[str]:
    for one in report.files:
        known = f"{counted(one.examples, 'example')} in {counted(one.lines, 'line')}, {format_bytes(one.bytes)}"
        yield f"{one.name}: {known}"
    yield from _groups(report.findings.groups())
    if report.tokens is not None:
        yield from _token_lines(report.tokens, bar=bar)
    if report.usable:
        warnings = report.findings.count("warning")
        yield "no errors" + (f", {counted(warnings, 'warning')}" if warnings else "")


def _groups(groups: list[tuple[Severity, str, int, list[Finding]]]) -> Iterator[str]:
    for severity, kind, many, findings in groups:
        if many == 1:
            yield f"{_LABELS[severity]}: {_sentence(findings[0])}"
            continue
        yield f"{_LABELS[severity]}: {TITLES[kind]} ({many:,})"
        for finding in findings[:SHOWN]:
            yield f"  {_sentence(finding)}"
        if many > len(findings[:SHOWN]):
            yield f"  and {many - len(findings[:SHOWN]):,} more"


def _sentence(finding: Finding) -> str:
    place = f", {finding.place}" if finding.place else ""
    column = f", column {finding.column:,}" if finding.column else ""
    return one_line(
        f"{finding.where}{column if finding.line else ''}{place if finding.line else ''}: {finding.message}"
    )


def _token_lines(tokens: Tokens, *, bar: str) -> Iterator[str]:
    known = tokens.to_data()
    yield (
        f"tokens per example in the format of {tokens.model}: min {known['min']:,}, median {known['median']:,}, "
        f"p95 {known['p95']:,}, max {known['max']:,}; {tokens.total:,} in total"
    )
    over = f"{counted(tokens.over, 'example')} exceed" if tokens.over != 1 else "1 example exceeds"
    yield f"{over if tokens.over else 'no example exceeds'} the context of {tokens.context_tokens:,} tokens"
    if bar:
        yield from _bars(tokens.histogram(), bar)
    yield f"counted in {tokens.took_s:.1f} s: {tokens.per_second:,.0f} tokens per second"


def _bar_of(terminal: Terminal) -> str:
    """What a bar is made of; empty where none is shown, because standard output is not a terminal."""
    if not terminal.stdout.isatty():
        return ""
    try:
        "█".encode(terminal.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return "#"
    return "█"


def _bars(ranges: list[tuple[int, int, int]], bar: str) -> Iterator[str]:
    most = max(many for _, _, many in ranges)
    names = [f"{low:,}" if low == high else f"{low:,} to {high:,}" for low, high, _ in ranges]
    width = max(map(len, names))
    for name, (_, _, many) in zip(names, ranges, strict=True):
        yield f"  {name:>{width}}  {bar * max(round(_BAR_COLUMNS * many / most), int(many > 0))} {many:,}"
