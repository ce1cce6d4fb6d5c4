"""How much memory there is, as plain data: apart from the rest of a machine, because every chat asks for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Memory:
    """Main memory that this process may use, in bytes.

    ``available_bytes`` can be taken without pushing anything out to swap; swap itself is never counted.
    ``source`` says in words where the tighter of the numbers came from.
    """

    total_bytes: int
    available_bytes: int
    source: str
