"""Evaluations as a table, as sentences, and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from phicli.bench.evaluation.evaluate import EvaluationFindings
from phicli.bench.evaluation.result import Evaluation, Paired
from phicli.ui.bench import cells, expected_answers
from phicli.ui.bench.cells import markdown_table, markdown_text
from phicli.ui.bench.figures import rate
from phicli.ui.bench.run_columns import labels_of
from phicli.ui.envelope import json_line, print_result
from phicli.ui.tables import Column, print_rows
from phicli.ui.terminal import Terminal, one_line
from phicli.units import counted

_SHOWN: Final = 5
_SEE_ALL: Final = "to see all replies and errors, add --jsonl"
_MODEL, _RIGHT, _ACCURACY = Column("model", least=12), Column("right", right=True), Column("accuracy", right=True)
_NARROW: Final = Column("accuracy", right=True, least=9, key="accuracy with interval")
_INTERVAL, _CUT = Column("95 % interval", right=True), Column("cut", right=True)
_FAILED, _SPEED, _TIME = Column("failed", right=True), Column("tokens/s", right=True), Column("time", right=True)


def print_findings(terminal: Terminal, found: EvaluationFindings, *, output: str) -> None:
    """Show what was asked, then fail if something failed; as ``json`` both are in one object.

    Raises:
        PhiError: ``found.failure``.
        OutputClosedError, OSError: as for :func:`print_evaluations`.
    """
    failure, done = found.failure, found.evaluations
    if done and (failure is None or output != "json"):
        print_evaluations(terminal, done, found.comparisons, output=output)
    if failure is not None:
        failure.data = {**(failure.data or {}), **(report_data(done, found.comparisons) if done else {})}
        raise failure


def print_evaluations(
    terminal: Terminal, found: Sequence[Evaluation], comparisons: Sequence[Paired] = (), *, output: str
) -> None:
    """Show ``found`` (at least one) as ``output`` says: ``text``, ``json``, ``jsonl``, ``csv`` or ``markdown``.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    if output == "json":
        print_result(terminal, "eval", report_data(found, comparisons))
    elif output == "jsonl":
        _print_jsonl(terminal, found)
    elif output == "csv":
        _print_csv(terminal, found)
    elif output == "markdown":
        _print_markdown(terminal, found, comparisons)
    else:
        print_compared(terminal, found, comparisons)
    if output in ("csv", "jsonl"):
        for one in found:
            if one.failed:
                terminal.alarm("warning:", f"{one.failed} of {len(one.results)} questions failed with {one.label}")


def report_data(found: Sequence[Evaluation], comparisons: Sequence[Paired] = ()) -> dict[str, Any]:
    """What ``phi eval --json`` carries."""
    return {
        "hardware": dict(found[0].hardware) if found else {},
        "evaluations": [one.to_data() for one in found],
        "comparisons": [pair.to_data() for pair in comparisons],
    }


def comparison_line(pair: Paired) -> str:
    """One comparison in a sentence; which of them is better is left open where the exact test does."""
    ends = "" if pair.low is None or pair.high is None else f" ({100 * pair.low:+.1f} to {100 * pair.high:+.1f})"
    doubt = "" if pair.p_value < 1 - pair.confidence else "; this does not show which of them is better"
    return (
        f"{pair.second} compared with {pair.first}: {100 * pair.difference:+.1f} points{ends} on {pair.items} "
        f"questions; {pair.only_second} were right only with {pair.second}, {pair.only_first} only with {pair.first} "
        f"(McNemar's exact p {pair.p_value:.2g}){doubt}"
    )


def _row(one: Evaluation) -> dict[str, str]:
    accuracy, speed = one.accuracy, one.generated_tps
    known = accuracy is not None and accuracy.low is not None and accuracy.high is not None
    share = f"{accuracy.estimate:.1%}" if accuracy else ""
    ends = f"{accuracy.low:.1%} to {accuracy.high:.1%}" if accuracy and known else ""
    return {
        "model": one.label,
        "right": f"{one.right} of {one.answered}",
        "accuracy": share,
        "95 % interval": ends,
        "accuracy with interval": f"{share} ({ends})" if ends else share,
        **expected_answers.cells_of(one),
        "failed": str(one.failed),
        "cut": str(one.cut),
        "tokens/s": rate(speed) if speed else "",
        "time": _time(one.wall_s),
    }


