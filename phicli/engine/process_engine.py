"""What all engines in a process of their own have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from phicli.engine.closable import Closing
from phicli.engine.engine_process import EngineProcess
from phicli.engine.types import LoadSettings

_Process = TypeVar("_Process", bound=EngineProcess)


class ProcessEngine(Generic[_Process]):
    """An engine in a child process, which loads the model in the background.

    The first call that needs the model waits, and raises what went wrong.

    Args:
        settings: the file and how to load it.
        process: the process that loads this file already.
        on_tick: called about ten times a second while a call waits for the model, with the seconds waited.
    """

    def __init__(
        self, settings: LoadSettings, process: _Process, on_tick: Callable[[float], None] | None = None
    ) -> None:
        self.settings = settings
        self._process = process
        self._on_tick = on_tick

    @property
    def context_tokens(self) -> int:
        """The context the model was loaded with."""
        return self.settings.context_tokens

    @property
    def load_ms(self) -> float:
        """From starting the engine to its being ready, in milliseconds; 0 while it loads."""
        return self._process.load_ms

    @property
    def loading(self) -> bool:
        """Whether the model is known to be loading."""
        return self._process.loading

    @property
    def ended(self) -> bool:
        """Whether its process has ended."""
        return self._process.ended

    @property
    def pid(self) -> int:
        """The process id of the engine, for measurements."""
        return self._process.pid

    @property
    def build(self) -> str:
        """The engine and its version, such as ``xllamacpp 1.2.3``; empty while it loads."""
        return self._process.build

    def wait_ready(self, closing: Closing | None = None) -> None:
        """Wait until the model is loaded; ``closing`` ends the wait, though not the loading.

        Raises:
            EngineError: the file cannot be loaded; quotes the engine's reason.
        """
        self._await_process(closing)

    def close(self) -> None:
        """End the engine and wait for it; safe to call twice."""
        self._process.close()

    def _await_process(self, closing: Closing | None) -> str:
        """What :meth:`~phicli.engine.engine_process.EngineProcess.wait_ready` returns."""

        def tick(waited_s: float) -> None:
            if self._on_tick is not None:
                self._on_tick(waited_s)
            if closing is not None:
                closing.check()

        return self._process.wait_ready(tick)
