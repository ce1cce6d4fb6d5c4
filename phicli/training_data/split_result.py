"""What came of a split."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two files: its path, and what is in it."""

    path: str
    examples: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Split:
    """Two files; ``groups`` are what stayed together: equal examples, or those with one value of the key."""

    training: Side
    validation: Side
    seed: int
    groups: int
    notes: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """As ``--json`` shows it."""
        sides = {name: asdict(side) for name, side in (("training", self.training), ("validation", self.validation))}
        for side in sides.values():
            side["size_bytes"] = side.pop("bytes")
        return {**sides, "seed": self.seed, "groups": self.groups, "notes": list(self.notes)}
