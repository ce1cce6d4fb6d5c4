"""Asks one model what it has not been asked yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from phicli.answering.asked import Asked
from phicli.bench.evaluation.asking import asked_of, reply_of
from phicli.bench.evaluation.expected import Expected
from phicli.bench.evaluation.remote import RemoteSubject
from phicli.bench.evaluation.replies import Replies
from phicli.bench.evaluation.scoring import AnsweringAndScoring
from phicli.bench.evaluation.types import Talk
from phicli.catalog.display_name import name_of
from phicli.engine.starting import OnTick
from phicli.jobs.notices import Notices
from phicli.jobs.running import Done, Worker, run
from phicli.jobs.watch import Watch
from phicli.jobs.workers import Outcome
from phicli.records.run import Subject
from phicli.units import counted


class Plan(Protocol):
    """A model that is about to be asked, with everything decided."""

    @property
    def subject(self) -> Subject | RemoteSubject:
        """The model."""

    @property
    def slots(self) -> int:
        """Questions at a time."""

    @property
    def max_tokens(self) -> int:
        """The most tokens of a reply."""

    @property
    def not_scored(self) -> str:
        """Why the probability of expected answers cannot be measured; empty where it can."""

    def key_data(self) -> dict[str, Any]:
        """Which model it is, whatever it is called."""

    def asking_data(self) -> dict[str, Any]:
        """What the replies depend on besides the questions and the model."""

    def settings_data(self) -> dict[str, Any]:
        """All settings, as ``--json`` shows them."""

    def opened(
        self, notices: Notices, *, on_tick: OnTick | None = None
    ) -> AbstractContextManager[Worker[Asked, Outcome]]:
        """Who answers; see :meth:`phicli.bench.evaluation.preparing.EvaluationPlan.opened`."""


@dataclass(frozen=True, slots=True)
class Sitting:
    """The questions that are asked of one model now.

    Args:
        plan: the model.
        replies: those that there are, and where the new ones go.
        seed: of the sampling.
        watch: shows how it goes.
        on_reply: called after each reply, in the thread that asks.
        clock: seconds; tests give their own.
    """

    plan: Plan
    replies: Replies
    seed: int
    watch: Watch
    on_reply: Callable[[], None]
    clock: Callable[[], float] = time.monotonic

    def ask(self) -> None:
        """Ask until all is answered.

        Raises:
            KeyboardInterrupt: Ctrl-C; what was under way at the first one is answered.
            PhiError: the model cannot be loaded, or cannot go on.
        """
        name, replies, watch = name_of(self.plan.subject), self.replies, self.watch

        def loading(waited_s: float) -> None:
            watch.show(f"loading {name}: {waited_s:.0f} s")

        watch.show(f"loading {name}")
        with self.plan.opened(Notices(watch.say), on_tick=loading) as worker:
            replies.journal.begin(self.plan.settings_data())
            if replies.missing:
                watch.show(f"{name}: {len(replies.items)} questions, {worker.slots} in parallel")
                self.ask_by(worker)
            if isinstance(worker, AnsweringAndScoring) and worker.scoring is not None:
                self.read_by(worker.scoring)

    def ask_by(self, worker: Worker[Asked, Outcome]) -> None:
        """Ask ``worker`` what has no reply yet. Raises as :meth:`ask`."""
        replies, waiting, started = self.replies, self.replies.missing, self.clock()
        sampling = {"temperature": 0.0, "seed": self.seed, "max_tokens": self.plan.max_tokens}
        name, first = self.plan.subject.model, len(replies)

        def take(done: Done[Asked, Outcome]) -> None:
            elapsed_s = self.clock() - started
            replies.add(done.number, reply_of(replies.items[done.number], done.result), elapsed_s)
            self.on_reply()
            asked = len(replies) - first
            left_s = elapsed_s / asked * (len(waiting) - asked)
            watch_line = f"{name_of(self.plan.subject)}: {len(replies)} of {len(replies.items)}, {replies.right} right"
            self.watch.show(watch_line, left_s)

        requests = ((number, asked_of(replies.items[number], name, sampling)) for number in waiting)
        run(requests, [worker], take, on_draining=self._draining)

    def read_by(self, worker: Worker[Talk, Expected]) -> None:
        """Have ``worker`` read the expected answers whose probability is not known. Raises as :meth:`ask`."""
        replies, waiting, started = self.replies, self.replies.unread, self.clock()
        talks = [(number, talk) for number in waiting if (talk := replies.items[number].talk) is not None]
        known = replies.read

        def take(done: Done[Talk, Expected]) -> None:
            elapsed_s = self.clock() - started
            replies.add_expected(done.number, done.result, elapsed_s)
            self.on_reply()
            read = replies.read - known
            line = f"{name_of(self.plan.subject)}: {replies.read} of {known + len(talks)} expected answers read"
            self.watch.show(line, elapsed_s / read * (len(talks) - read))

        if talks:
            run(iter(talks), [worker], take, on_draining=self._draining)

    def _draining(self, under_way: int) -> None:
        """The first Ctrl-C came."""
        answers = counted(under_way, "answer")
        self.watch.say(f"interrupted: waiting for {answers} under way; press Ctrl-C again to stop at once")
