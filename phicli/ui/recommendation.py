"""``phi recommend``: one screen on a terminal, plain lines in a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from phicli.catalog.display_name import with_quant
from phicli.fit.types import Assessment, Pick, Rejection
from phicli.plan.recommendation import Machine, Report, disadvantage, sums_of, usable_sum
from phicli.ui.canvas import Canvas, safe_text, show
from phicli.ui.columns import aligned
from phicli.ui.envelope import print_result
from phicli.ui.memory_bar import bar_text, parts_of, parts_text, shares_of
from phicli.ui.recommendation_data import report_data
from phicli.ui.tables import wrapped
from phicli.ui.terminal import Terminal
from phicli.units import counted, format_bytes, format_rate

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_ROLES: Final = {"best": "Best", "faster": "Faster", "smarter": "Smarter"}
_HEADS: Final = ("MODEL", "MEMORY", "TOKENS/S", "QUALITY", "REASON")
_NUMBERS: Final = (1, 2, 3)
"""Columns of numbers."""
_LONGEST_BAR: Final = 40
_LABEL: Final = 8
_SEPARATOR: Final = " · "
_ASCII_SEPARATOR: Final = " | "


def print_report(
    terminal: Terminal, report: Report, *, everything: bool = False, explain: bool = False, as_json: bool = False
) -> None:
    """The recommendation to standard output, and what to type for more to standard error.

    Raises:
        OutputClosedError: the reader has closed it.
    """
    if as_json:
        print_result(terminal, "recommend", report_data(report, everything=everything, explain=explain))
        return
    separator = _SEPARATOR if _knows(terminal, _SEPARATOR) else _ASCII_SEPARATOR
    show(
        terminal,
        screen=lambda canvas: _screen(canvas, report, separator, everything=everything, explain=explain),
        plain=lambda: _plain(report, separator, everything=everything, explain=explain),
    )
    more = len(report.found.others) + len(report.found.rejected)
    if not everything and more:
        terminal.say(
            f"{counted(more, 'other candidate')} {'was' if more == 1 else 'were'} not picked; see why: phi "
            "recommend --all"
        )


def _knows(terminal: Terminal, text: str) -> bool:
    """Whether standard output can show ``text``."""
    try:
        text.encode(getattr(terminal.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def machine_lines(machine: Machine, usable_bytes: int | None, separator: str = _SEPARATOR) -> tuple[str, ...]:
    """The machine in two lines."""
    cpu, memory = machine.cpu, machine.memory
    first = [f"{cpu.name}, {counted(cpu.physical_cores, 'core')}"]
    if memory is None or usable_bytes is None:
        first.append("memory unknown")
    else:
        first.append(f"{format_bytes(usable_bytes)} of {format_bytes(memory.total_bytes)} usable")
    second = [_gpu(machine)]
    rate = next((gpu.bandwidth_bytes_per_s for gpu in machine.gpus if gpu.usable and gpu.bandwidth_bytes_per_s), None)
    rates = [] if rate is None else [f"GPU {format_rate(rate / 1e9)} GB/s"]
    if machine.bandwidth is not None:
        said = machine.bandwidth.source
        source = {"probe": "measured", "profile": "from the profile"}.get(said, said)
        processor = f"{format_rate(machine.bandwidth.bytes_per_s / 1e9)} GB/s ({source})"
        rates.insert(0, f"processor {processor}" if rates else processor)
    if rates:
        second.append(f"memory bandwidth {', '.join(rates)}")
    if machine.container:
        second.append(f"in a container ({machine.container})")
    if machine.simulated:
        second.append(f"simulated: {machine.simulated}")
    return separator.join(first), separator.join(second)


def _gpu(machine: Machine) -> str:
    if not machine.gpus:
        return "no GPU"
    words = []
    for gpu in machine.gpus:
        size = f" {format_bytes(gpu.total_bytes)}" if gpu.total_bytes else ""
        words.append(f"{gpu.name}{size}" + ("" if gpu.usable else " (not used)"))
    return ", ".join(words)


def _plain(report: Report, separator: str, *, everything: bool, explain: bool) -> Iterator[str]:
    lines = machine_lines(report.machine, report.usable_bytes, separator)
    for label, line in zip(("machine", ""), lines, strict=True):
        yield f"{label:{_LABEL}} {line}"
    if explain and (usable := usable_sum(report)):
        yield f"{usable.label:{_LABEL}} {usable.text}"
    for note in report.notes:
        yield f"{'note':{_LABEL}} {note}"
    for pick in report.found.picks:
        yield ""
        yield f"{pick.role:{_LABEL}} {pick.assessment.candidate.name}"
        for label, text in _facts(pick, report, explain=explain):
            yield f"{label:{_LABEL}} {text}"
    if everything:
        yield ""
        yield from aligned([_HEADS, *_rows(report)], right=_NUMBERS)


def _facts(pick: Pick, report: Report, *, explain: bool) -> list[tuple[str, str]]:
    """Label and text of everything about ``pick`` but the bar."""
    one = pick.assessment
    rooms = list(_rooms(one, report))
    found = [(label, f"{words}: {parts_text(parts, one.context_tokens)}") for label, words, parts, _ in rooms]
    found.append(("speed", _speed(one, report)))
    if not one.candidate.installed:
        found.append(("download", f"{one.candidate.shape.weights_bytes / 1e9:.2f} GB"))
    found += [("why" if place == 0 else "", reason) for place, reason in enumerate(pick.reasons)]
    if explain:
        found += [(f"{one.label}", f"{one.text}") for one in sums_of(one, report)]
    return [*found, ("run", pick.command)]


def _rooms(one: Assessment, report: Report) -> Iterator[tuple[str, str, tuple[int, ...], int | None]]:
    """Label, words, parts in bytes and all that is there, of each memory that it is in: the GPU's first."""
    on_gpu, beside = parts_of(one.memory, on_gpu=True), parts_of(one.memory)
    room, label, where = report.usable_bytes, "memory", ""
    if any(gpu.usable and gpu.unified for gpu in report.machine.gpus) and one.gpu_layers:
        beside = parts_of(replace(one.memory, gpu_weights_bytes=0, gpu_kv_bytes=0, gpu_compute_bytes=0))
        where = ", which the GPU shares"
    elif one.gpu_layers:
        total = report.gpu_usable_bytes
        yield label, f"{format_bytes(sum(on_gpu))} of {format_bytes(total)} on the GPU", on_gpu, total
        label, where = "", " in main memory"
    yield label, format_bytes(sum(beside)) + (f" of {format_bytes(room)}" if room else "") + where, beside, room


