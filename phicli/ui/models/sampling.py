"""How answers are sampled, in one line."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from phicli.engine.types import SAMPLERS, Sampling
from phicli.plan.sampling import ChatSampling

_ALWAYS: Final = ("top_k", "top_p", "min_p")
_WHERE_SET: Final = {
    "repeat_penalty": ("repeat_last_n",),
    "xtc_probability": ("xtc_threshold",),
    "mirostat": ("mirostat_tau", "mirostat_eta"),
}
"""Fields that are shown where they are not at their defaults, and the fields that belong to them."""


def sampling_text(shown: ChatSampling) -> str:
    """What has an effect, and where it is from: ``temperature 0.8, top_k 40, …; usual in llama.cpp``."""
    return f"{sampling_values(shown.sampling)}; {shown.source}"


def sampling_values(sampling: Sampling) -> str:
    """What has an effect: at temperature 0 the likeliest token is taken, whatever the rest."""
    values, usual = asdict(sampling), asdict(Sampling())
    names = ["temperature", *(_ALWAYS if sampling.temperature and not sampling.mirostat else ())]
    for name, more in _WHERE_SET.items():
        names += [name, *more] if values[name] != usual[name] else []
    shown = ", ".join(f"{name} {values[name]:g}" for name in names)
    return shown if sampling.samplers == SAMPLERS else f"{shown}, samplers {';'.join(sampling.samplers)}"
