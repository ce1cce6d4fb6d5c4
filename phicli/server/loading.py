"""A model that answers for the server, and the engines that it has."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from phicli.answering.model_file import model_file
from phicli.answering.pool import Pool
from phicli.engine.starting import StartEngine, start_engine
from phicli.engine.types import LoadSettings, LocalEngine
from phicli.errors import DoesNotFitError
from phicli.fit.memory import usable_bytes
from phicli.hardware.available import Memory
from phicli.plan.load import LoadPlan
from phicli.server.memory import Ledger, Share
from phicli.server.placing import Placed
from phicli.server.types import NamedAdapter
from phicli.units import format_bytes


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that answers for the server.

    Attributes:
        model: answers ``slots`` conversations at a time, from any thread.
        plan: how it was loaded.
        slots: answers at a time.
        settings: of the engine with all slots.
        shares: what the engines that it has take.
        adapters: that are loaded with it, in the order of the settings.
    """

    model: Pool
    plan: LoadPlan
    slots: int
    settings: LoadSettings
    shares: EngineShares
    adapters: tuple[NamedAdapter, ...] = ()


class EngineShares:
    """Starts the engines of one model, and takes note of what they take of the memory.

    Args:
        placed: the load that was admitted.
        ledger: of the memory.
        make_room: ends something that nobody uses; returns False where there is nothing.
        ticket: the number of the latest lease of any model; later leases have greater numbers.
        start: starts an engine.
    """

    def __init__(
        self,
        placed: Placed,
        ledger: Ledger,
        make_room: Callable[[], bool],
        ticket: Callable[[], int],
        start: StartEngine = start_engine,
    ) -> None:
        self._placed, self._ledger, self._make_room, self._ticket = placed, ledger, make_room, ticket
        self._start_engine = start
        self._lock = threading.Lock()
        self._larger: dict[int, _Larger] = {}

    def start(self, context_tokens: int, slots: int) -> LocalEngine:
        """The engine with all slots, or one for a larger context, which must fit beside all others.

        Raises:
            DoesNotFitError: it does not; the message has the sums.
        """
        placed = self._placed
        if context_tokens == placed.settings.context_tokens:
            engine = self._begin(replace(placed.settings, slots=slots))
            placed.share.pid = engine.pid
            return engine
        settings, share = self._admitted(context_tokens)
        try:
            engine = self._begin(settings)
        except BaseException:
            self._ledger.remove(share)
            raise
        share.pid = engine.pid
        with self._lock:
            self._larger[id(engine)] = _Larger(share, self._ticket())
        return engine

    def is_loaded(self, engine: LocalEngine) -> None:
        """The engine with all slots has loaded; its process may be another one than that which was started."""
        self._placed.share.pid = engine.pid

    def used(self, engine: LocalEngine) -> None:
        """An answer gets ``engine``."""
        with self._lock:
            if larger := self._larger.get(id(engine)):
                larger.use(self._ticket())

    def ended(self, engine: LocalEngine) -> None:
        """The process of ``engine`` has ended."""
        with self._lock:
            larger = self._larger.pop(id(engine), None)
        if larger is not None:
            self._ledger.remove(larger.share)

    def released(self, ticket: int) -> None:
        """A lease has ended: the engines that it may have used have been idle since now."""
        with self._lock:
            for larger in self._larger.values():
                if larger.ticket >= ticket:
                    larger.used_at = time.monotonic()

    def is_unused(self, engine: LocalEngine, before: int, idle_s: float = 0.0) -> bool:
        """Whether ``engine`` has a larger context, and no lease uses it.

        Args:
            engine: one of this model.
            before: the least number of the leases that have not ended.
            idle_s: seconds for which nobody has used it.
        """
        with self._lock:
            larger = self._larger.get(id(engine))
            return larger is not None and larger.ticket < before and time.monotonic() - larger.used_at >= idle_s

    def all(self) -> tuple[Share, ...]:
        """What the engines take."""
        with self._lock:
            return (self._placed.share, *(larger.share for larger in self._larger.values()))

    @property
    def has_larger(self) -> bool:
        """Whether an engine with a larger context runs."""
        return bool(self._larger)

    def forget(self) -> None:
        """All engines have ended."""
        for share in self.all():
            self._ledger.remove(share)

    def _begin(self, settings: LoadSettings) -> LocalEngine:
        engine = self._placed.prepared.engine
        return self._start_engine(engine.name, settings, program=engine.program)

    def _admitted(self, context_tokens: int) -> tuple[LoadSettings, Share]:
        while True:
            measured = self._ledger.measured()
            memory = self._ledger.beside(measured)
            settings, share = self._placed.larger(context_tokens, memory)
            if self._ledger.admit(share, measured):
                return settings, share
            if not self._make_room():
                raise self._does_not_fit(context_tokens, share, memory)

    def _does_not_fit(self, context_tokens: int, share: Share, memory: Memory | None) -> DoesNotFitError:
        usable = usable_bytes(memory) if memory else 0
        message = (
            f"{self._placed.plan.model.name} with a context of {context_tokens} tokens does not fit into memory: "
            f"it needs {format_bytes(share.other_bytes)}, but only {format_bytes(usable)} can be used"
        )
        hint = "shorten the conversation, or try again when the other models have answered"
        data = {"context_tokens": context_tokens, "needed_bytes": share.other_bytes, "usable_bytes": usable}
        return DoesNotFitError(message, hint, data=data)


class _Larger:
    """An engine with a larger context; ``ticket`` is the greatest number of a lease that may use it."""

    def __init__(self, share: Share, ticket: int) -> None:
        self.share = share
        self.use(ticket)

    def use(self, ticket: int) -> None:
        self.ticket, self.used_at = ticket, time.monotonic()


def load(
    placed: Placed,
    ledger: Ledger,
    make_room: Callable[[], bool],
    ticket: Callable[[], int],
    start: StartEngine = start_engine,
) -> Loaded:
    """The model of a load that was admitted; nothing is started before it is asked for. See :class:`EngineShares`."""
    plan, slots = placed.plan, placed.settings.slots
    shares = EngineShares(placed, ledger, make_room, ticket, start)
    file = model_file(plan, placed.prepared.header)
    pool = Pool(file, shares.start, plan.context, slots=slots, watch=shares)
    return Loaded(pool, plan, slots, placed.settings, shares, placed.prepared.adapters)
