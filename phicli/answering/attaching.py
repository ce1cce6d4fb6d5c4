"""Engines that the server of this user lends, in place of engines that are started for one conversation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from phicli.engine.loan import SAME_SETTINGS, LoanError, LoanRequest
from phicli.engine.starting import OnTick, build_of
from phicli.engine.types import Engine, LocalEngine
from phicli.plan.context import ContextPlan
from phicli.plan.load import LoadPlan

if TYPE_CHECKING:
    from phicli.answering.kept_states import GoingOn
    from phicli.engine.lent_engine import LentEngine

_ALSO_TYPED = ("threads", "batch_tokens")
"""Settings that change no token: they must be equal only where a person asked for them."""
_ADAPTERS: Final = "the server's engine has no adapters"


@dataclass(slots=True)
class Attaching:
    """Asks the server of this user for engines.

    Attributes:
        socket: where the server listens.
        version: of this program.
        note: what became of it, one line for people who want to know; empty before it was tried.
        attached: whether the last engine was lent.
        gives_up: nothing more is asked for: an engine that was lent could not do its work.
        tell: gets a note when a loan has ended and nothing else is lent.
    """

    socket: Path
    version: str
    note: str = ""
    attached: bool = False
    gives_up: bool = False
    tell: Callable[[str], None] = lambda _: None

    def engine(
        self, plan: LoadPlan, typed: Mapping[str, Any], context_tokens: int, on_tick: OnTick | None
    ) -> LentEngine | None:
        """An engine for the file of ``plan`` with this context, which may still load; None where none is lent.

        ``typed`` are the engine's settings that a person asked for, by field.
        """
        self.attached = False
        if self.gives_up:
            return None
        from phicli.engine.lent_engine import LentEngine
        from phicli.engine.lent_process import LentProcess

        try:
            process = LentProcess(self.socket, self._request(plan, typed, context_tokens))
        except (LoanError, OSError) as error:
            self.refused(str(error))
            return None
        self.attached, self.note = True, "attached"
        return LentEngine(replace(plan.settings, context_tokens=context_tokens), process, on_tick)

    def refused(self, why: str) -> None:
        """Take note of why no engine is lent."""
        self.note = f"not attached: {why}"

    def failed(self, why: str) -> None:
        """Take note of why a lent engine cannot do its work: from now on none is asked for."""
        self.refused(why)
        self.attached, self.gives_up = False, True

    def _request(self, plan: LoadPlan, typed: Mapping[str, Any], context_tokens: int) -> LoanRequest:
        status, path = plan.settings.model_path.stat(), plan.settings.model_path.absolute()
        names = (*SAME_SETTINGS, *(name for name in _ALSO_TYPED if name in typed))
        return LoanRequest(
            self.version,
            build_of(),
            plan.model.reference,
            str(path),
            status.st_size,
            status.st_mtime_ns,
            context_tokens,
            {name: getattr(plan.wanted, name) for name in names},
        )


class Lends:
    """What the server lends for one model that is open.

    Args:
        attaching: asks the server.
        plan: how an engine of this program would load the model.
        typed: the engine's settings that a person asked for, by field.
        going_on: the saved conversation that the first answer continues.
        on_tick: see :data:`phicli.engine.starting.OnTick`.

    ``plan`` is how the conversation begins with an engine that is lent: with the usual context, since the memory for
    it is taken already.
    """

    def __init__(
        self, attaching: Attaching, plan: LoadPlan, typed: Mapping[str, Any], going_on: GoingOn | None,
        on_tick: OnTick | None,
    ) -> None:  # fmt: skip
        self._attaching, self._typed, self._on_tick = attaching, typed, on_tick
        usual = plan.context.usual_tokens or plan.context.first_tokens
        limit = plan.context.limit_tokens if plan.context.asked else max(plan.context.limit_tokens, usual)
        context = replace(plan.context, first_tokens=min(usual, limit), limit_tokens=limit)
        settings = replace(plan.settings, context_tokens=context.first_tokens)
        has_adapters = bool(plan.settings.adapters)
        self._unfit = _ADAPTERS if has_adapters else _why_not(context, plan.context.first_tokens, going_on)
        self.plan = replace(plan, context=context, settings=settings)
        self._first: LentEngine | None = None
        self._last: LentEngine | None = None

    def begin(self) -> bool:
        """Ask for the first engine, and return whether it is lent; if not, none will be."""
        if self._unfit:
            self._attaching.refused(self._unfit)
        else:
            self._first = self._last = self._lent(self.plan.context.first_tokens)
        return self._first is not None

    def engine(self, context_tokens: int) -> LocalEngine | None:
        """An engine with this context; None where another one must be started."""
        if self._last is None or context_tokens > self.plan.context.first_tokens:
            self._attaching.attached = False
            return None
        first, self._first = self._first, None
        if first is None and self._last.unfit:
            self._attaching.failed(self._last.unfit)
        elif first is None:
            first = self._lent(context_tokens)
            if first is None and self._last.gone:
                self._attaching.tell("phi serve no longer lends its engine, so this conversation starts its own")
        self._last = first or self._last
        return first

    def _lent(self, context_tokens: int) -> LentEngine | None:
        return self._attaching.engine(self.plan, self._typed, context_tokens, self._on_tick)


def is_gone(engine: Engine) -> bool:
    """Whether ``engine`` was lent, and the loan has ended."""
    return bool(getattr(engine, "gone", False))


def _why_not(context: ContextPlan, needed_tokens: int, going_on: GoingOn | None) -> str:
    """Why a conversation begins better with an engine of this program; empty where it does not."""
    if going_on is not None:
        from phicli.answering.kept_states import first_context
        from phicli.answering.state_records import is_session_id, place_of

        if going_on.restores and is_session_id(going_on.session_id) and place_of(going_on.session_id).record.exists():
            return "the KV cache of the session is saved"
        needed_tokens = first_context(context, going_on)
    if needed_tokens > context.first_tokens:
        return "the conversation needs a larger context"
    return ""
