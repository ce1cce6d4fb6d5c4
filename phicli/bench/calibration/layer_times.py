"""From times of the engine on a few layers to what a layer, the output matrix and the rest cost.

Three engines take turns: on few layers and on more of them, both with a small vocabulary, so that their difference is
layers and nothing else, and on few layers with the true vocabulary, whose output matrix can weigh as much as ten
layers. Noise of the machine comes and goes within seconds, so it hits all of them, and medians are taken.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from phicli.bench.calibration.timing import Timed
from phicli.fit.calibration import Calibration, Conditions

PROMPT_TOKENS: Final = 128
DEPTH_TOKENS: Final = 1024
_PROMPTS: Final = 3
_DEEP_SHARE: Final = 2  # the deep turns are a half of the shallow ones
_NOISY: Final = 0.12  # spread of what the layers take, above which there are more turns
_MOST_TIMES: Final = 3


@dataclass(frozen=True, slots=True)
class LayerTimes:
    """What was timed, in milliseconds, turn by turn.

    ``shallow`` are triples for one token after a short prompt: few layers, many, few with the true vocabulary.
    ``deep`` are pairs for one token: few layers with ``DEPTH_TOKENS`` before it, many layers after a short prompt.
    ``prompts`` are pairs for ``PROMPT_TOKENS``: few layers, many. ``rests`` are the times of the tokens from there to
    ``DEPTH_TOKENS`` on few layers, each with the time of the first ``PROMPT_TOKENS`` just before.
    """

    shallow: tuple[tuple[float, float, float], ...]
    deep: tuple[tuple[float, float], ...]
    prompts: tuple[tuple[float, float], ...]
    rests: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """What one layer is made of; ``attention_flops`` for each token that is in the context."""

    weights_bytes: float
    parameters: float
    attention_flops: float


def time_layers(few: Timed, many: Timed, head: Timed, repeats: int) -> LayerTimes:
    """Run the engines in turns.

    Args:
        few: on the small number of layers, with a small vocabulary.
        many: on the larger number, with the same.
        head: on the small number, with the true vocabulary.
        repeats: turns; up to three times as many on a machine where they scatter.

    Raises:
        EngineError: one of them failed.
    """
    for engine in (few, many, head):
        engine.decode_ms()  # not counted: pages are read and weights are repacked on first use
    shallow: list[tuple[float, float, float]] = []

    def take_turns(count: int) -> None:
        shallow.extend((few.decode_ms(), many.decode_ms(), head.decode_ms()) for _ in range(count))

    take_turns(repeats - repeats // 2)
    prompts, rests = _time_prompts(few, many)
    turns = range(max(repeats // _DEEP_SHARE, 1))
    deep = tuple((few.decode_ms(DEPTH_TOKENS, turn=_PROMPTS), many.decode_ms()) for _ in turns)
    take_turns(repeats // 2)  # some seconds later, so that no slow moment hits more than a half
    while len(shallow) < _MOST_TIMES * repeats and _spread([large - small for small, large, _ in shallow]) > _NOISY:
        take_turns(repeats)
    return LayerTimes(tuple(shallow), deep, prompts, rests)


def _time_prompts(few: Timed, many: Timed) -> tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]]:
    """``prompts`` and ``rests``; the long prompt stays in the cache of ``few``."""
    prompts = tuple(
        (few.prefill_ms(PROMPT_TOKENS, turn), many.prefill_ms(PROMPT_TOKENS, turn)) for turn in range(_PROMPTS)
    )
    first = few.prefill_ms(PROMPT_TOKENS, _PROMPTS)
    rests = ((few.prefill_ms(DEPTH_TOKENS, _PROMPTS), first),)
    few.decode_ms(DEPTH_TOKENS, turn=_PROMPTS)
    return prompts, rests


def calibration_of(
    times: LayerTimes, *, layers: tuple[int, int], conditions: Conditions, quant: str, shape: str, layer: Layer
) -> Calibration:
    """Slopes and intercepts of ``times``; what noise makes negative counts as zero."""
    few, more = layers[0], layers[1] - layers[0]
    small, large, whole = (statistics.median(turn[place] for turn in times.shallow) for place in range(3))
    slope = max((large - small) / more, 0.0)
    head, beside = max(whole - small, 0.0), max(small - few * slope, 0.0)
    deeper = large * statistics.median(deep / many for deep, many in times.deep) - small
    attention = max(deeper / (few * DEPTH_TOKENS), 0.0)
    prefill, fixed, prefill_attention = _prefill(times, few, more)
    return Calibration(
        conditions=conditions,
        quant=quant,
        shape_key=shape,
        layer_bytes=layer.weights_bytes,
        layer_parameters=layer.parameters,
        attention_flops=layer.attention_flops,
        ms_per_layer=slope,
        ms_fixed=beside + head,
        attention_ms=attention,
        prefill_ms=prefill,
        prefill_ms_fixed=fixed + head,
        prefill_attention_ms=prefill_attention,
        spread=_spread([large - small for small, large, _ in times.shallow]),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _prefill(times: LayerTimes, few: int, more: int) -> tuple[float, float, float]:
    """Milliseconds of a token in a layer at no depth, once a prompt, and more for each token before it."""
    level = statistics.median(small for small, _ in times.prompts)
    growth = statistics.median(many / small for small, many in times.prompts) - 1
    near = max(level * growth / (more * PROMPT_TOKENS), 0.0)
    fixed = max(level - few * near * PROMPT_TOKENS, 0.0)
    apart = DEPTH_TOKENS - PROMPT_TOKENS
    slower = statistics.median(
        (rest - fixed) / apart / max((first - fixed) / PROMPT_TOKENS, 1e-9) for rest, first in times.rests
    )
    attention = max(near * (slower - 1) / (DEPTH_TOKENS / 2), 0.0)  # the mean depths are half of both lengths apart
    return max(near - attention * PROMPT_TOKENS / 2, 0.0), fixed, attention


def _spread(values: Sequence[float]) -> float:
    """Half the distance of the quartiles, relative to the median; 0 for fewer than two values."""
    middle = statistics.median(values)
    if len(values) < 2 or middle <= 0:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2 / middle
