"""What ``phi bench`` is asked to measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from phicli.engine.starting import DEFAULT_ENGINE
from phicli.engine.types import Adapter

QUICK_PROMPT: Final = 32
QUICK_TOKENS: Final = 12
QUICK_REPEAT: Final = 3
"""What ``--quick`` measures; docs/bench.md says how long it takes for 4 billion parameters on two cores."""


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """A benchmark of models on this machine; lists give a grid.

    ``settings`` has the values of each engine setting that was asked for, by field; the machine chooses the others.
    ``baseline`` is a file, ``last`` or the beginning of a run's id. ``quick`` makes the comparison of quality shorter.
    Without ``memory_check`` a load that seems too large for the memory is measured anyway. ``adapters`` are used with
    every model, beside its own.
    """

    prompt_tokens: tuple[int, ...] = (512,)
    generated_tokens: tuple[int, ...] = (128,)
    depth_tokens: tuple[int, ...] = (0,)
    repeat: int = 5
    quick: bool = False
    context_tokens: int | None = None
    settings: Mapping[str, tuple[Any, ...]] = field(default_factory=lambda: MappingProxyType({}))
    engines: tuple[str, ...] = (DEFAULT_ENGINE,)
    llama_server: Path | None = None
    quality: bool = True
    baseline: str | None = None
    fail_below: float | None = None
    force: bool = False
    memory_check: bool = True
    adapters: tuple[Adapter, ...] = ()
