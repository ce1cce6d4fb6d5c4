"""A recommendation whose picks are timed first: ``phi recommend --calibrate``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from phicli.engine.settings import EngineSettings
from phicli.errors import UsageError
from phicli.fit.calibration import Calibration
from phicli.fit.types import Assessment, Request
from phicli.hardware.types import Machine
from phicli.plan.machine import MachineOptions, machine_of
from phicli.plan.recommend_here import report_on
from phicli.plan.recommendation import Report
from phicli.records.calibration_files import save_calibration

if TYPE_CHECKING:
    from phicli.bench.calibration.timing import Start

_ROUNDS: Final = 3


def calibrated_report(
    request: Request, options: MachineOptions, tell: Callable[[str], None], start: Start | None = None
) -> Report:
    """The recommendation with the engine timed on layers of the picks; what was found is saved.

    What is timed can make others the picks, which are timed then.

    Args:
        request: what is required.
        options: the machine, which has to be this one.
        tell: is told in words what takes long.
        start: starts the engine that is timed; tests give a scripted one.

    Raises:
        UsageError: the machine is simulated, or the request makes no sense.
        PhiError: as for :func:`phicli.plan.recommendation.make_report`, or the engine failed.
    """
    if options.simulated:
        raise UsageError(
            "--calibrate measures the real machine, so it cannot be used with a simulated one", "leave out one of them"
        )
    machine = machine_of(options)
    report = report_on(machine, request, tell)
    done: set[str] = set()
    found: list[Calibration] = []
    for _ in range(_ROUNDS):
        new = [pick.assessment for pick in report.found.picks if _name(pick.assessment) not in done]
        for one in new:
            done.add(_name(one))
            calibration = _calibrated(one, machine, tell, start)
            if calibration is not None:
                found.append(calibration)
                _save(calibration, tell)
        if not new:
            break
        report = report_on(machine, request, lambda _: None, found)
    return report


def _save(calibration: Calibration, tell: Callable[[str], None]) -> None:
    try:
        save_calibration(calibration)
    except OSError as error:
        tell(f"used for this run only: it could not be saved: {error.strerror or error}")


def _name(one: Assessment) -> str:
    return f"{one.candidate.variant.id}:{one.candidate.quant.lower()}"


def _calibrated(
    one: Assessment, machine: Machine, tell: Callable[[str], None], start: Start | None
) -> Calibration | None:
    """Times of the engine for ``one``, None where no file of its kind can be made or where it shares two devices."""
    from phicli.bench.calibration.calibrate import calibrate, can_calibrate
    from phicli.bench.calibration.timing import Setting, timed_engine

    candidate = one.candidate
    on_gpu = one.gpu_layers > candidate.shape.layers
    if not can_calibrate(candidate.variant, candidate.quant) or (one.gpu_layers and not on_gpu):
        return None
    setting = Setting(
        replace(
            EngineSettings.for_cores(machine.cpu.physical_cores),
            gpu_layers=one.gpu_layers,
        ),
        device=next((gpu.name for gpu in machine.gpus if gpu.usable), "cpu") if on_gpu else "cpu",
    )

    def on_step(step: str) -> None:
        tell(f"calibrating {_name(one)}: {step}")

    return calibrate(candidate, machine.cpu, setting, start=start or timed_engine, on_step=on_step)
