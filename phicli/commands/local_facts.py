"""What ``/show`` prints of a model of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from phicli.bench.measuring.peak_memory import peak_of
from phicli.engine.starting import build_of
from phicli.gguf_file.names import parts_of
from phicli.ui.answer_stats import memory_says
from phicli.units import format_bytes

if TYPE_CHECKING:
    from phicli.answering.opening import OpenModel
    from phicli.engine.types import Adapter


def local_facts(opened: OpenModel) -> Sequence[tuple[str, str]]:
    """The model, its file, its engine and the memory that the engine takes: each with its label."""
    located = opened.plan.model
    size = sum(part.stat().st_size for part in parts_of(located.path) if part.exists())
    peak = peak_of(opened.process_id)
    return [
        ("model", located.name),
        *([("quant", located.quant)] if located.quant else []),
        ("file", f"{format_bytes(size)}, {located.path}"),
        ("engine", f"{opened.build or build_of(opened.engine)}{', of phi serve' if opened.attached else ''}"),
        *([("adapters", listed_adapters(opened.plan.settings.adapters))] if opened.plan.settings.adapters else []),
        *([("memory", memory_says(peak))] if peak is not None else []),
    ]


def listed_adapters(adapters: Sequence[Adapter]) -> str:
    """The adapters by their names here, with scales other than 1 as they are typed."""
    from phicli.adapters.registry import name_of

    return ", ".join(one.typed_as(name_of(one.path)) for one in adapters)
