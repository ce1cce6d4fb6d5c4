"""How good a variant is for a task, and what its quantization takes away.

All numbers are points of the task's own scale (0 to 100, the percent of its benchmark), so they may be compared
within a task and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from phicli.catalog.types import Score, Variant
from phicli.fit.tasks import Task

_BASE_PERPLEXITY: Final = 6.2332
_POINTS_PER_PERCENT: Final = 0.3
_Q8_KV_LOSS: Final = 0.1
_Q4_KV_LOSS: Final = 1.0
_PERPLEXITY_RISE: Final[Mapping[str, float]] = MappingProxyType(
    {
        "Q2_K": 3.5199,
        "Q3_K_S": 1.6321,
        "Q3_K_M": 0.6569,
        "Q3_K_L": 0.5562,
        "Q4_0": 0.4685,
        "Q4_1": 0.4511,
        "Q4_K_S": 0.2689,
        "Q4_K_M": 0.1754,
        "Q5_0": 0.1316,
        "Q5_1": 0.1062,
        "Q5_K_S": 0.1049,
        "Q5_K_M": 0.0569,
        "Q6_K": 0.0217,
        "Q8_0": 0.0026,
    }
)
"""Rise of perplexity of Llama-3-8B on WikiText-2 over 6.2332 at F16, as llama.cpp's ``llama-quantize --help`` prints
it (``tools/quantize/quantize.cpp``; the base is in the README of its perplexity tool)."""
_LIKE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Q2_K_L": "Q2_K",
        "Q3_K_XL": "Q3_K_L",
        "Q4_K_L": "Q4_K_M",
        "Q5_K_L": "Q5_K_M",
        "Q6_K_L": "Q6_K",
        "IQ4_XS": "Q4_K_S",
        "IQ4_NL": "Q4_K_S",
        "IQ3_M": "Q3_K_M",
        "IQ3_S": "Q3_K_M",
        "IQ3_XS": "Q3_K_S",
        "IQ3_XXS": "Q3_K_S",
    }
)
"""Quantizations without a published number there, and the one of about the same size that stands in for them."""
SPOILT_POINTS: Final = 5.0
"""A quantization that costs as much ruins the model: it is the last resort."""

LADDER_STEP: Final = 2.0
"""Points that a place above the best score of a ladder, or below the least one, counts. Declared: nobody knows."""

_LENGTH: Final[Mapping[str, float]] = MappingProxyType({"phi-4-reasoning-plus": 1.5})
_THINKING: Final[Mapping[str, float]] = MappingProxyType({"phi-4-reasoning-plus": 12.0})
_USUAL_THINKING: Final = 8.0


_Scored = tuple[int, float, str]
"""Place in the order, score, and id."""


@dataclass(frozen=True, slots=True)
class Grade:
    """The quality of a variant for a task in points, and in words where it comes from.

    ``published`` when it is a score, and not a place between those of others.
    """

    points: float
    because: str
    published: bool = False


def grade(variant: Variant, task: Task, variants: Sequence[Variant]) -> Grade | None:
    """How good ``variant`` is for ``task``; None when the task's order does not know it.

    Args:
        variant: the model.
        task: what for.
        variants: the catalog, for the scores of the neighbors.
    """
    own = score_of(variant, task)
    if own is not None:
        return Grade(own.value, f"{own.benchmark} {own.value:g}, published", published=True)
    if variant.id not in task.order:
        return None
    by_id = {other.id: other for other in variants}
    place = task.order.index(variant.id)
    scored = [
        (position, score.value, name)
        for position, name in enumerate(task.order)
        if name in by_id and (score := score_of(by_id[name], task)) is not None
    ]
    if not scored:
        return Grade(round(100.0 * (place + 1) / (len(task.order) + 1), 2), "from its place in the selection guide")
    below = max((entry for entry in scored if entry[0] < place), default=None)
    above = min((entry for entry in scored if entry[0] > place), default=None)
    points = _between(place, below, above)
    near = [f"{word} {entry[2]} ({entry[1]:g})" for word, entry in (("above", below), ("below", above)) if entry]
    return Grade(round(points, 2), f"{_elsewhere(variant, task)}; the selection guide places it {' and '.join(near)}")


def _between(place: int, below: _Scored | None, above: _Scored | None) -> float:
    """Points of a ``place`` in the order between the scored ones next to it; beyond the last one in small steps."""
    if below is None or above is None:
        entry = below or above
        assert entry is not None  # noqa: S101 (one of them is scored)
        return min(max(entry[1] + LADDER_STEP * (place - entry[0]), 0.0), 100.0)
    return below[1] + (above[1] - below[1]) * (place - below[0]) / (above[0] - below[0])


def quantisation_loss(quant: str) -> float:
    """Points that ``quant`` costs, to the hundredth: sums of what is shown come out.

    The published rise of perplexity in percent, times 0.3. The factor is a choice: it makes the usual Q4_K_M cost one
    point, which is about what quantized models lose on multiple-choice benchmarks, and Q2_K so much that a smaller
    model is the better one. What is not in the table is judged by the bits in its name.
    """
    name = quant.upper().removeprefix("UD-")
    name = _LIKE.get(name, name)
    if name in {"F16", "BF16", "F32"}:
        return 0.0
    rise = _PERPLEXITY_RISE.get(name)
    if rise is None:
        bits = next((int(letter) for letter in name if letter.isdigit()), 4)
        rise = _PERPLEXITY_RISE[{1: "Q2_K", 2: "Q2_K", 3: "Q3_K_S", 4: "Q4_0", 5: "Q5_0", 6: "Q6_K"}.get(bits, "Q8_0")]
    return round(_POINTS_PER_PERCENT * 100.0 * rise / _BASE_PERPLEXITY, 2)


def kv_loss(kv_type: str) -> float:
    """Points that a quantized key-value cache costs: declared small for q8_0, one point for q4_0."""
    return {"q8_0": _Q8_KV_LOSS, "q4_0": _Q4_KV_LOSS}.get(kv_type, 0.0)


def thinking_ratio(variant: Variant, task: Task) -> float:
    """Reasoning tokens that a person has to wait for, per token of the answer; 0 where reasoning is the purpose.

    Declared: 8, and half as much again for Phi-4-reasoning-plus, whose card says that its answers are about 50 %
    longer than those of Phi-4-reasoning; both cards ask for thousands of tokens of room.
    """
    if task.thinking_is_wanted or not variant.reasoning:
        return 0.0
    return _THINKING.get(variant.id, _USUAL_THINKING)


def thoughts_length(variant: Variant, task: Task) -> float:
    """How long the thoughts of ``variant`` are where they are wanted, against those of others: 1.5 says the card of
    Phi-4-reasoning-plus; 1 where they are not wanted, as :func:`thinking_ratio` has them there.
    """
    return _LENGTH.get(variant.id, 1.0) if task.thinking_is_wanted else 1.0


def answer_tps(decode_tps: float, variant: Variant, task: Task) -> float:
    """Tokens of the answer per second, with reasoning counted as waiting."""
    return decode_tps / (1.0 + thinking_ratio(variant, task))


def score_of(variant: Variant, task: Task) -> Score | None:
    """The score of ``variant`` on the scale of ``task``."""
    for benchmark, source in ((task.benchmark, task.source), *task.also):
        for score in variant.scores:
            if (score.benchmark, score.source) == (benchmark, source):
                return score
    return None


def _elsewhere(variant: Variant, task: Task) -> str:
    """That there is no score on the scale, and which there is beside it."""
    other = next((score for score in variant.scores if score.benchmark == task.benchmark), None)
    if other is None:
        return f"no {task.benchmark} on this scale in the catalog"
    return f"its {task.benchmark} of {other.value:g} comes from another source and cannot be compared"
