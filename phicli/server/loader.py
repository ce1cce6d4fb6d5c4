"""Loads models, and ends others where their memory is needed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from functools import partial
from typing import Final

from phicli.engine.read_ahead import ReadAhead
from phicli.engine.starting import StartEngine, start_engine
from phicli.gguf_file.names import parts_of
from phicli.server.bugs import OnBug, ignored, report
from phicli.server.counters import Counters
from phicli.server.loading import load
from phicli.server.memory import Ledger
from phicli.server.placing import Placed, Prepared, place, prepare
from phicli.server.served import Served
from phicli.server.table import Table
from phicli.server.types import LoadOptions

_LOOK_AGAIN_S: Final = 0.5
"""Memory that others than the server give back is noticed so often."""


class Loader:
    """Use it from any thread.

    Args:
        options: how models are loaded.
        table: of the models.
        ledger: of the memory.
        counters: of loads and ends.
        start: starts an engine.
        on_bug: gets a line for each failure that nobody foresaw.
    """

    def __init__(
        self,
        options: LoadOptions,
        table: Table,
        ledger: Ledger,
        counters: Counters,
        start: StartEngine = start_engine,
        on_bug: OnBug = ignored,
    ) -> None:
        self._options, self._table, self._ledger, self._counters = options, table, ledger, counters
        self._start, self._on_bug = start, on_bug

    def load(self, served: Served) -> None:
        """Load ``served`` and hand it to those who wait for it.

        Raises:
            PhiError: it cannot be loaded.
        """
        prepared = prepare(served.located, self._options)
        placed = self._admitted(served, prepared)
        loaded = load(placed, self._ledger, self._make_room, lambda: self._table.ticket, self._start)
        served.coming = loaded
        try:
            with ReadAhead(parts_of(prepared.located.path)):
                engine = loaded.model.engines.with_context(placed.settings.context_tokens, None)
            loaded.shares.is_loaded(engine)
        except BaseException:
            self._counters.add("failed_loads")
            self._end_engines(served)
            raise
        self._counters.add("loads")
        if not self._table.ready(served, loaded):
            self._end_engines(served)

    def end(self, ending: Iterable[Served]) -> None:
        """End the engines of models that nobody gets from now on, and wait for that."""
        for served in ending:
            self._end_engines(served)
            self._table.wake()

    def end_larger(self, idle_s: float = 0.0) -> int:
        """End engines for single conversations that were not used for so long; returns how many."""
        ended = 0
        for served, _ in self._table.all():
            if (loaded := served.loaded) is not None and loaded.shares.has_larger:
                unused = partial(loaded.shares.is_unused, before=self._table.oldest(served), idle_s=idle_s)
                ended += loaded.model.engines.end(unused)
        return ended

    def close(self, left: Iterable[Served]) -> None:
        """End the engines of all models at once."""
        threads = [threading.Thread(target=self.end, args=([served],), name="phi-end") for served in left]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _admitted(self, served: Served, prepared: Prepared) -> Placed:
        """The load when there is memory for it: others end for that, and those that answer are waited for."""
        deadline = time.monotonic() + self._options.wait_s
        try:
            while True:
                seen, others = self._table.changes, self._ledger.changes
                placed = place(prepared, self._options, self._ledger)
                if placed is not None:
                    return placed
                if self._ledger.changes != others:  # another load was admitted meanwhile, or one has ended
                    continue
                if not self._make_room(placing=True):
                    self._await_room(served, deadline, seen)
        finally:
            self._table.nobody_makes_way()

    def _await_room(self, served: Served, deadline: float, seen: int) -> None:
        """Wait for a change.

        Raises:
            BusyError: nobody waits for the model, or all have waited long enough.
        """
        name = served.located.name
        self._table.make_way(but=served)
        if time.monotonic() > deadline or not self._table.is_wanted(served):
            raise self._table.busy(f"{name} does not fit into memory while other models answer")
        self._table.wait(_LOOK_AGAIN_S, seen)

    def _make_room(self, *, placing: bool = False) -> bool:
        """End something that nobody uses; with ``placing`` it is not loaded again before the load is placed."""
        if self.end_larger():
            return True
        picked = self._table.make_room() if placing else self._table.pick(lambda _: True, most=1)
        self._counters.add("evictions", len(picked))
        self.end(picked)
        return bool(picked)

    def _end_engines(self, served: Served) -> None:
        if (coming := served.coming) is not None:
            try:
                coming.model.close()
            except Exception as error:  # noqa: BLE001 (as in main(): a bug is reported, and the server goes on)
                report(error, self._on_bug)
            coming.shares.forget()
