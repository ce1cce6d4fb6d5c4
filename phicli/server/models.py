"""The models of the server: loaded when a request names one, and let go of when nobody uses them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from phicli.plan.locate import locate
from phicli.server.loading import Loaded, load
from phicli.server.types import LoadOptions


class Models:
    """Use it from any thread."""

    def __init__(self, options: LoadOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._loaded: dict[str, Loaded] = {}

    @contextlib.contextmanager
    def lease(self, name: str) -> Iterator[Loaded]:
        """The model called ``name``, which stays loaded within the context.

        Raises:
            NotFoundError: there is none of that name here.
            DoesNotFitError: it does not fit into memory beside those that answer.
            EngineError: it cannot be loaded.
        """
        located = locate(name)
        with self._lock:
            if located.reference not in self._loaded:
                self._loaded[located.reference] = load(located, self._options)
            loaded = self._loaded[located.reference]
        yield loaded

    def state(self) -> list[dict[str, Any]]:
        """What ``phi ps`` shows of each model; no engine is asked."""
        with self._lock:
            return [
                {
                    "model": name, "memory_bytes": None, "context_tokens": one.settings.context_tokens,
                    "slots": one.slots, "running": 0, "idle_since": None, "until": None,
                }
                for name, one in self._loaded.items()
            ]  # fmt: skip

    def let_go(self, name: str | None) -> None:
        """Give the memory of a model back, of all for None.

        Raises:
            NotFoundError: there is none of that name here.
        """
        with self._lock:
            names = list(self._loaded) if name is None else [locate(name).reference]
            loaded = [self._loaded.pop(one) for one in names if one in self._loaded]
        for one in loaded:
            one.model.close()

    def close(self) -> None:
        """Let go of all models; answers that still come fail."""
        with self._lock:
            loaded, self._loaded = list(self._loaded.values()), {}
        for one in loaded:
            one.model.close()