def _speed(one: Assessment, report: Report) -> str:
    speed = one.speed
    low, high = format_rate(speed.decode_tps_low), format_rate(speed.decode_tps_high)
    took = f"{format_rate(speed.ttft_s)} s" if speed.ttft_s >= 0.1 else "under 0.1 s"
    start = f"{report.request.prompt_tokens:,} prompt tokens take {took}"
    decode, deep = f"{format_rate(speed.decode_tps)} tokens/s ({low} to {high})", ""
    full = f"{format_rate(speed.decode_at_context_tps)}"
    if report.task.context_required:
        decode = f"{full} tokens/s with a full context, {decode} at the start"
    elif report.request.context_tokens is not None:
        deep = f", {full} with a full context"
    return f"{decode}{deep}, {speed.grade}; {start}"


def _passing(report: Report) -> Iterator[tuple[str, ...]]:
    """A row for each candidate that would do, those that are picked first; the others with what they cost most."""
    picked = [(pick.assessment, str(pick.role)) for pick in report.found.picks]
    for one, word in [*picked, *((one, disadvantage(one, report)) for one in report.found.others)]:
        memory, tps = format_bytes(one.memory.total_bytes).replace(" ", ""), f"{report.ranking.tps(one):.1f}"
        quality = f"{one.quality:.1f}" if one.published else f"about {one.quality:.1f}"
        yield one.candidate.name, memory, tps, quality, word


def _reason(out: Rejection) -> str:
    return out.reason + (f"; {out.remedy}" if out.remedy else "")


def _rows(report: Report) -> Iterator[tuple[str, ...]]:
    """A row for each candidate: those that would do, then those that are out."""
    yield from _passing(report)
    for out in report.found.rejected:
        yield with_quant(out.variant_id, out.quant), "", "", "", _reason(out)


def _out(report: Report) -> Iterator[tuple[str, str]]:
    """What is out and why; files of one variant that are out for the same reason come together."""
    together: dict[tuple[str, str], list[str]] = {}
    for out in report.found.rejected:
        together.setdefault((out.variant_id, _reason(out)), []).append((out.quant or "").lower())
    for (variant, reason), quants in together.items():
        yield (with_quant(variant, quants[0]) if len(quants) == 1 else f"{variant} ({len(quants)} files)"), reason


def _screen(
    canvas: Canvas, report: Report, separator: str, *, everything: bool, explain: bool
) -> Iterator[RenderableType]:
    for line in machine_lines(report.machine, report.usable_bytes, separator):
        yield safe_text(line, "dim")
    if explain and (usable := usable_sum(report)):
        yield safe_text(f"{usable.label}: {usable.text}", "dim")
    for note in report.notes:
        yield safe_text(f"Note: {note}", "yellow")
    for pick in report.found.picks:
        yield safe_text("")
        yield _heading(pick, report)
        yield _grid(_with_bar(canvas, pick, report, _facts(pick, report, explain=explain)))
    if everything:
        yield safe_text("")
        yield wrapped([*(head.lower() for head in _HEADS[:4]), ""], list(_passing(report)), right=_NUMBERS)
        yield safe_text("\nRejected:", "bold")
        yield wrapped(("model", "reason"), list(_out(report)))


def _heading(pick: Pick, report: Report) -> Text:
    purpose = f" for {report.task.purpose}" if pick.role == "best" else ""
    heading = safe_text(f"{_ROLES[pick.role]}{purpose}: ", "bold" if pick.role == "best" else "")
    heading.append_text(safe_text(pick.assessment.candidate.name, "bold green" if pick.role == "best" else "bold"))
    if pick.assessment.candidate.installed:
        heading.append_text(safe_text(" (installed)", "dim"))
    return heading


def _with_bar(
    canvas: Canvas, pick: Pick, report: Report, facts: Sequence[tuple[str, str]]
) -> Iterator[tuple[str, Text]]:
    """The facts for the terminal; the pick that is to be taken has its memory as a bar."""
    one = pick.assessment
    _, words, parts, total = next(_rooms(one, report))
    for place, (label, text) in enumerate(facts):
        if place == 0 and pick.role == "best" and total:
            width = min(_LONGEST_BAR, canvas.width - _LABEL - len(words) - 5)
            if width >= 8:
                bar = bar_text(shares_of(parts, total), width, fine=canvas.encodes("█▓░·"))
                bar.append_text(safe_text(f" {words}"))
                yield label, bar
                yield "", safe_text(parts_text(parts, one.context_tokens), "dim")
                continue
        yield label, safe_text(text, "bold" if label == "run" else "")


def _grid(rows: Iterator[tuple[str, Text]]) -> RenderableType:
    from rich.padding import Padding
    from rich.table import Table

    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True, min_width=_LABEL)
    grid.add_column(overflow="fold")
    for label, text in rows:
        grid.add_row(safe_text(label, "dim"), text)
    return Padding(grid, (0, 0, 0, 2))
