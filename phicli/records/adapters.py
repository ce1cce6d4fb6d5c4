"""Adapters (LoRA) that a model was measured with, as plain data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from phicli.engine.leaving import digest
from phicli.engine.types import Adapter
from phicli.errors import IntegrityError


@dataclass(frozen=True, slots=True)
class MeasuredAdapter:
    """An adapter that is used with a model while that is measured.

    ``name`` is its name here, or the name of the file where it has none. ``sha256`` is that of the file: an adapter
    that was trained again keeps its name and its path.
    """

    name: str
    path: Path
    scale: float
    size_bytes: int
    sha256: str

    @property
    def used(self) -> Adapter:
        """As the engine gets it."""
        return Adapter(self.path, self.scale)

    @property
    def label(self) -> str:
        """Its name, with the scale where that is not 1."""
        return self.used.typed_as(self.name)

    @property
    def typed(self) -> str:
        """What is typed for it: as :attr:`label`, with the path of a file that has no name here."""
        return self.used.typed_as(str(self.path) if self.path.name == self.name else self.name)

    @property
    def mark(self) -> str:
        """What tells it from others, whatever it is called: hash and scale."""
        return f"{self.sha256}:{self.scale!r}"

    def check(self) -> None:
        """Return if the file is still the one that is recorded.

        Raises:
            IntegrityError: it has changed.
            OSError: it cannot be read.
        """
        if digest(self.path) != self.sha256:
            raise IntegrityError(
                f"the adapter {self.name} has changed since the command began", "run the command again"
            )

    def to_data(self) -> dict[str, Any]:
        """Its JSON form."""
        return asdict(self) | {"path": str(self.path)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_data`.

        Raises:
            KeyError, TypeError, ValueError, OverflowError: a field is missing or is not what it has to be.
        """
        texts = {name: str(data[name]) for name in ("name", "sha256")}
        return cls(**texts, path=Path(data["path"]), scale=float(data["scale"]), size_bytes=int(data["size_bytes"]))


def readable_adapters(rows: Any) -> Iterator[MeasuredAdapter]:
    """The adapters in ``rows`` of a saved measurement, without what cannot be one: anybody may have edited them."""
    for row in rows if isinstance(rows, list) else ():
        with contextlib.suppress(KeyError, TypeError, ValueError, OverflowError):
            yield MeasuredAdapter.from_data(row)
