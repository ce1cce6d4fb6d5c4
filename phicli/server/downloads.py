"""Downloads of models that were asked for and are not on this machine: each of them once, however many want it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from phicli.engine.closable import Closing
from phicli.errors import EngineError, PhiError
from phicli.server.bugs import OnBug, ignored, report

_TICK_S: Final = 0.1


class Downloads:
    """Use it from any thread.

    Args:
        pull: downloads a model by the name that ``phi pull`` has for it.
        on_bug: gets a line for each failure that nobody foresaw.
    """

    def __init__(self, pull: Callable[[str], None] | None = None, on_bug: OnBug = ignored) -> None:
        self._pull, self._on_bug = pull or download, on_bug
        self._lock = threading.Lock()
        self._running: dict[str, _Download] = {}

    def get(self, model: str, closing: Closing | None = None) -> None:
        """Wait until ``model`` is on this machine; ``closing`` ends the wait, though not the download.

        Raises:
            PhiError: it cannot be downloaded.
        """
        with self._lock:
            running = self._running.get(model)
            if running is None:
                running = self._running[model] = _Download()
                threading.Thread(target=self._run, args=(model, running), daemon=True, name="phi-download").start()
        while not running.over.wait(_TICK_S):
            if closing is not None:
                closing.check()
        if running.error is not None:
            raise running.error

    def _run(self, model: str, running: _Download) -> None:
        try:
            self._pull(model)
        except PhiError as error:
            running.error = error
        except Exception as error:  # noqa: BLE001 (whatever it is, those who wait have to know)
            report(error, self._on_bug)
            running.error = EngineError(f"{model} cannot be downloaded: {error}", f"try: phi pull {model}")
        finally:
            with self._lock:
                del self._running[model]
            running.over.set()


class _Download:
    def __init__(self) -> None:
        self.over = threading.Event()
        self.error: PhiError | None = None


def download(model: str) -> None:
    """Download ``model`` as ``phi pull`` does, with the quantization that suits this machine where none is named.

    Raises:
        PhiError: as for :func:`phicli.hub.download.pull.pull`.
    """
    from phicli.hub.cache import cache_folder
    from phicli.hub.download.planning import prepare, present_file
    from phicli.hub.download.pull import pull
    from phicli.hub.download.request import pull_request
    from phicli.plan.recommend_here import quant_for

    request, quiet = pull_request(model), _Quiet()
    if request.variant is not None and not request.quant and present_file(request, cache_folder()) is None:
        request = replace(request, preferred_quant=quant_for(request.variant, quiet.notice))
    pull(prepare(request, quiet), quiet)


class _Quiet:
    """Shows no progress (:class:`~phicli.hub.types.Observer`)."""

    def notice(self, text: str) -> None:
        """Nothing."""

    def phase(self, text: str) -> None:
        """Nothing."""

    def progress(self, done_bytes: int, total_bytes: int, resumed_from_bytes: int) -> None:
        """Nothing."""
