"""The default engine: a model loaded in a llama.cpp process of our own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from phicli.engine.client import ConnectionLost
from phicli.engine.closable import Closing
from phicli.engine.engine_process import EngineProcess
from phicli.engine.http_engine import HttpEngine
from phicli.engine.loan import Loan
from phicli.engine.process import WorkerProcess
from phicli.engine.prompts import check_prompt
from phicli.engine.state_file import make_private, saved_ids
from phicli.engine.types import LoadSettings
from phicli.errors import EngineError


class LlamaServerEngine(HttpEngine):
    """The engine in a child process: it can also save its state (:class:`~phicli.engine.types.KeepsState`).

    Args:
        settings: the file and how to load it.
        process: a process that loads this file already; a fresh one when None.
        log_dir: for a fresh process, where its log goes.
        on_tick: called about ten times a second while a call waits for the model, with the seconds waited.
    """

    def __init__(
        self,
        settings: LoadSettings,
        *,
        process: EngineProcess | None = None,
        log_dir: Path | None = None,
        on_tick: Callable[[float], None] | None = None,
    ) -> None:
        if process is None:
            process = WorkerProcess(log_dir)
            process.load(settings)
        super().__init__(settings, process, on_tick)

    def loan(self) -> Loan:
        """What another program needs to use this engine.

        Raises:
            EngineError: the file cannot be loaded.
        """
        process = self._process
        address, log_path = process.wait_ready(), str(process.log_path or "")
        return Loan(address, process.api_key, process.build, process.pid, log_path, process.bad_template)

    @property
    def started_at(self) -> float:
        """When its process was started, in seconds since 1970."""
        return self._process.started_at

    def save_state(self, path: Path, closing: Closing | None = None) -> tuple[int, ...]:
        """See :class:`~phicli.engine.types.KeepsState`."""
        return self._save(path, closing)

    def restore_state(self, path: Path, closing: Closing | None = None) -> int:
        """See :class:`~phicli.engine.types.KeepsState`."""
        return self._restore(path, 0, closing)

    def share(self, beginning: Sequence[int], path: Path, closing: Closing | None = None) -> None:
        """See :class:`~phicli.engine.state_types.SharesBeginning`."""
        check_prompt(beginning, self.context_tokens)
        try:
            self._ready(closing).evaluate(beginning, 0, closing or Closing())
        except ConnectionLost as error:
            raise self._process.failure("the engine stopped", said=str(error)) from error
        if self._save(path, closing) != tuple(beginning):
            raise EngineError("the state that the engine saved is not that of the prompt", "run the command again")
        for slot in range(1, self.settings.slots):
            self._restore(path, slot, closing)

    def _save(self, path: Path, closing: Closing | None) -> tuple[int, ...]:
        """Save the state of the first slot."""
        make_private(path)
        reply = self._post("/slots/0?action=save", {"filename": path.name}, closing)
        return saved_ids(path, int(reply["n_written"]))

    def _restore(self, path: Path, slot: int, closing: Closing | None) -> int:
        self._begin_anew(slot, closing)  # else the first request would drop what is restored
        return int(self._post(f"/slots/{slot}?action=restore", {"filename": path.name}, closing)["n_restored"])

    @property
    def can_leave(self) -> bool:
        """See :class:`~phicli.engine.state_types.LeavesState`: a process of this package can."""
        return isinstance(self._process, WorkerProcess)

    def leave_state(self, order: Mapping[str, Any]) -> bool:
        """See :class:`~phicli.engine.state_types.LeavesState`."""
        return isinstance(self._process, WorkerProcess) and self._process.leave(order)
