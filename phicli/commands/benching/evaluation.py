"""``phi bench --eval``: the questions of a file, asked of each model in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import phicli
from phicli.bench.evaluation.items import load_items
from phicli.bench.evaluation.journal import Journal, journal_key
from phicli.bench.evaluation.result import Evaluation, Paired, paired
from phicli.bench.evaluation.runner import Progress, evaluate, results_of, wall_seconds
from phicli.bench.evaluation.types import Item, ItemSet
from phicli.bench.launch import build_of
from phicli.bench.measuring.surroundings import Surroundings, look_around
from phicli.commands.benching.asking import Asking
from phicli.commands.benching.options import BenchOptions
from phicli.commands.benching.preparing import Prepared, prepare
from phicli.commands.benching.subjects import subjects
from phicli.errors import ContextExceededError, EngineError, PhiError, UserInterruptError
from phicli.plan.tuned import BATCH
from phicli.records.history import Entry, History, new_run_id, now
from phicli.records.run import Subject
from phicli.ui.bench.evaluation import print_evaluations, report_data
from phicli.ui.bench.progress import MeasuringLine
from phicli.ui.terminal import Terminal

Tell = Callable[[str], None]


def run_evaluation(terminal: Terminal, models: Sequence[str], options: BenchOptions) -> None:
    """Ask, judge, keep, and show; what was answered before an interruption or a failure is shown and kept.

    Raises:
        PhiError: the file of questions, a model or an option is wrong; the engine failed, or could answer nothing.
        UserInterruptError: Ctrl-C; the same command goes on where it was.
    """
    questions = load_items(options.eval_file or "")
    around = look_around()
    with MeasuringLine(terminal, enabled=not options.quiet) as line:
        run = _Run(options, questions, around, line, _silent if options.quiet else line.say)
        failure = run.ask_all([_prepared(one, run.items, options, around) for one in run.subjects(models)])
    failure = failure or nothing_answered(run.found)
    comparisons = comparisons_of(run.found)
    if run.found and not (failure is not None and options.output == "json"):
        print_evaluations(terminal, run.found, comparisons, output=options.output)
    if failure is not None:
        failure.data = {**(failure.data or {}), **(report_data(run.found, comparisons) if run.found else {})}
        raise failure


def _prepared(subject: Subject, items: Sequence[Item], options: BenchOptions, around: Surroundings) -> Prepared:
    """With what tuning found on this machine for many requests."""
    from phicli.plan.tuned_here import kept_for

    tuned = kept_for(subject.path).current
    return prepare(subject, items, options, around, best=tuned.winners[BATCH] if tuned else None)


def _told(failure: PhiError, made: Evaluation, journal: Journal) -> PhiError:
    """``failure`` with how far it came, and what happens when the command is run again."""
    asked = f"{len(made.results)} of {made.total} questions were asked"
    again = "what could not be kept is asked again" if journal.problem else "the same command goes on from there"
    if isinstance(failure, UserInterruptError):
        failure.message, failure.hint = f"{failure.message}: {asked}", again
    elif made.results:
        failure.message = f"{made.label}: {failure.message}; {asked}"
        failure.hint = f"{failure.hint}; {again}" if failure.hint else again
    return failure


def nothing_answered(found: Sequence[Evaluation]) -> PhiError | None:
    """The error where a model had an answer to none of its questions: there is no accuracy then."""
    for one in found:
        if one.failed == len(one.results):
            first = one.results[0].reply
            kind = ContextExceededError if first.finish_reason == "context" else EngineError
            message = f"{one.label}: none of {one.failed} questions could be answered; the first one: {first.error}"
            return kind(message, "see what it does with one of them: phi chat MODEL QUESTION")
    return None


def comparisons_of(found: Sequence[Evaluation]) -> tuple[Paired, ...]:
    """Every pair of evaluations that have a question in common."""
    pairs = (paired(first, second) for first, second in combinations(found, 2))
    return tuple(pair for pair in pairs if pair is not None)


@dataclass
class _Run:
    """One command: what was asked for, and what was found so far."""

    options: BenchOptions
    questions: ItemSet
    around: Surroundings
    line: MeasuringLine
    tell: Tell

    def __post_init__(self) -> None:
        self.items: tuple[Item, ...] = self.questions.items[: self.options.limit]
        self.found: list[Evaluation] = []
        self._losses: set[str] = set()

    def subjects(self, models: Sequence[str]) -> Iterator[Subject]:
        """What is asked, with hash and build: both belong to the key of what is kept."""
        for engine in self.options.engines:
            build = build_of(engine, self.options.llama_server)
            for one in subjects(models, engine=engine, tell=self.tell):
                if not one.sha256:  # what does not fit is refused before all its bytes are read
                    prepare(one, self.items, self.options, self.around)
                yield replace(one, sha256=one.sha256 or self._sha256(one), build=build)

    def ask_all(self, prepared: Sequence[Prepared]) -> PhiError | None:
        """Ask one model after the other; what ended it early, None when nothing did."""
        try:
            for one in prepared:
                failure = self._add(one)
                if failure is not None:
                    return failure
        except KeyboardInterrupt:
            return UserInterruptError("interrupted")
        except PhiError as error:
            return error
        return None

    def _add(self, prepared: Prepared) -> PhiError | None:
        """Ask one model what it has not been asked yet, and keep what was found; what ended it early."""
        with Journal(self._key(prepared), restart=self.options.restart) as journal:
            known = sum(item.item_id in journal.answers for item in self.items)
            self._tell_about(prepared.subject.model, journal, known)
            failure = self._ask(prepared, journal) if known < len(self.items) else None
            made = self._evaluation(prepared, journal)
            self._tell_of_loss(journal)
        if made.results:
            self.found.append(made)
        if len(made.results) > known:
            self._keep(made)
        return failure and _told(failure, made, journal)

    def _ask(self, prepared: Prepared, journal: Journal) -> PhiError | None:
        """Ask until all is answered, Ctrl-C is pressed, or the engine fails; what of the last two it was."""
        name = prepared.subject.model

        def loading(waited_s: float) -> None:
            self.line.show(f"loading {name}: {waited_s:.0f} s")

        def progress(at: Progress) -> None:
            self._tell_of_loss(journal)
            self.line.show(f"{name}: {at.done} of {at.total}, {at.right} right", at.left_s)

        self.line.show(f"loading {name}")
        try:
            with Asking(prepared, self.options, tell=self.tell, on_tick=loading) as asking:
                journal.begin(prepared.settings_data())
                self.line.show(f"{name}: {len(self.items)} questions, {prepared.slots} at a time")
                evaluate(self.items, asking.ask, journal, slots=prepared.slots, stop=asking.stop, on_progress=progress)
        except KeyboardInterrupt:
            return UserInterruptError("interrupted")
        except PhiError as error:
            return error
        return None

    def _evaluation(self, prepared: Prepared, journal: Journal) -> Evaluation:
        return Evaluation(
            run_id=new_run_id(),
            made_at=now(),
            subject=prepared.subject,
            set_name=self.questions.name,
            set_sha256=self.questions.sha256,
            total=len(self.items),
            results=results_of(self.items, journal),
            settings=journal.settings or prepared.settings_data(),
            hardware=self.around.to_data(),
            wall_s=wall_seconds(self.items, journal),
            sittings=len({one.sitting for one in journal.answers.values()}),
        )

    def _keep(self, made: Evaluation) -> None:
        about = made.subject
        entry = Entry(
            made.run_id, made.made_at, "eval", about.model, about.quant, about.engine, about.build,
            self.around.cpu.name, made.to_data(),
        )  # fmt: skip
        if (problem := History().try_add(entry)) is not None:
            self.line.say(f"warning: {problem}")

    def _key(self, prepared: Prepared) -> str:
        """Everything that replies depend on; what the memory of the moment decides is no part of it."""
        subject, options = prepared.subject, self.options
        asked: dict[str, Any] = {
            "context": options.context_tokens,
            "threads": options.threads,
            "batch": options.batch_tokens,
            "repack": options.repack,
            "gpu_layers": options.gpu_layers,
        }
        about = {
            "phi": phicli.__version__,
            "items": self.questions.sha256,
            "model": subject.sha256,
            "size": subject.size_bytes,
            "engine": subject.engine,
            "build": subject.build,
            "asked": asked,
        }
        return journal_key(about | prepared.asking_data())

    def _tell_about(self, model: str, journal: Journal, known: int) -> None:
        if journal.damaged_lines:
            lines = "1 line" if journal.damaged_lines == 1 else f"{journal.damaged_lines} lines"
            self.tell(f"{model}: {lines} of what was kept cannot be read; those questions are asked again")
        if known:
            self.tell(f"{model}: {known} of {len(self.items)} replies are there from earlier; --restart asks all again")

    def _tell_of_loss(self, journal: Journal) -> None:
        """Say once that replies cannot be kept, and why."""
        if journal.problem and journal.problem not in self._losses:
            self._losses.add(journal.problem)
            self.line.say(f"warning: from here on replies are lost with an interruption: {journal.problem}")

    def _sha256(self, subject: Subject) -> str:
        """The hash of a file that was never hashed; it is read once more for that, and then remembered."""
        from phicli.hub.verified import hash_once
        from phicli.ui.status import how_far

        return hash_once(subject.path, lambda what, done, total: self.line.show(how_far(what, done, total)))


def _silent(text: str) -> None:
    del text
