"""Asks each of several models the questions of a file, in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import phicli
from phicli.bench.evaluation.asking import Asking
from phicli.bench.evaluation.items import SHIPPED, load_items
from phicli.bench.evaluation.journal import Journal, journal_key
from phicli.bench.evaluation.opening import open_pool
from phicli.bench.evaluation.preparing import EvalOptions, EvaluationPlan, prepare
from phicli.bench.evaluation.result import Evaluation, Paired, paired
from phicli.bench.evaluation.runner import Progress, evaluate, results_of, wall_seconds
from phicli.bench.evaluation.types import Item, ItemSet
from phicli.bench.launch import BuildChangedError
from phicli.bench.measuring.surroundings import Surroundings, look_around
from phicli.bench.subjects import subjects
from phicli.bench.watch import Watch
from phicli.engine.starting import EngineChoice, build_of
from phicli.errors import ContextExceededError, EngineError, PhiError, UsageError, UserInterruptError
from phicli.fit.too_large import on_too_large
from phicli.hardware.threads import notice_threads
from phicli.records.history import History, entry_about
from phicli.records.run import Subject
from phicli.records.run_ids import new_run_id, now
from phicli.records.tuned import BATCH, Winner
from phicli.records.tuned_files import find_tuned
from phicli.units import counted, how_far


@dataclass(frozen=True, slots=True)
class EvaluationFindings:
    """What was asked and judged until all was done or ``failure`` ended it."""

    evaluations: tuple[Evaluation, ...]
    comparisons: tuple[Paired, ...]
    failure: PhiError | None


def evaluate_models(models: Sequence[str], options: EvalOptions, watch: Watch) -> EvaluationFindings:
    """Ask each model the questions, judge the replies, and save what was found.

    Raises:
        PhiError: the file of questions, a model or an option is wrong.
    """
    if options.question_set is None:
        raise UsageError(
            "no question set was given", f"choose a set ({' or '.join(SHIPPED)}) or a .jsonl file: --set arithmetic"
        )
    questions = load_items(options.question_set)
    if "threads" in options.settings:
        notice_threads([options.settings["threads"]], watch.say)
    around = look_around()
    run = _Run(options, questions, around, watch)
    failure = run.ask_all([run.prepared(one) for one in run.subjects(models)])
    return EvaluationFindings(tuple(run.found), comparisons_of(run.found), failure or nothing_answered(run.found))


def _told(failure: PhiError, made: Evaluation, journal: Journal) -> PhiError:
    """``failure`` with how far it came, and what happens when the command is run again."""
    asked = f"{len(made.results)} of {made.total} questions were asked"
    again = (
        "the questions whose replies could not be saved are asked again"
        if journal.problem
        else "to continue, run the same command again"
    )
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
            message = f"{one.label}: none of {one.failed} questions could be answered; the first error: {first.error}"
            return kind(message, "try one question: phi chat MODEL QUESTION")
    return None


def comparisons_of(found: Sequence[Evaluation]) -> tuple[Paired, ...]:
    """Every pair of evaluations that have a question in common."""
    pairs = (paired(first, second) for first, second in combinations(found, 2))
    return tuple(pair for pair in pairs if pair is not None)


@dataclass
class _Run:
    """One command: what was asked for, and what was found so far."""

    options: EvalOptions
    questions: ItemSet
    around: Surroundings
    watch: Watch

    def __post_init__(self) -> None:
        self.items: tuple[Item, ...] = self.questions.items[: self.options.limit]
        self.found: list[Evaluation] = []
        self._losses: set[str] = set()
        self._too_large = on_too_large(self.watch.say, check=self.options.memory_check)

    def prepared(self, subject: Subject) -> EvaluationPlan:
        """With what tuning found on this machine for many requests to the engine."""
        engine = EngineChoice(subject.engine, self.options.llama_server)
        tuned = find_tuned(subject.path, subject.sha256, engine=engine).current
        return self._prepare(subject, tuned.winners[BATCH] if tuned else None)

    def _prepare(self, subject: Subject, best: Winner | None = None) -> EvaluationPlan:
        return prepare(subject, self.items, self.options, self.around, best=best, on_too_large=self._too_large)

    def subjects(self, models: Sequence[str]) -> Iterator[Subject]:
        """What is asked, with hash and build: both belong to the key of what is kept."""
        for engine in self.options.engines:
            build = self._build(engine)
            for one in subjects(models, engine=engine, tell=self.watch.say):
                if not one.sha256:  # what does not fit is refused before all its bytes are read
                    self._prepare(one)
                yield replace(one, sha256=one.sha256 or self._sha256(one), build=build)

    def ask_all(self, prepared: Sequence[EvaluationPlan]) -> PhiError | None:
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

    def _add(self, prepared: EvaluationPlan) -> PhiError | None:
        """Ask one model what it has not been asked yet, and keep what was found; what ended it early.

        Where native kernels fail meanwhile, these are results of the engine without them.
        """
        with Journal(self._key(prepared), restart=self.options.restart) as journal:
            known = sum(item.item_id in journal.answers for item in self.items)
            self._tell_about(prepared.subject.model, journal, known)
            failure = self._ask(prepared, journal) if known < len(self.items) else None
            if isinstance(failure, BuildChangedError):
                subject = replace(prepared.subject, build=failure.build)
                return self._add(replace(prepared, subject=subject))
            made = self._evaluation(prepared, journal)
            self._tell_of_loss(journal)
        if made.results:
            self.found.append(made)
        if len(made.results) > known:
            self._keep(made)
        return failure and _told(failure, made, journal)

    def _ask(self, prepared: EvaluationPlan, journal: Journal) -> PhiError | None:
        """Ask until all is answered, Ctrl-C is pressed, or the engine fails; what of the last two it was."""
        name = prepared.subject.model

        def loading(waited_s: float) -> None:
            self.watch.show(f"loading {name}: {waited_s:.0f} s")

        def progress(at: Progress) -> None:
            self._tell_of_loss(journal)
            self.watch.show(f"{name}: {at.done} of {at.total}, {at.right} right", at.left_s)

        self.watch.show(f"loading {name}")
        try:
            with open_pool(prepared, self.options.llama_server, on_tick=loading) as pool:
                journal.begin(prepared.settings_data())
                self.watch.show(f"{name}: {len(self.items)} questions, {prepared.slots} in parallel")
                ask = Asking(pool, prepared.systems, prepared.sampling, tell=self.watch.say).ask
                evaluate(self.items, ask, journal, slots=prepared.slots, stop=pool.close, on_progress=progress)
        except KeyboardInterrupt:
            return UserInterruptError("interrupted")
        except PhiError as error:
            return error
        return None

    def _build(self, engine: str) -> str:
        return build_of(engine, self.options.llama_server)

    def _evaluation(self, prepared: EvaluationPlan, journal: Journal) -> Evaluation:
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
        cpu, run_id, made_at = self.around.cpu.name, made.run_id, made.made_at
        entry = entry_about(made.subject, "eval", made.to_data(), cpu=cpu, run_id=run_id, made_at=made_at)
        if (problem := History().try_add(entry)) is not None:
            self.watch.warn(problem)

    def _key(self, prepared: EvaluationPlan) -> str:
        """Everything that replies depend on; what the memory of the moment decides is not included."""
        subject, options = prepared.subject, self.options
        asked: dict[str, Any] = {
            "context": options.context_tokens,
            "settings": dict(options.settings),
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
            lines = counted(journal.damaged_lines, "line")
            self.watch.say(f"{model}: {lines} of the saved replies cannot be read; those questions are asked again")
        if known:
            self.watch.say(
                f"{model}: {known} of {len(self.items)} replies were saved earlier; to ask all questions again: "
                "--restart"
            )

    def _tell_of_loss(self, journal: Journal) -> None:
        """Say once that replies cannot be saved, and why."""
        if journal.problem and journal.problem not in self._losses:
            self._losses.add(journal.problem)
            self.watch.warn(
                f"from now on replies cannot be saved, so an interruption would lose them: {journal.problem}"
            )

    def _sha256(self, subject: Subject) -> str:
        """The hash of a file that was never hashed; it is read again for that, and then remembered."""
        from phicli.hub.verified import hash_once

        return hash_once(subject.path, lambda what, done, total: self.watch.show(how_far(what, done, total)))
