"""How much memory there is, as plain data: apart from the rest of a machine, because every chat asks for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Memory:
    """Main memory that this process may use, in bytes.

    ``available_bytes`` can be taken without pushing anything out to swap; swap itself is never counted.
    ``source`` says in words where that number came from; ``limited`` when it is what the limit of a control group
    leaves, rather than what the machine has.
    """

    total_bytes: int
    available_bytes: int
    source: str
    limited: bool = False
