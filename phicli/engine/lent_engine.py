"""An engine that the server of this user lends: it answers others too, and this program did not start it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from phicli.engine.closable import Closing
from phicli.engine.constraint import Constraint
from phicli.engine.http_engine import HttpEngine
from phicli.engine.lent_process import LentProcess
from phicli.engine.loan import LoanError
from phicli.engine.types import GenerationEvent, LoadSettings
from phicli.errors import THIS_COMMAND


class LentEngine(HttpEngine):
    """A token-level engine (:class:`~phicli.engine.types.Engine`) that is lent.

    It does not save its state. What it cannot make surely as an engine of this program would, it refuses with a
    :class:`~phicli.engine.loan.LoanError`; so does a call that waits for the model where the server cannot load it.

    Args:
        settings: the file, and how this program would load it; of the context only that much is used.
        process: the loan.
        on_tick: called about ten times a second while a call waits for the model, with the seconds waited.
    """

    def __init__(
        self, settings: LoadSettings, process: LentProcess, on_tick: Callable[[float], None] | None = None
    ) -> None:
        super().__init__(settings, process, on_tick)
        self._lent = process
        self.unfit = ""
        """Why another engine is needed, once that is known."""

    @property
    def gone(self) -> bool:
        """Whether it was lent, and the loan or the engine has ended."""
        return self._lent.pid != 0 and (self._lent.ended or not self._lent.listens())

    def _held(
        self, generation: Iterator[GenerationEvent], constraint: Constraint
    ) -> Generator[GenerationEvent, None, None]:
        """As :meth:`HttpEngine._held`; without the engine's log nobody would notice that a constraint is ignored."""
        if self._lent.log_path is None or not self._lent.log_path.exists():
            raise self._not_held("its log cannot be read")
        yield from super()._held(generation, constraint)

    def _not_held(self, words: str) -> LoanError:
        """The log may speak of the constraint of another command."""
        self.unfit = f"the engine may not hold the constraint: {words}"
        return LoanError(self.unfit, f"start another engine: {THIS_COMMAND} --no-attach")

    def _await_process(self, closing: Closing | None) -> str:
        try:
            return super()._await_process(closing)
        except LoanError as error:
            self.unfit = error.message
            raise
