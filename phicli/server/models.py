"""The models of the server: loaded when a request names one, and unloaded when nobody uses them."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator
from typing import Final

from phicli.engine.closable import Closing
from phicli.engine.starting import StartEngine, start_engine
from phicli.errors import EngineError, NotFoundError, NotInstalledError, PhiError
from phicli.plan.locate import LocatedModel
from phicli.server.adapters import AdapterNames
from phicli.server.bugs import OnBug, ignored, report
from phicli.server.counters import Counters
from phicli.server.downloads import Downloads
from phicli.server.errors import names_a_path
from phicli.server.loader import Loader
from phicli.server.loading import Loaded
from phicli.server.memory import Ledger
from phicli.server.names import Names, ServedName
from phicli.server.served import Served, user_of
from phicli.server.states import ModelState, state_of
from phicli.server.table import Table
from phicli.server.types import LoadOptions

_LARGER_IDLE_S: Final = 300.0
"""An engine for one long conversation is kept for its next question, though not without an end, as a model may be."""

_AFTER_BUG_S: Final = 1.0


class Models:
    """Use it from any thread.

    Args:
        options: which models, and how they are loaded.
        start: starts an engine.
        ledger: of the memory; that of this machine when None.
        downloads: of models that are not on this machine.
        on_bug: gets a line for each failure that nobody foresaw.

    Raises:
        PhiError: one of the models that the options name does not exist.
    """

    def __init__(
        self,
        options: LoadOptions,
        *,
        start: StartEngine = start_engine,
        ledger: Ledger | None = None,
        downloads: Downloads | None = None,
        on_bug: OnBug = ignored,
    ) -> None:
        self.options = options
        self.counters, self._on_bug = Counters(), on_bug
        self._names = Names(options.models, may_pull=options.pull)
        self._adapters = AdapterNames(options.adapters)
        if not options.pull:
            self._adapters.check(self._names)
        self._downloads = downloads or Downloads(on_bug=on_bug)
        self._table = Table(self._begin)
        ledger = ledger or (Ledger() if options.memory_check else Ledger(None))
        self._loader = Loader(options, self._table, ledger, self.counters, start, on_bug)
        self._keeper = threading.Thread(target=self._keep, daemon=True, name="phi-keep-alive")
        self._keeper.start()

    def names(self) -> tuple[ServedName, ...]:
        """The models that a request can name, those with an adapter behind each; no other file is opened."""
        return self._adapters.listing(self._names)

    def describe(self, name: str) -> ServedName:
        """The model called ``name``, whatever its other names are.

        Raises:
            NotFoundError: there is none of that name here.
        """
        return self._adapters.describe(name, self._names)

    def locate(self, name: str, closing: Closing | None = None) -> LocatedModel:
        """The file of the model called ``name``, downloaded first where that is allowed; that of the model alone where
        an adapter is named, too.

        Raises:
            NotFoundError: there is none of that name here.
            PhiError: it cannot be downloaded.
        """
        try:
            return self._adapters.find(name, self._names)
        except NotInstalledError as error:
            if not self.options.pull:
                raise
            self._downloads.get(error.model, closing)
            return self._adapters.find(name, self._names)

    @contextlib.contextmanager
    def lease(self, name: str, closing: Closing | None = None) -> Iterator[Loaded]:
        """The model called ``name``, which stays loaded within the context, with a slot for an answer.

        ``closing`` ends the wait for it, though not what others wait for: then :meth:`Closing.check` raises.

        Raises:
            NotFoundError: there is none of that name here.
            DoesNotFitError: it does not fit into memory.
            BusyError: models that answer need the memory for too long.
            EngineError: it cannot be loaded.
        """
        with self._taken(self.locate(name, closing), closing) as loaded:
            self._adapters.require_loaded(name, loaded.adapters)
            yield loaded

    @contextlib.contextmanager
    def lend(self, model: LocatedModel, closing: Closing | None = None) -> Iterator[Loaded]:
        """As :meth:`lease`, for somebody who uses the engine without the server, maybe for long: it takes no slot.

        Where the command line named models, ``model`` must be one of them.

        Raises:
            PhiError: as for :meth:`lease`.
        """
        located = self._names.same(model) if self._names.only else model
        self.counters.add("loans")
        with self._taken(located, closing, lent=True) as loaded:
            yield loaded

    def preload(self) -> None:
        """Load the models that the options name.

        Raises:
            PhiError: one of them cannot be loaded.
        """
        for name in self._names.only:
            with self._taken(self.locate(name), None, lent=True):
                pass

    def state(self) -> tuple[ModelState, ...]:
        """The models that are loading or loaded; asks nothing of their engines.

        A model whose engine has ended by itself while nobody used it is no longer one of them.
        """
        self._loader.end(self._table.pick(_has_died))
        return tuple(state_of(served, queued, self.options.keep_alive_s) for served, queued in self._table.all())

    def let_go(self, name: str | None, *, force: bool = False) -> tuple[str, ...]:
        """Unload the model called ``name``, or all (None); returns the names of those that were loaded.

        With ``force`` answers and loans end, too, though not loads.

        Raises:
            NotFoundError: there is no model of that name, or it is not loaded.
            BusyError: a model is used; the others of ``name`` None are unloaded.
        """
        only = None if name is None else self._loaded_as(name)

        def is_meant(served: Served) -> bool:
            return only is None or served is only

        ending = self._table.pick(is_meant, used=force)
        self._loader.end(ending)
        if left := [served for served, _ in self._table.all() if is_meant(served)]:
            names = ", ".join(user_of(served.name, lent=bool(served.loans)) for served in left)
            raise self._table.busy(f"in use: {names}", left[0].key)
        return tuple(served.name for served in ending)

    def close(self) -> None:
        """Unload all models; answers that still come fail."""
        self._loader.close(self._table.close())

    @contextlib.contextmanager
    def _taken(self, located: LocatedModel, closing: Closing | None, *, lent: bool = False) -> Iterator[Loaded]:
        served, loaded, ticket = self._table.take(located, closing, lent=lent)
        began = time.monotonic()
        try:
            yield loaded
        finally:
            loaded.shares.released(ticket)
            self._table.give_back(served, ticket, time.monotonic() - began)

    def _loaded_as(self, name: str) -> Served:
        served = self._table.find(self._adapters.find(name, self._names))
        if served is None:
            raise NotFoundError(f"model {name!r} is not loaded", "see the loaded models: phi ps")
        return served

    def _begin(self, served: Served) -> None:
        threading.Thread(target=self._load, args=(served,), daemon=True, name="phi-load").start()

    def _load(self, served: Served) -> None:
        try:
            self._loader.load(served)
        except PhiError as error:
            if names_a_path(f"{error.message}\n{error.hint}"):  # a client does not get to know
                self._on_bug(f"{served.name} cannot be loaded: {error.message}")
            self._table.failed(served, error)
        except Exception as error:  # noqa: BLE001 (whatever it is, those who wait have to know)
            report(error, self._on_bug)
            message = f"{served.located.name} cannot be loaded: {type(error).__name__}: {error}"
            self._table.failed(served, EngineError(message, "see what is wrong: phi doctor"))

    def _keep(self) -> None:
        """Unload what was not used for as long as it is kept; ends with the table."""
        goes_on = True
        while goes_on:
            seen = self._table.changes
            try:
                due_s = self._expire()
            except Exception as error:  # noqa: BLE001 (as in main(): a bug is reported, and the server goes on)
                report(error, self._on_bug)
                due_s = _AFTER_BUG_S
            goes_on = self._table.wait(due_s, seen)

    def _expire(self) -> float | None:
        """Unload what is due; returns in how many seconds something else will be, None if nothing."""
        keep_s = self.options.keep_alive_s
        if keep_s is not None:
            ending = self._table.pick(lambda served: _idle_s(served) >= keep_s)
            self.counters.add("expired", len(ending))
            self._loader.end(ending)
        larger_s = _LARGER_IDLE_S if keep_s is None else min(keep_s, _LARGER_IDLE_S)
        self._loader.end_larger(larger_s)
        rows = [served for served, _ in self._table.all()]
        due = [larger_s for served in rows if served.loaded and served.loaded.shares.has_larger]
        if keep_s is not None:
            due += [max(keep_s - _idle_s(served), 0.0) for served in rows if served.idle_since is not None]
        soonest = min(due, default=math.inf)
        return None if soonest == math.inf else max(soonest, 0.01)


def _has_died(served: Served) -> bool:
    """Whether a loaded model has no engine that runs."""
    engines = served.loaded.model.engines.started() if served.loaded else ()
    return served.loaded is not None and all(getattr(engine, "ended", False) for engine in engines)


def _idle_s(served: Served) -> float:
    since = served.idle_since
    return 0.0 if since is None else time.monotonic() - since
