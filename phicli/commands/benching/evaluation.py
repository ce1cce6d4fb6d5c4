"""``phi bench --eval``: the questions of a file, asked of each model in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import phicli
from phicli.bench.calibration.store import engine_build
from phicli.bench.evaluation.items import load_items
from phicli.bench.evaluation.journal import Journal, journal_key
from phicli.bench.evaluation.result import Evaluation, Paired, paired
from phicli.bench.evaluation.runner import Progress, evaluate, results_of, wall_seconds
from phicli.bench.evaluation.types import Item, ItemSet
from phicli.bench.launch import NATIVE, find_llama_server
from phicli.bench.measuring.surroundings import Surroundings, look_around
from phicli.bench.runs.history import Entry, History, new_run_id, now
from phicli.bench.types import Subject
from phicli.commands.benching.asking import Asking
from phicli.commands.benching.options import BenchOptions
from phicli.commands.benching.preparing import Prepared, prepare
from phicli.commands.benching.subjects import subjects
from phicli.errors import UsageError, UserInterruptError
from phicli.plan.tuned import BATCH
from phicli.ui.bench.evaluation import print_evaluations, report_data
from phicli.ui.bench.progress import MeasuringLine
from phicli.ui.terminal import Terminal

Tell = Callable[[str], None]


def run_evaluation(terminal: Terminal, models: Sequence[str], options: BenchOptions) -> None:
    """Ask, judge, keep, and show; what was answered before an interruption is shown and kept.

    Raises:
        PhiError: the file of questions, a model or an option is wrong, or the engine failed.
        UserInterruptError: Ctrl-C; the same command goes on where it was.
    """
    _check(options)
    questions = load_items(options.eval_file or "")
    around = look_around()
    with MeasuringLine(terminal, enabled=not options.quiet) as line:
        run = _Run(options, questions, around, line, _silent if options.quiet else line.say)
        prepared = [_prepared(one, run.items, options, around) for one in run.subjects(models)]
        for one in prepared:
            run.add(one)
            if not run.found[-1].complete:
                break
    comparisons = comparisons_of(run.found)
    interrupted = not run.found[-1].complete
    if not (interrupted and options.output == "json"):
        print_evaluations(terminal, run.found, comparisons, output=options.output)
    if interrupted:
        asked = f"{len(run.found[-1].results)} of {len(run.items)} questions were asked"
        data = report_data(run.found, comparisons)
        raise UserInterruptError(f"interrupted: {asked}", "the same command goes on from there", data=data)


def _prepared(subject: Subject, items: Sequence[Item], options: BenchOptions, around: Surroundings) -> Prepared:
    """With what tuning found on this machine for many requests."""
    from phicli.commands.tuned_here import kept_for

    tuned = kept_for(subject.path).current
    return prepare(subject, items, options, around, best=tuned.winners[BATCH] if tuned else None)


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

    def subjects(self, models: Sequence[str]) -> Iterator[Subject]:
        """What is asked, with hash and build: both belong to the key of what is kept."""
        for engine in self.options.engines:
            build = _build(engine, self.options)
            for one in subjects(models, engine=engine, tell=self.tell):
                yield replace(one, sha256=one.sha256 or self._sha256(one), build=build)

    def add(self, prepared: Prepared) -> None:
        """Ask one model what it has not been asked yet, and keep what was found."""
        with Journal(self._key(prepared), restart=self.options.restart) as journal:
            known = sum(item.item_id in journal.answers for item in self.items)
            self._tell_about(prepared.subject.model, journal, known)
            if known < len(self.items):
                self._ask(prepared, journal)
            self.found.append(self._evaluation(prepared, journal))
            if not journal.lasting:
                self.tell("the replies cannot be kept on disk: an interruption would lose them")
        if len(self.found[-1].results) > known:
            self._keep(self.found[-1])

    def _ask(self, prepared: Prepared, journal: Journal) -> None:
        """Ask until all is answered or Ctrl-C is pressed."""
        name = prepared.subject.model

        def loading(waited_s: float) -> None:
            self.line.show(f"loading {name}: {waited_s:.0f} s")

        def progress(at: Progress) -> None:
            self.line.show(f"{name}: {at.done} of {at.total}, {at.right} right", at.left_s)

        self.line.show(f"loading {name}")
        try:
            with Asking(prepared, self.options, tell=self.tell, on_tick=loading) as asking:
                journal.begin(prepared.settings_data())
                self.line.show(f"{name}: {len(self.items)} questions, {prepared.slots} at a time")
                evaluate(self.items, asking.ask, journal, slots=prepared.slots, stop=asking.stop, on_progress=progress)
        except KeyboardInterrupt:
            return

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
            self.tell(problem)

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
            damaged = f"{journal.damaged_lines} lines of what was kept are damaged"
            self.tell(f"{model}: {damaged}; those questions are asked again")
        if known:
            self.tell(f"{model}: {known} of {len(self.items)} replies are there from earlier; --restart asks all again")

    def _sha256(self, subject: Subject) -> str:
        """The hash of a file that was never hashed; it is read once more for that, and then remembered."""
        from phicli.hub.verified import hash_once
        from phicli.ui.status import how_far

        return hash_once(subject.path, lambda what, done, total: self.line.show(how_far(what, done, total)))


def _build(engine: str, options: BenchOptions) -> str:
    if engine != NATIVE:
        return engine_build()
    from phicli.engine.native_server import native_build

    return native_build(find_llama_server(options.llama_server))


def _check(options: BenchOptions) -> None:
    """Refuse what makes no sense with questions.

    Raises:
        UsageError: something of that was asked for.
    """
    untouched = BenchOptions()
    refused = {
        "--plot": options.plot,
        "--baseline": options.baseline,
        "--fail-below": options.fail_below,
        "--quick": options.quick,
        "--prompt-tokens": options.prompt_tokens != untouched.prompt_tokens and not options.quick,
        "--repeat": options.repeat != untouched.repeat and not options.quick,
        "--depth": options.depth_tokens != untouched.depth_tokens,
    }
    for option, given in refused.items():
        if given not in (None, False):
            raise UsageError(f"{option} does not go with --eval", "leave one of them out; --limit N asks fewer")


def _silent(text: str) -> None:
    del text
