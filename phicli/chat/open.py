"""A conversation over a model that is open, and can be exchanged for another one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from phicli.answering.types import Answer, Ending
from phicli.chat.dialogue import Dialogue
from phicli.chat.facts import facts_of, facts_of_question
from phicli.chat.opened import AnswerPlan, Named, Opened
from phicli.chat.session import ChatSession
from phicli.engine.types import Sampling
from phicli.errors import PhiError

Opener = Callable[[Named], AbstractContextManager[Opened]]
"""Opens a model by its name; leaving the context closes it."""


class ModelInUse:
    """The model of a conversation: one at a time, because there may be no memory for two.

    Args:
        opener: opens a model.
        located: the first one; it is opened on entering.
    """

    def __init__(self, opener: Opener, located: Named) -> None:
        self._opener = opener
        self._stack = contextlib.ExitStack()
        self.located = located

    def __enter__(self) -> ModelInUse:
        self._open(self.located)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def exchange(self, located: Named) -> None:
        """Close the model, open another one, and wait until it is loaded.

        Where that fails or is interrupted the model before is opened again. Either way ``opened`` is another object.

        Raises:
            PhiError, OSError: the other model cannot be opened or loaded.
        """
        before = self.located
        try:
            self._stack.close()
            self._open(located)
            self.opened.wait_ready()
        except (PhiError, OSError, KeyboardInterrupt):
            self._stack.close()
            self._open(before)
            raise

    def use(self, opened: Opened, located: Named) -> None:
        """From now on the model that is open is ``opened``, which ``located`` would open: no engine is started."""
        self.opened, self.located = opened, located

    def _open(self, located: Named) -> None:
        self.opened = self._stack.enter_context(self._opener(located))
        self.located = located


class OpenChat:
    """A conversation and the model that answers it."""

    def __init__(self, session: ChatSession, models: ModelInUse) -> None:
        self.session = session
        self.models = models

    @property
    def opened(self) -> Opened:
        """The model that answers now."""
        return self.models.opened

    @property
    def plan(self) -> AnswerPlan:
        """How this model answers."""
        return self.models.opened.plan

    @property
    def waiting(self) -> str:
        """What is waited for until an answer begins, where nobody says more of it; empty on this machine."""
        return "" if self.opened.counts_exactly else f"waiting for {self.plan.model.name}"

    def facts(self, answer: Answer, sampling: Sampling) -> dict[str, Any]:
        """What made ``answer``, to be saved with it."""
        ending, opened = self.session.ending, self.opened
        return facts_of(answer, sampling, self.plan, ending, engine=opened.engine, build=opened.build)

    def use_opened(self) -> None:
        """Let the model that is open now answer from now on."""
        self.session.use(self.opened.model, sampling=self.plan.sampling, ending=ending_of(self.plan))
        _follow(self.session, self.opened)


def session_over(opened: Opened, dialogue: Dialogue | None = None) -> ChatSession:
    """A conversation that goes on from ``dialogue``; None begins one as the plan of the model has it."""
    plan = opened.plan
    begun = Dialogue(plan.system) if dialogue is None else dialogue
    session = ChatSession(opened.model, sampling=plan.sampling, dialogue=begun, ending=ending_of(plan))
    _follow(session, opened)
    return session


def _follow(session: ChatSession, opened: Opened) -> None:
    """Let ``session`` know what there is to know of the model that is ``opened``."""
    session.counts_exactly = opened.counts_exactly
    session.unanswered = facts_of_question(opened.plan)


def ending_of(plan: AnswerPlan) -> Ending:
    """What ends an answer and its reasoning as ``plan`` has it, and a brake for answers that repeat themselves."""
    return Ending(plan.stop_texts, brake=True, think_tokens=plan.think_budget)
