"""The steps of ``phi recommend``: look at the machine, weigh the candidates, time the engine where that is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from phicli.catalog.types import Variant
from phicli.errors import UsageError
from phicli.fit.calibration import Calibration
from phicli.fit.requirements import check_request
from phicli.fit.types import USUAL_PROMPT_TOKENS, Assessment, Candidate, Request
from phicli.hardware.types import Machine
from phicli.plan.recommendation import OnThisMachine, Report, SpeedOf, make_report

if TYPE_CHECKING:
    from phicli.bench.calibration.timing import Start
    from phicli.plan.description import VariantDescription
    from phicli.plan.file_description import FileDescription

_ROUNDS: Final = 3


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
    if request.context_tokens is not None and request.prompt_tokens == USUAL_PROMPT_TOKENS:  # as good as not given
        request = replace(request, prompt_tokens=min(USUAL_PROMPT_TOKENS, request.context_tokens // 2))
    check_request(request)
    return request


def report_for(
    request: Request,
    options: MachineOptions,
    *,
    calibrate: bool = False,
    tell: Callable[[str], None] | None = None,
    start: Start | None = None,
) -> Report:
    """The recommendation for the machine that ``options`` describe.

    Args:
        request: what is wanted.
        options: the machine.
        calibrate: time the engine on layers of the picks first, and keep what was found.
        tell: is told in words what takes long.
        start: starts the engine that is timed; tests give a scripted one.

    Raises:
        UsageError: the machine is simulated and was to be calibrated, or the request or the machine makes no sense.
        PhiError: see :func:`phicli.plan.recommendation.make_report`.
    """
    if calibrate and options.simulated:
        raise UsageError("--calibrate needs the machine at hand, and this one is simulated", "leave one of them out")
    machine = machine_of(options)
    report = _weighed(machine, request)
    return _calibrated_report(machine, request, report, tell or (lambda _: None), start) if calibrate else report


def _calibrated_report(
    machine: Machine, request: Request, report: Report, tell: Callable[[str], None], start: Start | None
) -> Report:
    """The recommendation with the picks timed. What is timed can make others the picks, which are timed then."""
    from phicli.records.calibration_files import save_calibration

    done: set[str] = set()
    found: list[Calibration] = []
    for _ in range(_ROUNDS):
        new = [pick.assessment for pick in report.found.picks if pick.assessment.candidate.name not in done]
        for one in new:
            done.add(one.candidate.name)
            calibration = _calibrated(one, machine, tell, start)
            if calibration is None:
                continue
            found.append(calibration)
            try:
                save_calibration(calibration)
            except OSError as error:
                tell(f"it holds for this once, as it cannot be kept: {error.strerror or error}")
        if not new:
            break
        report = _weighed(machine, request, found)
    return report


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
    found, speed_of = _ingredients(machine, Request(), variant)
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


def _weighed(machine: Machine, request: Request, calibrations: Sequence[Calibration] = ()) -> Report:
    """The recommendation with what was measured before, and ``calibrations`` that were made just now."""
    found, speed_of = _ingredients(machine, request, calibrations=calibrations)
    return make_report(machine, request, found, speed_of)


def _ingredients(
    machine: Machine, request: Request, variant: Variant | None = None, *, calibrations: Sequence[Calibration] = ()
) -> tuple[tuple[Candidate, ...], SpeedOf]:
    """The candidates, or those of ``variant`` alone, and the speed model."""
    from phicli.catalog.load import catalog
    from phicli.fit.repacking import repacked_types
    from phicli.plan.candidates import candidates
    from phicli.plan.installed import installed_models

    book = catalog()
    able = (one for one in book.variants if one.runs_here and not one.packaged_file)  # a toy is no choice
    wanted = replace(book, variants=tuple(able) if variant is None else (variant,))
    found = candidates(wanted, installed_models(book), repacked=repacked_types(machine))
    return found, _speeds(machine, request, calibrations)


def _speeds(machine: Machine, request: Request, just_made: Sequence[Calibration] = ()) -> SpeedOf:
    """The speed model with all that was measured on this machine before, as ``phi chat`` would set the engine."""
    from phicli.fit.speed import speed_model

    if machine.simulated is not None:
        return speed_model(machine, prompt_tokens=request.prompt_tokens)
    from phicli.engine.build import engine_build
    from phicli.plan.tuned_speed import as_tuned
    from phicli.records.calibration_files import load_calibrations, load_measurements
    from phicli.records.tuned_files import Conditions, all_tuned

    cpu = machine.cpu
    calibrations, measurements = (*just_made, *load_calibrations(cpu.name)), load_measurements(cpu.name)

    def with_threads(threads: int | None) -> SpeedOf:
        return speed_model(
            machine,
            prompt_tokens=request.prompt_tokens,
            threads=threads,
            calibrations=calibrations,
            measurements=measurements,
        )

    return as_tuned(with_threads, all_tuned(Conditions(cpu.name, cpu.physical_cores, engine_build())))


def _calibrated(
    one: Assessment, machine: Machine, tell: Callable[[str], None], start: Start | None
) -> Calibration | None:
    """Times of the engine for ``one``, None where no file of its kind can be made or where it shares two devices."""
    from phicli.bench.calibration.calibrate import calibrate, can_calibrate
    from phicli.bench.calibration.timing import Setting, start_engine

    candidate = one.candidate
    on_gpu = one.gpu_layers > candidate.shape.layers
    if not can_calibrate(candidate.variant, candidate.quant) or (one.gpu_layers and not on_gpu):
        return None
    setting = Setting(
        threads=machine.cpu.physical_cores,
        repack=one.memory.repack_bytes > 0,
        gpu_layers=one.gpu_layers,
        device=next((gpu.name for gpu in machine.gpus if gpu.usable), "cpu") if on_gpu else "cpu",
    )

    def on_step(step: str) -> None:
        tell(f"calibrating {one.candidate.name}: {step}")

    return calibrate(candidate, machine.cpu, setting, start=start or start_engine, on_step=on_step)