def _time(seconds: float) -> str:
    """``0.8 s``, ``42 s``, ``12 min 30 s``, ``1 h 5 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole // 60 % 60} min"


def print_compared(
    terminal: Terminal, found: Sequence[Evaluation], comparisons: Sequence[Paired], *, see_all: str = _SEE_ALL
) -> None:
    """Show ``found`` (at least one) as a table with sentences; ``see_all`` says where all replies are.

    Raises:
        OutputClosedError: the reader has closed it.
    """
    below = [*_notes(found, comparisons), *_wrong(found, see_all)]
    print_rows(terminal, _layouts(found), [_row(one) for one in found], above=[_about(found[0])], below=below)


def _layouts(found: Sequence[Evaluation]) -> tuple[tuple[Column, ...], ...]:
    """From wide to narrow; a column for what failed only where something did."""
    failed = (_FAILED,) if any(one.failed for one in found) else ()
    if any(one.has_talks for one in found):
        all_of = (_MODEL, _RIGHT, _ACCURACY, _INTERVAL, *expected_answers.WITH_INTERVALS, *failed)
        narrow = (_MODEL, _RIGHT, _NARROW, *expected_answers.NARROW)
        short = (_MODEL, _RIGHT, _ACCURACY, expected_answers.F1, expected_answers.PERPLEXITY)
        return ((*all_of, _CUT, _SPEED, _TIME), all_of, (*narrow, *failed), narrow, short)
    least = (_MODEL, _RIGHT, _ACCURACY, _INTERVAL, *failed)
    return ((*least, _CUT, _SPEED, _TIME), least, (_MODEL, _RIGHT, _NARROW), (_MODEL, _RIGHT, _ACCURACY))


def _about(one: Evaluation) -> str:
    """What was asked, and how, in a line."""
    settings = one.settings
    how = "greedy" if not settings.get("temperature") else f"temperature {settings['temperature']}"
    longer = ", more where a longer answer is expected" if one.has_longer else ""
    return one_line(
        f"{one.set_name}: {counted(one.total, 'question')}, {how}, seed {settings.get('seed')}, "
        f"at most {settings.get('max_tokens')} tokens each{longer}, {settings.get('slots')} in parallel"
    )


def _notes(found: Sequence[Evaluation], comparisons: Sequence[Paired]) -> Iterator[str]:
    for one in found:
        if len(one.results) < one.total:
            yield f"{one.label}: incomplete, {len(one.results)} of {one.total} questions were asked"
    for pair in comparisons:
        yield comparison_line(pair)
        yield from expected_answers.difference_lines(pair)
    yield from expected_answers.incomparable_lines(found, comparisons)
    yield from expected_answers.notes_on(found)
    yield from _failures(found)


def _failures(found: Sequence[Evaluation]) -> Iterator[str]:
    """The first questions that failed, each with its reason."""
    for one in found:
        failed = [result for result in one.results if result.failed]
        if failed:
            more = f"; the first {_SHOWN}" if len(failed) > _SHOWN else ""
            yield f"questions that failed with {one.label}, counted neither right nor wrong: {len(failed)}{more}"
        for result in failed[:_SHOWN]:
            yield f"  {result.item.item_id}: {result.reply.error}"


def _wrong(found: Sequence[Evaluation], see_all: str) -> Iterator[str]:
    """The first replies that are wrong, and how to see the others."""
    for one in found:
        wrong = [result for result in one.results if result.wrong]
        if wrong:
            more = f"; the first {_SHOWN}" if len(wrong) > _SHOWN else ""
            yield f"wrong answers of {one.label}: {len(wrong)}{more}"
        for result in wrong[:_SHOWN]:
            cut = " (cut off at the maximum number of tokens)" if result.reply.finish_reason == "length" else ""
            yield f"  {result.item.item_id}: {result.verdict.reason}{cut}"
    if any(one.right < len(one.results) for one in found):
        yield see_all


def _print_jsonl(terminal: Terminal, found: Sequence[Evaluation]) -> None:
    """One JSON object per line, question and model: the reply, the verdict, and how it was made."""
    for one in found:
        about: dict[str, Any] = {
            "run_id": one.run_id,
            "model": one.subject.model,
            "quant": one.subject.quant,
            "set": one.set_name,
        }
        about |= {"adapters": [adapter.to_data() for adapter in one.subject.adapters]}
        about |= {"engine": one.subject.engine, "build": one.subject.build, "seed": one.settings.get("seed")}
        for result in one.results:
            terminal.write(json_line(terminal, {**about, **result.to_data()}))


def _print_csv(terminal: Terminal, found: Sequence[Evaluation]) -> None:
    """RFC 4180: a header, then one record per model; shares are between 0 and 1."""
    records = [_record(one) for one in found]
    cells.print_csv(terminal, records[0], (record.values() for record in records))


def _record(one: Evaluation) -> Mapping[str, Any]:
    data, accuracy = one.to_data(), one.accuracy
    names = ("run_id", "made_at", "model", "quant", "engine", "build", "set", "set_sha256", "items", "asked", "right")
    settings = ("prompt_format", "temperature", "seed", "max_tokens", "threads", "kv_type", "repack", "slots")
    return {
        **{name: data[name] for name in names},
        "accuracy": accuracy.estimate if accuracy else None,
        "accuracy_low": accuracy.low if accuracy else None,
        "accuracy_high": accuracy.high if accuracy else None,
        **expected_answers.record_of(one),
        **{name: data[name] for name in ("failed", "cut", "generated_tokens", "generated_tps", "wall_s", "complete")},
        **{name: one.settings.get(name) for name in settings},
        "sha256": data["sha256"],
        "path": data["path"],
        "adapters": labels_of(one.subject.adapters),
    }


def _print_markdown(terminal: Terminal, found: Sequence[Evaluation], comparisons: Sequence[Paired]) -> None:
    columns, rows = _layouts(found)[0], [_row(one) for one in found]
    lines = [
        *markdown_table(columns, rows),
        "",
        *(
            f"{_indent(line)}- {markdown_text(line.strip())}"
            for line in (_about(found[0]), *_notes(found, comparisons))
        ),
    ]
    terminal.write("\n".join(lines) + "\n")


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
