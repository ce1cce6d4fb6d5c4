"""One run of a batch: what has no result yet is asked, and every result is saved and written."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from phicli.answering.formed import FormError
from phicli.answering.types import Answer
from phicli.batch.asking import Answered, Item, RowWorker
from phicli.batch.formats import Layout
from phicli.batch.options import BatchOptions
from phicli.batch.out_file import OutChangedError, OutFile
from phicli.batch.report import Failure, Report
from phicli.batch.requests import RequestWords
from phicli.batch.results import PlainResults, Results, reason_in, saved, tokens_in, was_cut_off
from phicli.batch.scan import Scan
from phicli.batch.source import Source
from phicli.batch.target import Target
from phicli.batch.types import Row
from phicli.batch.wording import Wording
from phicli.errors import (
    DoesNotFitError,
    PhiError,
    UsageError,
    UserInterruptError,
    disk_full,
    is_disk_full,
)
from phicli.jobs.journal import Journal
from phicli.jobs.planning import Needs
from phicli.jobs.running import Done, run
from phicli.jobs.watch import Watch
from phicli.tools.declared import declared_for
from phicli.units import counted, format_pace

_SHOWN_S: Final = 0.2
_MOST_FAILURES: Final = 5
_AGAIN: Final = "to continue, run the same command again: nothing is asked twice"


@dataclass(frozen=True, slots=True)
class Reading:
    """The input: how it is read, what is known of all of it, and what makes requests of its rows."""

    source: Source
    layout: Layout
    seen: Scan
    words: Wording | RequestWords


class Sitting:
    """One run of the command.

    Args:
        wanted: what is asked, and how.
        reading: the input.
        target: what answers.
        journal: has the results so far.
        out: gets the lines.
        again: numbers whose results are replaced; they are taken out of it.
        watch: shows how far it has come.
        broken: how many results are of rows that cannot be asked.
    """

    def __init__(
        self, wanted: BatchOptions, reading: Reading, target: Target, journal: Journal, out: OutFile, again: set[int],
        watch: Watch, *, broken: int = 0,
    ) -> None:  # fmt: skip
        self._wanted, self._reading, self._target = wanted, reading, target
        self._journal, self._out, self._again, self._watch = journal, out, again, watch
        words = reading.words
        self._results: Results = words if isinstance(words, RequestWords) else PlainResults()
        self._workers: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        self._began: float | None = None
        self._shown_at = 0.0
        self._alone, self._writes, self._stopping = True, False, False
        self._asked = self._cut_off = 0
        self._failed, self._broken = len(journal.failed), broken

    def run(self) -> Report:
        """Ask what is left.

        Raises:
            PhiError: it ended early; the data are those of the report.
        """
        try:
            self._require_saved()
            if not self._wanted.restart:
                self._out.verify()
            pending = self._reading.seen.rows - len(self._journal) + len(self._again)
            self._say_what_was_done(pending)
            if askable := pending - max(0, self._reading.seen.wrong - self._broken):
                self._ask(askable)
            elif pending:
                with self._out:
                    list(self._items())
            with self._out:
                self._out.advance()
        except KeyboardInterrupt:
            raise self._with_counts(UserInterruptError("interrupted")) from None
        except OSError as error:
            if not is_disk_full(error):
                raise
            raise self._with_counts(disk_full(self._wanted.out, "free some space")) from error
        except PhiError as error:
            raise self._with_counts(error) from None
        return self.report()

    def report(self) -> Report:
        """What there is now."""
        elapsed_s = 0.0 if self._began is None else time.monotonic() - self._began
        return Report(
            self._wanted.out, self._wanted.journal, self._target.name, self._reading.seen.rows,
            len(self._journal) - self._failed, self._failed, self._broken, self._asked, self._cut_off,
            self._tokens["prompt"], self._tokens["cached"], self._tokens["completion"], elapsed_s, dict(self._workers),
            tuple(self._failures()), self._some_too_short(), isinstance(self._results, RequestWords),
        )  # fmt: skip

    def _ask(self, askable: int) -> None:
        needs = Needs(
            longest_bytes=self._reading.seen.most_bytes + len(declared_for("", self._wanted.answers.tools)),
            max_tokens=self._wanted.options.max_tokens,
            requests=askable,
            parallel=self._wanted.parallel,
        )
        with self._target.open(needs, self._watch) as workers, self._out:
            if not self._wanted.restart:
                self._write()
            self._began = time.monotonic()
            self._alone = len(workers) == 1
            self._show()
            run(
                self._items(), [*map(RowWorker, workers)], self._done, on_gone=self._gone, on_draining=self._draining,
            )  # fmt: skip

    def _write(self) -> None:
        """Begin to write, if that was not done; what a restart discards is there until the first result."""
        if not self._writes:
            self._writes = True
            self._out.advance()  # before the journal: it can be made again from that
            self._begin()

    def _begin(self) -> None:
        """Save the limits that do not make another job of it, and say where earlier answers had others."""
        options, before = self._wanted.options, self._journal.settings or {}
        limits = {"max_tokens": options.max_tokens, "context_tokens": options.context_tokens}
        if self._journal:
            for field, option in (("max_tokens", "--max-tokens"), ("context_tokens", "--context")):
                if field in before and before[field] != limits[field]:
                    earlier, now = ("the default" if one is None else one for one in (before[field], limits[field]))
                    self._watch.say(f"note: {option} is {now}; for the lines that were done before it was {earlier}")
        self._journal.begin(limits)

    def _items(self) -> Iterator[tuple[int, Item]]:
        """What is left to be asked; rows that cannot be asked fail at once."""
        reading = self._reading
        with reading.source.reader() as file:
            for row in islice(reading.layout.rows(file), reading.seen.rows):
                reading.source.require_same()
                if row.number in self._journal and row.number not in self._again:
                    continue
                try:
                    asked = reading.words.asked(row)
                except UsageError as error:
                    self._broken += 1
                    self._save(row, self._results.failed(row, error), failed=True, broken=True)
                    continue
                yield row.number, Item(row, asked)

    def _done(self, done: Done[Item, Answered]) -> None:
        row, answers = done.item.row, done.result.answers
        if any(answer.finish_reason == "interrupted" for answer in answers):
            return  # stopped by a person: it is asked again
        self._workers[done.worker] += 1
        self._asked += 1
        error = done.result.error or self._cut_off_error(answers)
        if error is not None:
            never = done.result.error is not None and type(error) is UsageError  # the request, whoever is asked
            self._broken += never
            self._save(row, self._results.failed(row, error), failed=True, broken=never)
        else:
            self._save(row, self._results.answered(row, answers, done.worker), failed=False)

    def _cut_off_error(self, answers: Sequence[Answer]) -> PhiError | None:
        """The error of an answer that has not its form, because the limit of tokens ended it."""
        form = self._wanted.answers.form
        for answer in answers:
            if form is not None and answer.finish_reason == "length":
                tokens = counted(answer.usage.completion_tokens, "token")
                message = f"the answer was cut off after {tokens}, before it matched {form.name}"
                return FormError(message, "", answer, ["it was cut off"])
        return None

    def _save(self, row: Row, result: Mapping[str, Any], *, failed: bool, broken: bool = False) -> None:
        elapsed_s = 0.0 if self._began is None else time.monotonic() - self._began
        self._write()
        self._journal.add(row.number, saved(row, result, broken=broken), elapsed_s, failed=failed)
        self._require_saved()
        self._failed += failed - (row.number in self._again)
        self._again.discard(row.number)
        for name, count in zip(("prompt", "cached", "completion"), tokens_in(result), strict=True):
            self._tokens[name] += count
        self._cut_off += not failed and was_cut_off(result)
        self._out.advance()
        self._show()

    def _require_saved(self) -> None:
        """Return if the journal could be written.

        Raises:
            DoesNotFitError: it could not, because the disk is full: results would be lost.
            UsageError: the same for another reason.
        """
        if not self._journal.problem:
            return
        message = f"the journal cannot be written: {self._journal.problem}"
        if self._journal.is_full:
            raise DoesNotFitError(message, "free some space")
        raise UsageError(message, "name a file in another folder with --out")

    def _show(self) -> None:
        """Show how far it has come, a few times a second."""
        now = time.monotonic()
        if self._began is None or now - self._shown_at < _SHOWN_S:
            return
        self._shown_at = now
        done, rows = len(self._journal) - len(self._again), self._reading.seen.rows
        failed = self._failed - len(self._again)
        elapsed_s = max(now - self._began, 1e-6)
        rate = self._asked / elapsed_s
        words = [f"{done:,} of {rows:,}"]
        words += [f"{failed:,} failed"] if failed else []
        if self._asked:
            pace, unit = format_pace(rate)
            words += [f"{pace} lines/{'s' if unit == 'second' else 'min'}"]
            words += [f"{self._tokens['completion'] / elapsed_s:,.0f} tokens/s"]
        else:
            words += ["waiting for the first answer"]
        self._watch.show(" · ".join(words), (rows - done) / rate if rate and not self._stopping else None)

    def _draining(self, under_way: int) -> None:
        """The first Ctrl-C came."""
        lines = counted(under_way, "line")
        self._watch.warn(f"interrupted: waiting for {lines} under way; press Ctrl-C again to stop at once")
        self._stopping, self._shown_at = True, 0.0
        self._show()

    def _gone(self, name: str, error: PhiError) -> None:
        if self._alone:  # this is the error that ends the command
            return
        self._watch.warn(f"{name} is left out: {error.message}; its lines go to the others")

    def _say_what_was_done(self, pending: int) -> None:
        journal, rows = self._journal, self._reading.seen.rows
        if journal.damaged_lines:
            lines = counted(journal.damaged_lines, "line")
            self._watch.say(f"note: {lines} of {journal.path.name} cannot be read; what they had is asked again")
        known = rows - pending
        if known and pending:
            self._watch.say(
                f"note: {known:,} of {counted(rows, 'line')} were done before; {pending:,} "
                f"{'is' if pending == 1 else 'are'} left"
            )

    def _with_counts(self, error: PhiError) -> PhiError:
        """``error`` with how far it came, and how it goes on."""
        report = self.report()
        done = len(self._journal) - len(self._again)
        error.data = {**(error.data or {}), **report.to_data()}
        if done and not isinstance(error, OutChangedError):  # which is refused again until somebody moves it
            error.message = f"{error.message}; {done:,} of {counted(report.rows, 'line')} are done"
            error.hint = f"{error.hint}; {_AGAIN}" if error.hint else _AGAIN
        return error

    def _some_too_short(self) -> bool:
        results = (self._journal.get(number).result["out"] for number in sorted(self._journal.failed))
        return any((one.get("error") or {}).get("finish_reason") == "length" for one in results)

    def _failures(self) -> Iterator[Failure]:
        for number in sorted(self._journal.failed)[:_MOST_FAILURES]:
            known = self._journal.get(number).result
            yield Failure(known["line"], reason_in(known["out"]))
