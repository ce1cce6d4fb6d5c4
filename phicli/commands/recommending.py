"""The steps of ``phi recommend``: look at the machine, weigh the candidates, time the engine where that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from phicli.catalog.types import Variant
from phicli.errors import UsageError
from phicli.fit.calibration import Calibration
from phicli.fit.gates import check_request
from phicli.fit.types import Assessment, Candidate, Request
from phicli.hardware.types import Machine
from phicli.plan.recommendation import OnThisMachine, Report, SpeedOf, make_report

if TYPE_CHECKING:
    from phicli.plan.description import VariantDescription
    from phicli.plan.file_description import FileDescription


@dataclass(frozen=True, slots=True)
class MachineOptions:
    """A machine described on the command line, as typed; nothing given means the machine at hand."""

    ram: str | None = None
    vram: str | None = None
    cores: int | None = None
    bandwidth: str | None = None
    profile: str | None = None

    @property
    def simulated(self) -> bool:
        """Anything was given."""
        return any(one is not None for one in (self.ram, self.vram, self.cores, self.bandwidth, self.profile))


def wanted(request: Request, max_size: str | None) -> Request:
    """``request`` with ``--max-size`` as typed, checked before the machine is looked at.

    Raises:
        UsageError: something in it makes no sense.
    """
    if max_size is not None:
        from phicli.hardware.sizes import parse_size

        request = replace(request, max_size_bytes=parse_size(max_size, "--max-size"))
    if request.kv_type is not None:
        request = replace(request, kv_type=request.kv_type.lower())
    check_request(request)
    return request


def report_for(
    request: Request, options: MachineOptions, *, calibrate: bool = False, tell: Callable[[str], None] | None = None
) -> Report:
    """The recommendation for the machine that ``options`` describe.

    Args:
        request: what is wanted.
        options: the machine.
        calibrate: time the engine on layers of the picks first, and keep what was found.
        tell: is told in words what takes long.

    Raises:
        UsageError: the machine is simulated and was to be calibrated, or the request or the machine makes no sense.
        PhiError: see :func:`phicli.plan.recommendation.make_report`.
    """
    if calibrate and options.simulated:
        raise UsageError("--calibrate needs the machine at hand, and this one is simulated", "leave one of them out")
    machine = machine_of(options)
    report = _weighed(machine, request)
    if not calibrate:
        return report
    from phicli.bench.store import save_calibration

    for pick in report.found.picks:
        calibration = _calibrated(pick.assessment, machine, tell or (lambda _: None))
        if calibration is not None:
            save_calibration(calibration)
    return _weighed(machine, request)


def machine_of(options: MachineOptions) -> Machine:
    """The machine that was described, else the one at hand.

    Raises:
        UsageError: a value makes no sense.
    """
    if options.simulated:
        from phicli.hardware.simulation import simulate

        return simulate(
            ram=options.ram,
            vram=options.vram,
            cores=options.cores,
            bandwidth=options.bandwidth,
            profile=options.profile,
        )
    from phicli.hardware.machine import probe
    from phicli.hub.cache import cache_folder

    return probe(cache=cache_folder())


def quant_for(variant: Variant) -> str | None:
    """The quantisation of ``variant`` to download for the machine at hand; None when none that is known fits."""
    from phicli.plan.recommendation import recommended_quant

    machine = machine_of(MachineOptions())
    found, speed_of = _ingredients(machine, Request())
    return recommended_quant(variant, machine, found, speed_of)


def look_here(
    shown: VariantDescription | FileDescription, options: MachineOptions | None = None
) -> tuple[VariantDescription | FileDescription, OnThisMachine | None]:
    """What is shown, with what is recommended for the machine that ``options`` describe, and what it takes there.

    The latter is None for what cannot run; then no machine is looked at.
    """
    from phicli.plan.description import on_machine

    if shown.variant is not None and not shown.variant.runs_here:
        return shown, None
    machine = machine_of(options or MachineOptions())
    return on_machine(shown, machine, _speeds(machine, Request()))


def _weighed(machine: Machine, request: Request) -> Report:
    found, speed_of = _ingredients(machine, request)
    return make_report(machine, request, found, speed_of)


def _ingredients(machine: Machine, request: Request) -> tuple[tuple[Candidate, ...], SpeedOf]:
    """The candidates, and the speed model."""
    from phicli.catalog.load import catalog
    from phicli.plan.candidates import candidates
    from phicli.plan.installed import installed_models

    return candidates(catalog(), installed_models(catalog())), _speeds(machine, request)


def _speeds(machine: Machine, request: Request) -> SpeedOf:
    """The speed model with all that was measured on this machine before."""
    from phicli.bench.store import load_calibrations, load_measurements
    from phicli.fit.speed import speed_model

    here = machine.simulated is None
    return speed_model(
        machine,
        prompt_tokens=request.prompt_tokens,
        calibrations=load_calibrations(machine.cpu.name) if here else (),
        measurements=load_measurements(machine.cpu.name) if here else (),
    )


def _calibrated(one: Assessment, machine: Machine, tell: Callable[[str], None]) -> Calibration | None:
    """Times of the engine for ``one``, None where no file of its kind can be made or where it shares two devices."""
    from phicli.bench.calibrate import Setting, calibrate, can_calibrate

    candidate = one.candidate
    on_gpu = one.gpu_layers > candidate.shape.layers
    if not can_calibrate(candidate.variant, candidate.quant) or (one.gpu_layers and not on_gpu):
        return None
    name = f"{candidate.variant.id}:{candidate.quant.lower()}"
    setting = Setting(
        threads=machine.cpu.physical_cores,
        repack=one.memory.repack_bytes > 0,
        gpu_layers=one.gpu_layers,
        device=next((gpu.name for gpu in machine.gpus if gpu.usable), "cpu") if on_gpu else "cpu",
    )

    def on_step(step: str) -> None:
        tell(f"calibrating {name}: {step}")

    return calibrate(candidate, machine.cpu, setting, on_step=on_step)
