"""Settings that tuning found, in words: in ``phi show``, and where they do not hold any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from phicli.plan.tuned import USES, Tuned, Winner
from phicli.ui.sections import Section

USE_WORDS: Final = {"one_answer": "one answer", "conversation": "conversation", "batch": "many requests"}


def settings_words(threads: int, batch_tokens: int, kv_type: str, flash_attention: str, *, repack: bool) -> str:
    """Settings of the engine as a phrase; flash attention is left out where the engine decides."""
    words = [f"{threads} thread{'' if threads == 1 else 's'}", "repacked" if repack else "not repacked"]
    words += [f"micro-batch {batch_tokens}", f"kv {kv_type}"]
    return ", ".join([*words, f"flash attention {flash_attention}"] if flash_attention != "auto" else words)


def faster_words(ratio: float, low: float | None, high: float | None, *, default: bool) -> str:
    """How much faster, with the interval."""
    if default:
        return "the default stays"
    between = "" if low is None or high is None else f" ({low:.2f} to {high:.2f})"
    return f"{ratio:.2f} x{between}"


def stale_says(tuned: Tuned, model: str) -> str:
    """The notice for settings of another processor or engine build."""
    return (
        f"the settings tuned for {tuned.model} are of {tuned.cpu} ({tuned.cores} cores) with {tuned.build}, which is "
        f"not what is here now; the defaults are used (tune again: phi bench --tune {model})"
    )


def tuned_section(found: Sequence[tuple[str | None, Tuned]]) -> Section:
    """What holds on this machine, of files with these quantisations; nothing where there is none."""
    facts = []
    for quant, one in found:
        facts.append((quant or "file", f"{one.made_at[:16].replace('T', ' ')} UTC, {one.build}"))
        facts += [(USE_WORDS[use], _winner_words(one.winners[use])) for use in USES]
    return Section("Tuned on this machine", facts=tuple(facts))


def tuned_data(found: Sequence[tuple[str | None, Tuned]]) -> list[dict[str, Any]]:
    """The field ``tuned`` of ``show --json``."""
    return [
        {
            "quant": quant,
            "made_at": one.made_at,
            "cpu": one.cpu,
            "cores": one.cores,
            "build": one.build,
            "winners": {use: asdict(one.winners[use]) for use in USES},
        }
        for quant, one in found
    ]


def _winner_words(one: Winner) -> str:
    settings = settings_words(one.threads, one.batch_tokens, one.kv_type, one.flash_attention, repack=one.repack)
    return f"{settings}; {faster_words(one.ratio, one.ratio_low, one.ratio_high, default=one.default)}"
