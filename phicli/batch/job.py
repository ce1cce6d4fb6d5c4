"""Asks every line of a file, and writes what was answered."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import IO

from phicli.answering.asked import Asked
from phicli.batch.formats import Layout, layout_of
from phicli.batch.identity import identity
from phicli.batch.options import BatchOptions
from phicli.batch.out_file import OutFile
from phicli.batch.output import Output, output_of
from phicli.batch.places import has_results, remove_nothing, require_place
from phicli.batch.report import Report
from phicli.batch.requests import RequestWords
from phicli.batch.results import is_broken, is_result
from phicli.batch.scan import scan
from phicli.batch.sitting import Reading, Sitting
from phicli.batch.source import open_source
from phicli.batch.target import Target
from phicli.batch.wording import Wording, bytes_of
from phicli.errors import PhiError, UsageError
from phicli.jobs.journal import Journal, OtherJobError, UnknownJournalError
from phicli.jobs.watch import Watch
from phicli.units import counted


def run_batch(
    wanted: BatchOptions, target_of: Callable[[], Target], watch: Watch, stdin: IO[bytes] | None = None
) -> Report:
    """Ask every line that has no result yet, and write the results.

    Args:
        wanted: what is asked, and how.
        target_of: finds what answers; called when the input is known to be right.
        watch: shows how far it has come.
        stdin: standard input, in place of that of the process.

    Raises:
        PhiError: nothing was asked, because something is wrong; or it ended early, with the report as its data.
    """
    with open_source(wanted.source, stdin) as source:
        require_place(wanted, source)
        layout = layout_of(source, wanted.input_format)
        words = words_of(wanted, layout)
        _require_names(layout, words)
        _notice_same(layout, words, watch)
        watch.show(f"reading {source.name}")
        seen = scan(
            source, layout, lambda row: bytes_of(words.asked(row)),
            lambda rows: watch.show(f"reading {source.name}: {counted(rows, 'line')}"),
        )  # fmt: skip
        output = output_of(wanted.out, layout, seen, wanted.answers.form, tools=bool(wanted.answers.tools))
        target = target_of()
        about = identity(wanted, layout, seen, target.about(watch))
        busy = f"another phi process is writing {wanted.out}"
        restart = wanted.restart or not has_results(wanted)
        try:
            with Journal(
                wanted.journal, about, items=seen.rows, restart=restart, accepts=is_result, busy=busy
            ) as journal:
                return _sit(wanted, Reading(source, layout, seen, words), target, journal, output, watch)
        except OtherJobError as error:
            error.message = f"{wanted.out} has the results of another job, with another {' and '.join(error.differs)}"
            error.hint = "name another file with --out, or replace it: --restart"
            raise
        except UnknownJournalError as error:
            error.hint = f"name another file with --out, or replace {wanted.out} and its journal: --restart"
            raise


def _sit(
    wanted: BatchOptions, reading: Reading, target: Target, journal: Journal, output: Output, watch: Watch
) -> Report:
    """Ask what the journal does not have. Raises as :func:`run_batch`."""
    broken = {number for number in journal.failed if is_broken(journal.get(number).result)}
    again = {*journal.failed} - broken if wanted.retry_failed else set[int]()
    layout, source = reading.layout, reading.source
    out = OutFile(wanted.out, output, journal, lambda: layout.rows(source.reader()), again)
    try:
        return Sitting(wanted, reading, target, journal, out, again, watch, broken=len(broken)).run()
    except PhiError:
        if not journal:
            remove_nothing(wanted, output.head())
        raise


def words_of(wanted: BatchOptions, layout: Layout) -> Wording | RequestWords:
    """What makes requests of the rows.

    Raises:
        UsageError: something was typed that would have no effect.
    """
    answers, words = wanted.answers, wanted.words
    if layout.format == "openai":
        _require_own(wanted)
        options = wanted.options
        usual = Asked(wanted.model, sampling=wanted.sampling, stop=options.stop, think_tokens=options.think_budget)
        return RequestWords(wanted.model, usual)
    chosen = answers.tool_choice
    named = chosen not in ("auto", "none", "required")
    base = Asked(
        wanted.model,
        tools=answers.tools,
        tool_choice="required" if named else chosen,  # type: ignore[arg-type]
        callable_tools=frozenset((chosen,)) if named else None,
        several_calls=not named,
        form=answers.form,
        sampling=wanted.sampling,
        stop=wanted.options.stop,
        think_tokens=wanted.options.think_budget,
    )
    return Wording(base, words.prompt, words.template, words.system, words.values, words.defaults)


def _require_own(wanted: BatchOptions) -> None:
    """Return if nothing was typed that each request of an OpenAI batch file says itself.

    Raises:
        UsageError: something was, and would be ignored.
    """
    answers, words = wanted.answers, wanted.words
    typed = {
        "--prompt": words.prompt, "the prompt of the template": words.template, "--system": words.system,
        "a form of the answers": answers.form, "--tools": answers.tools,
    }  # fmt: skip
    for name, value in typed.items():
        if value:
            raise UsageError(
                f"{name} has no effect on an OpenAI batch file: each line is a whole request",
                "leave it out, and say it in the body of each line",
            )


def _require_names(layout: Layout, words: Wording | RequestWords) -> None:
    """Return if a table has every column that a prompt names.

    Raises:
        UsageError: it has not.
    """
    if not layout.is_table or not isinstance(words, Wording):
        return
    columns = ", ".join(layout.columns)
    for name in words.variables:
        if name not in layout.columns:
            close = get_close_matches(name, layout.columns, n=1)
            hint = f"did you mean {{{close[0]}}}?" if close else "correct the name in braces"
            raise UsageError(f"there is no column {name!r}: the columns are {columns}", hint)
    needs_own = words.prompt is None and (words.template is None or words.template.takes_input)
    if needs_own and not {"prompt", "messages"} & {*layout.columns}:
        raise UsageError(
            f"there is no column 'prompt': the columns are {columns}",
            f"word the question with the columns: --prompt 'Text with {{{_example_column(layout)}}}'",
        )


def _notice_same(layout: Layout, words: Wording | RequestWords, watch: Watch) -> None:
    """Say that no line differs from another where the words of the question name nothing of a line."""
    if not isinstance(words, Wording) or words.prompt is None or words.variables:
        return
    column = _example_column(layout) if layout.is_table else "prompt" if layout.format == "lines" else "key"
    watch.say(f"note: --prompt names nothing of a line, so all lines ask the same question; to name it: {{{column}}}")


def _example_column(layout: Layout) -> str:
    """A column that may have the text: the last one."""
    return [*layout.columns][-1]
