"""A scripted engine that can save and restore what it has evaluated."""

from __future__ import annotations

import json
from pathlib import Path

from phicli.engine.closable import Closing
from phicli.errors import EngineDiedError, EngineError
from tests.fakes.scripted_engine import Script, ScriptedEngine


class StatefulEngine(ScriptedEngine):
    """Args: the script, the context, the build; whether it refuses to save, and whether a restored state ends it.

    As in llama.cpp's server, the last token that was generated is not evaluated yet.
    """

    def __init__(
        self,
        script: Script,
        *,
        context_tokens: int,
        build: str = "scripted 1",
        refuses: bool = False,
        dies_restoring: bool = False,
    ) -> None:
        super().__init__(script, context_tokens=context_tokens)
        self.build = build
        self.refuses, self.dies_restoring = refuses, dies_restoring
        self.saved: list[Path] = []
        self.restored = 0

    def save_state(self, path: Path, closing: Closing | None = None) -> tuple[int, ...]:
        self.wait_ready(closing)
        if self.refuses:
            path.write_text("the beginning of")
            raise EngineError("the engine refused: no space left on device")
        ids = self._cache[:-1]
        path.write_text(json.dumps(ids))
        self.saved.append(path)
        return ids

    def restore_state(self, path: Path, closing: Closing | None = None) -> int:
        self.wait_ready(closing)
        if self.dies_restoring:
            self.closed = True
            raise EngineDiedError("the engine stopped")
        self._cache = tuple(json.loads(path.read_text()))
        self.restored += 1
        return len(self._cache)
