"""The speed model with all that was measured on this machine before: calibrations, benchmarks, tuned settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from phicli.fit.assessing import SpeedOf
from phicli.fit.calibration import Calibration
from phicli.fit.speed import speed_model
from phicli.hardware.types import Machine


def known_speed(
    machine: Machine,
    *,
    prompt_tokens: int,
    tell: Callable[[str], None],
    just_made: Sequence[Calibration] = (),
) -> SpeedOf:
    """The speed of each file as ``phi chat`` would run it on ``machine``.

    Args:
        machine: what it runs on; of a simulated one nothing was measured.
        prompt_tokens: length of the prompt whose time to the first token is told.
        tell: is told in words what a person should know about the saved measurements.
        just_made: calibrations that come before the saved ones.
    """
    if machine.simulated is not None:
        return speed_model(machine, prompt_tokens=prompt_tokens)
    from phicli.engine.starting import build_of
    from phicli.plan.tuned_speed import as_tuned
    from phicli.records.calibration_files import load_calibrations
    from phicli.records.speeds import load_speeds
    from phicli.records.tuned_content import TuningConditions
    from phicli.records.tuned_files import all_tuned

    cpu, build = machine.cpu, build_of()
    calibrations, speeds = (*just_made, *load_calibrations(cpu.name, build)), load_speeds(cpu.name, build)
    for notice in speeds.notices:
        tell(notice)

    def with_threads(threads: int | None) -> SpeedOf:
        return speed_model(
            machine,
            prompt_tokens=prompt_tokens,
            threads=threads,
            calibrations=calibrations,
            measurements=speeds.measurements,
        )

    return as_tuned(with_threads, all_tuned(TuningConditions(cpu.name, cpu.physical_cores, build)))
