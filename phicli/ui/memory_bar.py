"""What a model takes of the memory, as a bar that can be read without color."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from phicli.fit.memory_sum import MemorySum

if TYPE_CHECKING:
    from rich.text import Text

_GIB: Final = 1 << 30
_MIB: Final = 1 << 20
_FINE: Final = "█▓░"
_COARSE: Final = "#=-"
_COLOURS: Final = ("cyan", "magenta", "yellow")


def parts_of(memory: MemorySum, *, on_gpu: bool = False) -> tuple[int, int, int]:
    """Bytes of weights, context and the rest in the main memory, or in that of the GPU."""
    on = (memory.gpu_weights_bytes, memory.gpu_kv_bytes, memory.gpu_compute_bytes)
    if on_gpu:
        return on
    rest = memory.total_bytes - memory.weights_bytes - memory.kv_bytes
    return memory.weights_bytes - on[0], memory.kv_bytes - on[1], rest - on[2]


def shares_of(parts: Sequence[int], total_bytes: int) -> tuple[float, ...]:
    """The parts of ``total_bytes`` that weights, context and the rest take."""
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
    """The bar in ``width`` characters; each part has a character and a color of its own."""
    from phicli.ui.canvas import safe_text

    cells = cells_of(shares, width)
    bar = safe_text("")
    for letter, colour, count in zip(_FINE if fine else _COARSE, _COLOURS, cells, strict=True):
        bar.append_text(safe_text(letter * count, colour))
    bar.append_text(safe_text(("·" if fine else ".") * (width - sum(cells)), "dim"))
    return bar


def parts_text(parts: Sequence[int], context_tokens: int) -> str:
    """The parts of :func:`parts_of` in words, in the order of the bar; as written they add up to their sum as written.

    What is lost in rounding goes to the parts that lose most by it.
    """
    total = sum(parts)
    unit, name, digits = (_GIB, "GiB", 2) if total >= 0.95 * _GIB else (_MIB, "MiB", 1)
    scale = 10**digits
    exact = [part / unit * scale for part in parts]
    whole = [int(part) for part in exact]
    by_loss = sorted(range(len(parts)), key=lambda place: whole[place] - exact[place])
    for place in by_loss[: round(total / unit * scale) - sum(whole)]:
        whole[place] += 1
    words = ("weights", f"{context_tokens:,} tokens", "rest")
    said = (f"{word} {part / scale:.{digits}f}" for word, part in zip(words, whole, strict=True) if part)
    return f"{', '.join(said)} {name}"
