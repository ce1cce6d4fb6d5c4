"""Builds native kernels: decides whether a build can bring anything, compiles, tests and saves the module."""

from __future__ import annotations

import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.engine.kernels import Kernels, folder_of, kernels_folder, read_choice, read_manifest
from phicli.engine.package import ENGINE_PACKAGE, engine_version
from phicli.engine.processor import processor_name
from phicli.engine.used_kernels import kernels_in_use, unsupported, why_not
from phicli.errors import DoesNotFitError, EngineError, IntegrityError, NotFoundError, UsageError, install_hint
from phicli.hardware.cpu_facts import describe_cpu
from phicli.hardware.kernel_variants import TRIED, Variant, worth_building
from phicli.hardware.memory import available_memory
from phicli.hardware.types import Cpu
from phicli.kernels import tools
from phicli.kernels.compiling import compile_module
from phicli.kernels.probing import Facts, check_module, facts_of_engine
from phicli.kernels.saving import alone, forbids_programs, keep, put, sealed, temporary_folder
from phicli.kernels.sources import Sources, archive_in, given_archive, unpack
from phicli.kernels.trial import run_trial
from phicli.kernels.watch import Watch
from phicli.units import format_bytes

_BYTES_PER_JOB: Final = 1 << 30
"""Memory that a compiler takes for the largest of the files."""

