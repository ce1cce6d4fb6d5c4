"""What ``/show`` prints of a model of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from phicli.bench.measuring.peak_memory import PeakMemory
from phicli.engine.starting import build_of
from phicli.gguf_file.names import parts_of
from phicli.ui.answer_stats import memory_says
from phicli.units import format_bytes

if TYPE_CHECKING:
    from phicli.answering.opening import OpenModel


def local_facts(opened: OpenModel) -> Sequence[tuple[str, str]]:
    """The model, its file, its engine and the memory that the engine takes: each with its label."""
    located = opened.plan.model
    size = sum(part.stat().st_size for part in parts_of(located.path) if part.exists())
    peak = None
    if (process := opened.process_id) is not None:
        memory = PeakMemory(process)
        memory.look()
        peak = memory.peak
    return [
        ("model", located.name),
        *([("quant", located.quant)] if located.quant else []),
        ("file", f"{format_bytes(size)}, {located.path}"),
        ("engine", f"{opened.build or build_of(opened.engine)}{', of phi serve' if opened.attached else ''}"),
        *([("memory", memory_says(peak))] if peak is not None else []),
    ]
