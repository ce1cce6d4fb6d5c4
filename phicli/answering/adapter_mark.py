"""What tells the adapters of one load from others: a KV state belongs to those that it was computed with."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Sequence
from typing import Any

from phicli.engine.leaving import digest
from phicli.engine.loaded_adapters import file_now
from phicli.engine.types import Adapter


class AdapterMark:
    """The adapters of a load.

    Args:
        adapters: as they are loaded; the files are those that are there now.
    """

    def __init__(self, adapters: Sequence[Adapter]) -> None:
        self._adapters = tuple(adapters)
        self._facts = [file_now(adapter.path) for adapter in self._adapters]
        self._text: str | None = None

    def text(self) -> str:
        """Hashes and scales; empty without adapters. The files are read for it once.

        Where a file has changed since it was loaded, nobody knows what was loaded: the text then equals no other.
        """
        if self._text is None:
            self._text = ",".join(map(self._one, self._adapters, self._facts))
        return self._text

    def _one(self, adapter: Adapter, loaded: dict[str, Any] | None) -> str:
        with contextlib.suppress(OSError):
            sha256 = digest(adapter.path)
            if loaded is not None and loaded == file_now(adapter.path):
                return f"{sha256}:{adapter.scale!r}"
        return secrets.token_hex(16)
