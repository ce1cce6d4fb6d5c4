"""Asks each of several models the questions of a file, in turn."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, groupby

import phicli
from phicli.bench.evaluation.items import SHIPPED, load_items
from phicli.bench.evaluation.preparing import EvalOptions, EvaluationPlan, prepare
from phicli.bench.evaluation.remote import prepare_remote
from phicli.bench.evaluation.replies import Replies, replies_to
from phicli.bench.evaluation.result import Evaluation, Paired, paired
from phicli.bench.evaluation.sitting import Plan, Sitting
from phicli.bench.evaluation.types import Item, ItemSet
from phicli.bench.launch import BuildChangedError
from phicli.bench.measuring.surroundings import Surroundings, look_around
from phicli.bench.subjects import subjects
from phicli.catalog.display_name import name_of
from phicli.engine.starting import EngineChoice, build_of
from phicli.errors import ContextExceededError, EngineError, NetworkError, PhiError, UsageError, UserInterruptError
from phicli.fit.too_large import on_too_large
from phicli.hardware.threads import notice_threads
from phicli.jobs.journal import Journal
from phicli.jobs.watch import Watch
from phicli.records.history import Entry, History
from phicli.records.run import Subject
from phicli.records.run_ids import new_run_id, now
from phicli.records.tuned import BATCH
from phicli.records.tuned_files import find_tuned
from phicli.remotes.types import RemoteModelName
from phicli.units import counted, format_bytes, how_far


@dataclass(frozen=True, slots=True)
class EvaluationFindings:
    """What was asked and judged until all was done or ``failure`` ended it."""

    evaluations: tuple[Evaluation, ...]
    comparisons: tuple[Paired, ...]
    failure: PhiError | None


def evaluate_models(models: Sequence[str | RemoteModelName], options: EvalOptions, watch: Watch) -> EvaluationFindings:
    """Ask each model the questions, judge the replies, and save what was found.

    Args:
        models: of this machine, as they were typed, and of remotes.
        options: what is asked, and how.
        watch: shows how it goes.

    Raises:
        PhiError: the file of questions, a model or an option is wrong.
    """
    if options.question_set is None:
        questions_file = next((one for one in models if isinstance(one, str) and one.lower().endswith(".jsonl")), None)
        usual = f"choose a set ({' or '.join(SHIPPED)}) or a .jsonl file: --set arithmetic"
        hint = usual if questions_file is None else f"put --set before the file: --set {shlex.quote(questions_file)}"
        raise UsageError("no question set was given", hint)
    questions = load_items(
        options.question_set,
        options.limit,
        lambda done: watch.show(f"checking {options.question_set}: {format_bytes(done)}"),
    )
    if "threads" in options.settings:
        notice_threads([options.settings["threads"]], watch.say)
    around = look_around()
    run = _Run(options, questions, around, watch)
    failure = run.ask_all(list(run.plans(models)))
    return EvaluationFindings(tuple(run.found), comparisons_of(run.found), failure or nothing_answered(run.found))


def _told(failure: PhiError, made: Evaluation, journal: Journal) -> PhiError:
    """``failure`` with how far it came, and what happens when the command is run again."""
    asked = f"{len(made.results)} of {made.total} questions were asked"
    if made.scored:
        asked += f"; {counted(made.scored, 'expected answer')} read"
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
            kind: type[PhiError] = EngineError if isinstance(one.subject, Subject) else NetworkError
            if first.finish_reason == "context":
                kind = ContextExceededError
            message = f"{one.label}: none of {one.failed} questions could be answered; the first error: {first.error}"
            adapters = "".join(f" --adapter {shlex.quote(adapter.typed)}" for adapter in one.subject.adapters)
            return kind(message, f"try one question: phi chat {one.subject.model}{adapters} QUESTION")
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
        items = self.questions.items[: self.options.limit]
        self.items: tuple[Item, ...] = tuple(map(self._limited, items))
        self.found: list[Evaluation] = []
        self._losses: set[str] = set()
        self._too_large = on_too_large(self.watch.say, check=self.options.memory_check)

    def _limited(self, item: Item) -> Item:
        """``item``: what it gets at least gives way to ``--max-tokens``."""
        gives_way = item.talk is not None and self.options.max_tokens is not None
        return replace(item, max_tokens=None) if gives_way else item

    def plans(self, models: Sequence[str | RemoteModelName]) -> Iterator[Plan]:
        """What is asked, in the order in which it was typed, each model once; remotes with the first engine."""
        seen: set[RemoteModelName] = set()
        for engine in self.options.engines:
            for is_remote, group in groupby(models or ("",), lambda one: isinstance(one, RemoteModelName)):
                named = list(group)
                if not is_remote:
                    yield from self._local([one for one in named if isinstance(one, str) and one], engine)
                for one in named:
                    if isinstance(one, RemoteModelName) and one not in seen:
                        seen.add(one)
                        yield prepare_remote(one, self.items, self.options)

    def _local(self, models: Sequence[str], engine: str) -> Iterator[Plan]:
        """Models of this machine, with hash and build: both belong to the key of what is saved."""
        build = build_of(engine, self.options.llama_server)
        for one in subjects(models, engine=engine, adapters=self.options.adapters, tell=self.watch.say):
            if not one.sha256:  # what does not fit is refused before all its bytes are read
                self._prepared(one)
            yield self._prepared(replace(one, sha256=one.sha256 or self._sha256(one), build=build), tuned=True)

    def _prepared(self, subject: Subject, *, tuned: bool = False) -> Plan:
        """With what tuning found on this machine for many requests to the engine."""
        engine = EngineChoice(subject.engine, self.options.llama_server)
        found = find_tuned(subject.path, subject.sha256, engine=engine).current if tuned else None
        best = found.winners[BATCH] if found else None
        return prepare(subject, self.items, self.options, self.around, best=best, on_too_large=self._too_large)

    def ask_all(self, plans: Sequence[Plan]) -> PhiError | None:
        """Ask one model after the other; what ended it early, None when nothing did."""
        try:
            for one in plans:
                failure = self._add(one)
                if failure is not None:
                    return failure
        except KeyboardInterrupt:
            return UserInterruptError("interrupted")
        except PhiError as error:
            return error
        return None

    def _add(self, plan: Plan) -> PhiError | None:
        """Ask one model what it has not been asked yet, and save what was found; what ended it early.

        Where native kernels fail meanwhile, these are results of the engine without them.
        """
        about = {"phi": phicli.__version__, "items": self.questions.sha256} | plan.key_data() | plan.asking_data()
        whole = self.questions.total
        with replies_to(self.items, about, of=whole, restart=self.options.restart) as replies:
            known, read = len(replies), replies.read
            self._tell_about(name_of(plan.subject), replies.journal, known)
            unread = replies.unread and not plan.not_scored
            failure = self._ask(plan, replies) if replies.missing or unread else None
            if isinstance(failure, BuildChangedError) and isinstance(plan, EvaluationPlan):
                return self._add(replace(plan, subject=replace(plan.subject, build=failure.build)))
            made, more = self._evaluation(plan, replies), (len(replies), replies.read) > (known, read)
            self._tell_of_loss(replies.journal)
        if made.results:
            self.found.append(made)
        if made.results and more:
            self._keep(made)
        return failure and _told(failure, made, replies.journal)

    def _ask(self, plan: Plan, replies: Replies) -> PhiError | None:
        """Ask until all is answered, Ctrl-C is pressed, or the model fails; what of the last two it was."""
        sitting = Sitting(plan, replies, self.options.seed, self.watch, lambda: self._tell_of_loss(replies.journal))
        try:
            sitting.ask()
        except KeyboardInterrupt:
            return UserInterruptError("interrupted")
        except PhiError as error:
            return error
        return None

    def _evaluation(self, plan: Plan, replies: Replies) -> Evaluation:
        return Evaluation(
            run_id=new_run_id(),
            made_at=now(),
            subject=plan.subject,
            set_name=self.questions.name,
            set_sha256=self.questions.sha256,
            total=len(self.items),
            results=replies.results(),
            settings=replies.journal.settings or plan.settings_data(),
            hardware=self.around.to_data(),
            wall_s=replies.wall_s,
            sittings=replies.sittings,
            not_scored=plan.not_scored if any(item.talk for item in self.items) else "",
        )

    def _keep(self, made: Evaluation) -> None:
        subject = made.subject
        entry = Entry(
            made.run_id, made.made_at, "eval", subject.model, subject.quant, subject.engine, subject.build,
            self.around.cpu.name, made.to_data(),
        )  # fmt: skip
        if (problem := History().try_add(entry)) is not None:
            self.watch.warn(problem)

    def _tell_about(self, model: str, journal: Journal, known: int) -> None:
        if journal.damaged_lines:
            lines = counted(journal.damaged_lines, "line")
            self.watch.say(f"{model}: {lines} of the saved replies cannot be read; those questions are asked again")
        if known:
            again = "; to ask all questions again: --restart" if self.options.can_restart else ""
            self.watch.say(f"{model}: {known} of {len(self.items)} replies were saved earlier{again}")

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
