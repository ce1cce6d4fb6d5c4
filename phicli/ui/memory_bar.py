"""What a model takes of the memory, as a bar that can be read without colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from rich.text import Text

_GIB: Final = 1 << 30
_FINE: Final = "█▓▒░"
_COARSE: Final = "#=+-"
_COLOURS: Final = ("cyan", "magenta", "blue", "yellow")


class MemoryParts(Protocol):
    """The sums of a model; ``phicli.fit.memory.MemorySum`` has them."""

    @property
    def weights_bytes(self) -> int: ...  # noqa: D102
    @property
    def kv_bytes(self) -> int: ...  # noqa: D102
    @property
    def compute_bytes(self) -> int: ...  # noqa: D102
    @property
    def repack_bytes(self) -> int: ...  # noqa: D102
    @property
    def overhead_bytes(self) -> int: ...  # noqa: D102


def shares_of(memory: MemoryParts, total_bytes: int) -> tuple[float, ...]:
    """The parts of ``total_bytes`` that weights, context, repacked weights and the rest take."""
    rest = memory.compute_bytes + memory.overhead_bytes
    parts = (memory.weights_bytes, memory.kv_bytes, memory.repack_bytes, rest)
    return tuple(part / max(total_bytes, 1) for part in parts)


def cells_of(shares: Sequence[float], width: int) -> tuple[int, ...]:
    """Characters for each of ``shares`` of ``width``: rounded so that their sum is, and one at least for any part."""
    ends = [round(min(sum(shares[: place + 1]), 1.0) * width) for place in range(len(shares))]
    cells = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    for place, share in enumerate(shares):
        largest = max(range(len(cells)), key=cells.__getitem__)
        if share > 0 and cells[place] == 0 and cells[largest] > 1:
            cells[place] += 1
            cells[largest] -= 1
    return tuple(cells)


def bar_text(shares: Sequence[float], width: int, *, fine: bool) -> Text:
    """The bar in ``width`` characters; each part has a character and a colour of its own."""
    from phicli.ui.canvas import safe_text

    cells = cells_of(shares, width)
    bar = safe_text("")
    for letter, colour, count in zip(_FINE if fine else _COARSE, _COLOURS, cells, strict=True):
        bar.append_text(safe_text(letter * count, colour))
    bar.append_text(safe_text(("·" if fine else ".") * (width - sum(cells)), "dim"))
    return bar


def parts_text(memory: MemoryParts, context_tokens: int) -> str:
    """The parts in words and GiB, in the order of the bar."""
    parts = (
        ("weights", memory.weights_bytes),
        (f"{context_tokens:,} tokens", memory.kv_bytes),
        ("repacked", memory.repack_bytes),
        ("rest", memory.compute_bytes + memory.overhead_bytes),
    )
    return ", ".join(f"{name} {part / _GIB:.1f}" for name, part in parts if part) + " GiB"
