"""A model file that answers several conversations at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from phicli.answering.isolation import CrashIsolation, Result
from phicli.answering.local_model import LocalModel
from phicli.answering.model_file import ModelFile
from phicli.answering.shared_beginning import SharedBeginning
from phicli.answering.side_by_side import Check, EnginesSideBySide, Watch
from phicli.answering.types import Answer, Answering, Notice
from phicli.engine.types import LocalEngine
from phicli.plan.context import ContextPlan


class Pool(LocalModel):
    """A :class:`~phicli.answering.types.Model` whose answers share an engine with slots; use it from any thread.

    An answer beyond the context of a slot gets an engine of its own. When an engine dies, every answer that it was
    making raises :class:`~phicli.errors.EngineDiedError`, and the next answer starts another engine.

    Args:
        file: the file's prompt format and special tokens.
        start: starts an engine with a context of that many tokens for each of so many slots; may return before the
            model is loaded.
        context: the context of each slot, and the limit of a conversation.
        slots: answers that are made at a time; more than these wait for their turn.
        check: called with an engine that has its model loaded, before each answer; what it raises, the answer raises.
        watch: is told which engines are used, and which have ended.
        beginning: what many prompts have in common, when that is known; None if it cannot be shared by the slots.
    """

    engines: EnginesSideBySide

    def __init__(
        self,
        file: ModelFile,
        start: Callable[[int, int], LocalEngine],
        context: ContextPlan,
        *,
        slots: int,
        check: Check | None = None,
        watch: Watch | None = None,
        beginning: SharedBeginning | None = None,
    ) -> None:
        engines = EnginesSideBySide(start, context.first_tokens, slots, check, watch, beginning)
        super().__init__(file, engines, context)
        self.beginning = beginning
        self._isolation = CrashIsolation()

    def wait_ready(self) -> None:
        """Start the engine of all slots and wait until the model is loaded.

        Raises:
            EngineError: the file cannot be loaded.
        """
        self.engines.running(None)

    def ask(self, begin: Callable[[], Answering], *, on_notice: Callable[[Notice], None] | None = None) -> Answer:
        """The whole answer to one question among many, none of which can spoil another.

        When the engine crashes, each question that was under way is asked again alone, so that the one which crashes
        it is found and fails.

        Args:
            begin: begins the answer by this model; called again after a crash.
            on_notice: called, in this thread, with what a person should know.

        Raises:
            ContextExceededError: this question does not fit into the largest context.
            EngineDiedError: no question can be answered: the engine was ended or killed, hangs, cannot be loaded, or
                crashes at every question.
            EngineError: the engine refused this question, or crashes at it.
            PhiError: whatever else ``begin`` and the answer raise.
        """
        return self.isolated(lambda: whole(begin(), on_notice=on_notice))

    def isolated(self, ask: Callable[[], Result]) -> Result:
        """What ``ask`` returns, which uses an engine of this pool; the errors are those of :meth:`ask`.

        It is called again, while nothing else uses the engine, after an engine has crashed under it.
        """
        return self._isolation.ask(ask)


def whole(answering: Answering, *, on_notice: Callable[[Notice], None] | None = None) -> Answer:
    """Wait for the end of ``answering`` and return the answer; ``interrupted`` where another thread closed it."""
    with contextlib.closing(answering):
        for event in answering:
            if isinstance(event, Notice) and on_notice is not None:
                on_notice(event)
    return answering.so_far()
