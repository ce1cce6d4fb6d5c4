"""Settings that tuning found, in words: in ``phi show``, and where they no longer apply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from phicli.engine.settings import FIELDS, EngineSettings
from phicli.engine.starting import DEFAULT_ENGINE
from phicli.records.tuned import USES, Tuned, Winner
from phicli.ui.sections import Section

USE_WORDS: Final = {"one_answer": "one answer", "conversation": "conversation", "batch": "many requests"}


_ALWAYS: Final = ("threads", "repack", "batch_tokens", "kv_type")


def settings_words(settings: EngineSettings) -> str:
    """Settings of the engine as a phrase; most of those that are left to the engine are left out."""
    data = settings.to_data()
    others = [name for name, field in FIELDS.items() if name not in _ALWAYS and data[name] != field.default]
    return ", ".join(FIELDS[name].phrase(data[name]) for name in (*_ALWAYS, *others))


def faster_words(ratio: float, low: float | None, high: float | None, *, default: bool) -> str:
    """How much faster, with the interval."""
    if default:
        return "the default stays"
    between = "" if low is None or high is None else f" ({low:.2f} to {high:.2f})"
    return f"{ratio:.2f} x{between}"


def stale_says(tuned: Tuned, model: str) -> str:
    """The notice for settings of another processor or engine build, or for an engine that was faster with others."""
    if tuned.faster:
        return (
            f"{tuned.build} was faster than {tuned.faster_than} for {tuned.model}, but one of the two has changed or "
            f"is missing; {DEFAULT_ENGINE} is used (to compare again: phi autotune {model} --engine "
            f"{DEFAULT_ENGINE},{tuned.engine})"
        )
    return (
        f"the settings of {tuned.model} were tuned on {tuned.cpu} ({tuned.cores} cores) with "
        f"{tuned.build}, "
        f"another machine or engine; the defaults are used (to tune again: phi autotune {model})"
    )


def tuned_section(found: Sequence[tuple[str | None, Tuned]]) -> Section:
    """What holds on this machine, of files with these quantizations; nothing where there is none."""
    facts = []
    for quant, one in found:
        facts.append((quant or "file", f"{one.made_at[:16].replace('T', ' ')} UTC, {one.build}"))
        facts += [(USE_WORDS[use], _winner_words(one.winners[use])) for use in USES]
        facts += [(f"faster than {DEFAULT_ENGINE}", _faster_words(one))] if one.faster else []
    return Section("Tuned on this machine", facts=tuple(facts))


def tuned_data(found: Sequence[tuple[str | None, Tuned]]) -> list[dict[str, Any]]:
    """The field ``tuned`` of ``show --json``."""
    return [
        {
            "quant": quant,
            "made_at": one.made_at,
            "cpu": one.cpu,
            "cores": one.cores,
            "engine": one.engine,
            "build": one.build,
            "faster": dict(one.faster),
            "winners": {use: one.winners[use].to_data() for use in USES},
        }
        for quant, one in found
    ]


def _faster_words(one: Tuned) -> str:
    """For which uses the engine is used, and why."""
    uses = ", ".join(f"{USE_WORDS[use]} ({ratio:.2f} x)" for use, ratio in one.faster.items())
    return f"{uses}: phi chat uses {one.engine}"


def _winner_words(one: Winner) -> str:
    settings = settings_words(one.settings)
    return f"{settings}; {faster_words(one.ratio, one.ratio_low, one.ratio_high, default=one.default)}"