_TEMPORARY_BYTES: Final = 192 << 20
"""Disk space for the unpacked sources, the compiled files and the model of the trial."""
_DOWNLOAD_BYTES: Final = 192 << 20
"""Disk space for the source archive, and for pip with cmake and ninja."""
_SAVED_BYTES: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a build: the saved kernels, or None, and the reason in words.

    ``built`` when they were compiled now. ``gains`` are the instruction sets that they use and the wheel's do not.
    ``in_use`` when the engine uses them from now on. ``ratios`` are the speeds of the trial for prompts and
    generation, divided by those of the wheel, also where nothing was saved.
    """

    kernels: Kernels | None
    reason: str
    built: bool = False
    in_use: bool = False
    gains: tuple[str, ...] = ()
    ratios: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """The variant to build, for this engine and processor."""

    engine: str
    facts: Facts
    cpu: Cpu
    processor: str
    variant: Variant


def build(sdist: Path | None, watch: Watch, *, cpu: Cpu | None = None) -> Outcome:
    """Build, test and save native kernels for this processor, where there is anything to gain.

    Args:
        sdist: the source archive of the installed engine; None to download it with pip.
        watch: gets the steps.
        cpu: the processor to build for; this one when None.

    Raises:
        NotFoundError: a program, the archive, or the archive's place in the package index does not exist.
        NetworkError: the package index cannot be reached.
        DoesNotFitError: a disk is full.
        IntegrityError: the archive is damaged, or is not that of the installed engine.
        EngineError: the kernels cannot be compiled, fail their trial, or do not work on this system; or another build
            runs.
        UsageError: no code can be loaded from the folder of the kernels, or it cannot be written.
    """
    refuse_system()
    archive = None if sdist is None else given_archive(sdist)
    watch.phase("checking the processor and the engine")
    engine, facts = _engine()
    cpu, processor = cpu or describe_cpu()[0], processor_name()
    variants = worth_building(sys.platform, platform.machine(), cpu.instruction_sets, facts.features)
    if isinstance(variants, str):
        return Outcome(None, variants)
    compiler = tools.compiler()
    variant = _accepted(variants, compiler)
    gains = variant.gains(facts.features)
    if there := _built_before(engine, variant, processor):
        return Outcome(there, "already built", in_use=_in_use(there), gains=gains)
    plan = _Plan(engine, facts, cpu, processor, variant)
    with alone() as staging, temporary_folder(staging) as temporary:
        _check_place(temporary, _TEMPORARY_BYTES + (_DOWNLOAD_BYTES if archive is None else 0))
        return _build(plan, archive, staging, temporary, watch)


def refuse_system(platform: str = sys.platform) -> None:
    """Return if native kernels work on a system.

    Args:
        platform: ``sys.platform`` of the system.

    Raises:
        EngineError: they do not.
    """
    if problem := unsupported(platform):
        raise EngineError(problem, "there is nothing to do: phi uses the kernels of the wheel")


def _engine() -> tuple[str, Facts]:
    """The installed version of the engine, and what its own kernels were compiled for."""
    version = engine_version()
    if not version:
        raise NotFoundError(f"the package {ENGINE_PACKAGE} is not installed", install_hint())
    return version, facts_of_engine()


def _accepted(variants: tuple[Variant, ...], compiler: list[str]) -> Variant:
    """The best of ``variants`` that the compiler can compile.

    Raises:
        NotFoundError: it can compile none.
    """
    for variant in variants:
        if tools.accepts(compiler, variant.flags):
            return variant
    raise NotFoundError(
        f"the compiler {compiler[0]} is too old for this processor: it does not accept {' '.join(variants[-1].flags)}",
        f"install a newer one and name it: CXX=g++-12 phi engine build; or {tools.install_command('compiler')}",
    )


def _built_before(engine: str, variant: Variant, processor: str) -> Kernels | None:
    """The same kernels, if they are saved here and nothing is wrong with them; those that failed are built again."""
    kernels = read_manifest(folder_of(engine, variant.name, processor))
    return kernels if kernels is not None and why_not(kernels, engine, "native") is None else None


def _check_place(temporary: Path, needed_bytes: int) -> None:
    """Check the disk space and the file systems before anything is downloaded.

    Raises:
        UsageError: no code can be loaded from the folder of the kernels.
        DoesNotFitError: a disk does not have enough space.
    """
    for folder, least, way in (
        (temporary, needed_bytes, "set TMPDIR to a folder on another disk"),
        (kernels_folder(), _SAVED_BYTES, "set PHI_HOME to a folder on another disk"),
    ):
        free = shutil.disk_usage(folder).free
        if free < least:
            message = (
                f"a build needs {format_bytes(least)} on the disk of {folder}, but only {format_bytes(free)} are free"
            )
            raise DoesNotFitError(message, f"free some space, or {way}")
    if forbids_programs(kernels_folder()):
        raise UsageError(
            f"no code can be loaded from {kernels_folder()}: its file system is mounted with noexec",
            "set PHI_HOME to a folder on another file system",
        )


def _build(plan: _Plan, archive: Path | None, staging: Path, temporary: Path, watch: Watch) -> Outcome:
    """Compile and test below ``temporary`` and ``staging``; only what passes is saved elsewhere."""
    variant, gains = plan.variant, plan.variant.gains(plan.facts.features)
    if (sys.platform, platform.machine().lower()) not in TRIED:
        watch.notice("native kernels are untested on this kind of system; they are saved only if they pass their trial")
    cores = plan.cpu.physical_cores
    pip = tools.PipEnvironment(temporary, watch)
    sources = _sources(plan, archive, pip, temporary, watch)
    module = compile_module(
        sources, variant, tools.build_tools(pip), temporary,
        jobs=_jobs(cores), watch=watch,
    )  # fmt: skip
    module = put(module, staging)
    check_module(module, variant, plan.facts)
    trial = run_trial(module, variant.name, temporary, cores=cores, watch=watch)
    kernels = sealed(
        Kernels(
            path=module, variant=variant.name, engine=plan.engine, processor=plan.processor,
            instruction_sets=variant.instruction_sets, size_bytes=0, sha256="",
            prompt_ratio=trial.prompt_ratio, decode_ratio=trial.decode_ratio, sources_sha256=sources.sha256,
        )
    )  # fmt: skip
    ratios = (trial.prompt_ratio, trial.decode_ratio)
    if not kernels.is_faster and read_choice() != "native":
        why = "they are not faster than those of the wheel, so they were not saved"
        return Outcome(None, why, built=True, gains=gains, ratios=ratios)
    saved = keep(kernels)
    return Outcome(saved, "they passed their trial", built=True, in_use=_in_use(saved), gains=gains, ratios=ratios)


def _in_use(kernels: Kernels) -> bool:
    used = kernels_in_use(kernels.engine).kernels
    return used is not None and used.path == kernels.path


def _sources(plan: _Plan, archive: Path | None, pip: tools.PipEnvironment, temporary: Path, watch: Watch) -> Sources:
    """The sources of ggml for the installed engine.

    Raises:
        IntegrityError: they have another version of ggml than the wheel.
    """
    if archive is None:
        folder = temporary / "download"
        folder.mkdir()
        pip.download(ENGINE_PACKAGE, plan.engine, folder)
        archive = archive_in(folder, plan.engine)
    watch.phase("unpacking the sources")
    sources = unpack(archive, plan.engine, temporary / "sources")
    if sources.ggml_version != plan.facts.ggml_version:
        raise IntegrityError(
            f"the sources have ggml {sources.ggml_version}, but the installed engine has {plan.facts.ggml_version}",
            "use the kernels of the wheel: they were not compiled from these sources",
        )
    return sources


def _jobs(cores: int) -> int:
    """The number of compilers that run at a time: one for each core, or fewer if the memory is small."""
    memory = available_memory()
    return max(1, cores if memory is None else min(cores, memory.available_bytes // _BYTES_PER_JOB))
