"""The adapters that an engine has loaded."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phicli.engine.leaving import part_facts
from phicli.engine.types import Adapter


class LoadedAdapters:
    """The adapters of one load; constructed when the engine begins to load them.

    Args:
        adapters: in the order in which the engine numbers them.
    """

    def __init__(self, adapters: Sequence[Adapter]) -> None:
        self._files = {os.path.realpath(one.path): file_now(one.path) for one in adapters}
        self.scales = tuple(one.scale for one in adapters)
        """As they were loaded."""

    def scales_for(self, adapters: Sequence[Adapter]) -> tuple[float, ...] | None:
        """The scale of each loaded adapter where only ``adapters`` are used: 0 for the others.

        None where one of ``adapters`` is not loaded, or its file has changed since then.
        """
        wanted = {os.path.realpath(one.path): one.scale for one in adapters}
        for path in wanted:
            loaded = self._files.get(path)
            if loaded is None or loaded != file_now(Path(path)):
                return None
        return tuple(wanted.get(path, 0.0) for path in self._files)


def file_now(path: Path) -> dict[str, Any] | None:
    """What tells the file at ``path`` from another one that takes its place; None where there is none."""
    with contextlib.suppress(OSError):
        return part_facts(path)
    return None
