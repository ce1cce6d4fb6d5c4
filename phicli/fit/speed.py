"""How fast a model is, in three grades that are always named.

*Estimated* follows from the bytes that a token reads, the arithmetic it needs and what a probe says of the machine
(:mod:`phicli.fit.estimate`), or from a calibration of something similar here. *Calibrated*: the engine was timed on a
few layers of this shape and quantization here. *Measured*: this file was benchmarked here, with its weights repacked
or not; the range is wider where the other of the two is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from phicli.fit.calibration import Calibration, Conditions, Measurement, shape_key
from phicli.fit.costs import Costs
from phicli.fit.estimate import estimated_costs
from phicli.fit.placement import Placement
from phicli.fit.types import Candidate, Speed
from phicli.fit.work import base_bytes_per_weight, head_bytes_per_weight, work_of
from phicli.hardware.types import Machine

SCALED_ERROR: Final = 0.20
CALIBRATED_ERROR: Final = 0.10
MEASURED_ERROR: Final = 0.05
"""Relative half-widths of the ranges; more where the runs themselves scattered more."""

_MOST_ERROR: Final = 0.60
_SAME_FILE: Final = 0.01


def speed_model(
    machine: Machine,
    *,
    prompt_tokens: int,
    threads: int | None = None,
    calibrations: Sequence[Calibration] = (),
    measurements: Sequence[Measurement] = (),
) -> Callable[[Candidate, Placement], Speed]:
    """A function that gives the best grade there is for a candidate in its place.

    Args:
        machine: what it runs on. Of a simulated machine nothing is known: then the next two are not used.
        prompt_tokens: length of the prompt whose time to the first token is told.
        threads: of the engine; the physical cores when None.
        calibrations: those of the installed engine, the newest first.
        measurements: the same of whole files.
    """
    if machine.simulated is not None:
        calibrations, measurements = (), ()
    cores = threads or machine.cpu.physical_cores

    def speed(candidate: Candidate, placement: Placement) -> Speed:
        def holds(one: Conditions) -> bool:
            usual = (one.cpu, one.threads) == (machine.cpu.name, cores)
            return usual and _same_device(one, candidate, placement, machine)

        def same_layout(one: Conditions) -> bool:
            return _same_layout(one, candidate, placement)

        here = [one for one in calibrations if holds(one.conditions) and same_layout(one.conditions)]
        runs = [one for one in measurements if holds(one.conditions)]
        alike = [one for one in runs if same_layout(one.conditions)]
        costs = (
            calibrated_costs(candidate, here)
            or scaled_costs(candidate, here)
            or estimated_costs(candidate, machine, placement)
        )
        costs = (
            measured_costs(candidate, alike, costs)
            or measured_costs(candidate, runs, costs, least_error=CALIBRATED_ERROR)
            or costs
        )
        return _speed(costs, candidate, machine, placement, prompt_tokens)

    return speed


def estimate(candidate: Candidate, machine: Machine, placement: Placement, *, prompt_tokens: int) -> Speed:
    """The estimated grade alone."""
    return _speed(estimated_costs(candidate, machine, placement), candidate, machine, placement, prompt_tokens)


def _speed(costs: Costs, candidate: Candidate, machine: Machine, placement: Placement, prompt_tokens: int) -> Speed:
    """``costs`` as rates; with native kernels where the processor has a part in it."""
    native = bool(machine.kernels.instruction_sets) and 0 <= placement.gpu_layers <= candidate.shape.layers
    speed = costs.speed(context_tokens=placement.context_tokens, prompt_tokens=prompt_tokens)
    return replace(speed, native=native)


def calibrated_costs(candidate: Candidate, calibrations: Sequence[Calibration]) -> Costs | None:
    """Slope times layers plus intercept, from the newest calibration of this shape and quantization; None without one.

    The slope is for the bytes of the timed layers: a file whose layers have more or fewer on average takes more or
    less in proportion.
    """
    wanted = (shape_key(candidate.shape), candidate.quant)
    found = next((one for one in calibrations if (one.shape_key, one.quant) == wanted), None)
    if found is None:
        return None
    work = work_of(candidate)
    layers = work.layer_bytes / found.layer_bytes
    return Costs(
        token=found.ms_fixed + layers * found.ms_per_layer,
        depth_token=work.layers * found.attention_ms,
        prompt=found.prefill_ms_fixed,
        prompt_token=work.layers * found.prefill_ms,
        prompt_depth_token=work.layers * found.prefill_attention_ms,
        method="calibrated",
        error=min(CALIBRATED_ERROR + found.spread, _MOST_ERROR),
    )


def scaled_costs(candidate: Candidate, calibrations: Sequence[Calibration]) -> Costs | None:
    """From the nearest calibration of another quantization or shape: in proportion to bytes and to arithmetic.

    The nearest is of the same shape if there is one, then of about as many bits. This is an estimate.
    """
    if not calibrations:
        return None
    own, bits = shape_key(candidate.shape), base_bytes_per_weight(candidate.quant)

    def distance(one: Calibration) -> tuple[bool, float]:
        return one.shape_key != own, abs(base_bytes_per_weight(one.quant) - bits)

    nearest, work = min(calibrations, key=distance), work_of(candidate)
    ms_per_byte = nearest.ms_per_layer / nearest.layer_bytes
    if nearest.shape_key == own:
        ratio = head_bytes_per_weight(candidate.quant) / head_bytes_per_weight(nearest.quant)
        head = nearest.ms_fixed * ratio
    else:
        head = work.head_bytes * ms_per_byte
    attention = work.attention_flops_per_token / nearest.attention_flops
    return Costs(
        token=head + work.layer_bytes * ms_per_byte,
        depth_token=attention * nearest.attention_ms,
        prompt=nearest.prefill_ms_fixed,
        prompt_token=work.layer_parameters / nearest.layer_parameters * nearest.prefill_ms,
        prompt_depth_token=attention * nearest.prefill_attention_ms,
        method="estimated",
        error=min(SCALED_ERROR + nearest.spread, _MOST_ERROR),
    )


def measured_costs(
    candidate: Candidate, measurements: Sequence[Measurement], below: Costs, *, least_error: float = MEASURED_ERROR
) -> Costs | None:
    """From benchmark runs of this file; what they do not say has the proportions of ``below``, the next lower grade.

    With runs at two depths the depth costs what they say, else what ``below`` says. The range is ``least_error``
    wide, or more where the runs scattered more.
    """
    runs = [one for one in measurements if _is_of(one, candidate) and one.decode_tps > 0]
    if not runs:
        return None
    newest: dict[int, Measurement] = {}
    for run in runs:
        newest.setdefault(run.depth_tokens, run)
    first, *_, last = (*(newest[depth] for depth in sorted(newest)), newest[max(newest)])
    depth_token = below.depth_token
    if last.depth_tokens > first.depth_tokens:
        between = last.depth_tokens - first.depth_tokens
        depth_token = max((1000 / last.decode_tps - 1000 / first.decode_tps) / between, 0.0)
    ratio = 1.0
    if first.prefill_tps > 0 and first.prompt_tokens > 0:
        ratio = 1000 * first.prompt_tokens / first.prefill_tps / below.prompt_ms(first.prompt_tokens)
    return replace(
        below,
        token=1000 / first.decode_tps - first.depth_tokens * depth_token,
        depth_token=depth_token,
        prompt=below.prompt * ratio,
        prompt_token=below.prompt_token * ratio,
        prompt_depth_token=below.prompt_depth_token * ratio,
        method="measured",
        published=False,
        least=0.0,
        error=min(max(least_error, 2 * first.decode_stdev_tps / first.decode_tps), _MOST_ERROR),
    )


def _same_device(one: Conditions, candidate: Candidate, placement: Placement, machine: Machine) -> bool:
    """Whether the weights were where they would be."""
    if placement.gpu_layers:
        whole = placement.gpu_layers < 0 or placement.gpu_layers > candidate.shape.layers
        return whole and any(gpu.usable and gpu.name == one.device for gpu in machine.gpus)
    return one.device == "cpu"


def _same_layout(one: Conditions, candidate: Candidate, placement: Placement) -> bool:
    """Whether the weights were in the same layout, if repacking makes a difference at all."""
    unmoved = placement.gpu_layers or candidate.shape.repackable_bytes == 0
    return bool(unmoved) or one.repack == (placement.memory.repack_bytes > 0)


def _is_of(one: Measurement, candidate: Candidate) -> bool:
    size = candidate.shape.weights_bytes
    same = one.variant_id in (candidate.variant.id, candidate.path) and one.quant == candidate.quant
    return same and abs(one.weights_bytes - size) <= _SAME_FILE * size
