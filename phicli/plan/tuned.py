"""How the engine is set for a load: by what was asked for, else by what tuning found here, else by default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from phicli.engine.settings import EngineSettings
from phicli.records.tuned import Tuned, Winner

__all__ = ["Tuned", "choose", "is_tuned"]


def choose(asked: Mapping[str, Any], winner: Winner | None, *, cores: int, kv_type: str = "f16") -> EngineSettings:
    """The settings as if memory did not matter.

    What was ``asked`` for (by flags and ``PHI_`` variables) comes first, then ``winner``, then the defaults with
    the physical ``cores``. The type of the KV cache is not a matter of speed: ``kv_type`` was decided before.
    """
    default = EngineSettings.for_cores(cores)
    found = winner.settings if winner is not None and is_tuned(asked, winner) else default
    if kv_type != "f16":  # a quantized cache needs flash attention
        found = replace(found, flash_attention=default.flash_attention)
    return replace(found, **{"kv_type": kv_type, **asked})


def is_tuned(asked: Mapping[str, Any], winner: Winner | None) -> bool:
    """Whether the settings are those of ``winner``, whatever a person set differently.

    It was found with the layers where the engine puts them, so ``--gpu-layers`` sets it aside.
    """
    return winner is not None and "gpu_layers" not in asked
