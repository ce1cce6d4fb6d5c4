"""The whole checkup."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable, Iterable, Iterator

import phicli
from phicli.doctor.answer_check import ask_toy
from phicli.doctor.folder_check import cache_facts, cache_problems, state_problems
from phicli.doctor.hub_check import check_hub
from phicli.doctor.machine_check import (
    ask_with_kernels,
    engine_problems,
    gpu_problems,
    kernels_problems,
    memory_problems,
)
from phicli.doctor.program_check import programs_on_path
from phicli.doctor.types import Checkup, EngineFacts, Problem
from phicli.engine.starting import build_of
from phicli.engine.used_kernels import installed_kernels
from phicli.errors import DoesNotFitError, PhiError
from phicli.fit.memory import usable_bytes
from phicli.fit.types import Request
from phicli.hardware.machine import probe
from phicli.hardware.types import Machine
from phicli.hub.cache import cache_folder
from phicli.paths import config_dir, data_dir, state_dir
from phicli.plan.machine import with_kernels
from phicli.plan.recommend_here import report_on
from phicli.remotes.known import problems as remotes_problems

OnStep = Callable[[str], None]
"""Told what is looked at next."""


def examine(on_step: OnStep, settings_errors: Callable[[], Iterable[PhiError]]) -> Checkup:
    """Look at everything; what is wrong is in ``problems``, nothing is raised for it.

    Args:
        on_step: see :data:`OnStep`.
        settings_errors: what is wrong with the settings, which the commands know; it may raise one instead.
    """
    on_step("checking the engine")
    answer = ask_with_kernels(installed_kernels().path)
    on_step("measuring the memory")
    machine = probe(cache=cache_folder(), engine_devices=lambda: answer)
    problems = list(engine_problems(build_of(), answer, machine.cpu.instruction_sets))
    answer_ms = None
    if not problems:
        on_step("waiting for an answer from tiny-phi")
        answer_ms, wrong = ask_toy()
        problems += [wrong] if wrong else []
    in_use, machine = installed_kernels(), with_kernels(machine, lambda: answer)  # now that they were tried
    problems += kernels_problems(in_use)
    on_step("checking the hub")
    hub, unreachable = check_hub()
    cache = cache_facts(cache_folder())
    problems += [*_about_machine(machine), *cache_problems(cache), *_about_files(settings_errors)]
    problems += [unreachable] if unreachable else []
    return Checkup(
        phi=phicli.__version__,
        python=platform.python_version(),
        huggingface_hub=importlib.metadata.version("huggingface_hub"),
        engine=EngineFacts(build_of(), answer.kernels, in_use),
        programs=tuple(programs_on_path()),
        machine=machine,
        usable_bytes=usable_bytes(machine.memory) if machine.memory else None,
        hub=hub,
        cache=cache,
        answer_ms=answer_ms,
        problems=tuple(problems),
    )


def _about_machine(machine: Machine) -> Iterator[Problem]:
    yield from memory_problems(machine)
    yield from gpu_problems(machine)
    if machine.memory is not None:
        try:
            report_on(machine, Request(), lambda _: None)
        except DoesNotFitError as error:
            yield Problem.of("memory_too_small", error)


def _about_files(settings_errors: Callable[[], Iterable[PhiError]]) -> Iterator[Problem]:
    try:
        yield from (Problem.of("settings_broken", error) for error in settings_errors())
    except PhiError as error:
        yield Problem.of("settings_broken", error)
    yield from (Problem.of("remotes_broken", error) for error in remotes_problems())
    yield from state_problems({"settings": config_dir(), "measurements": data_dir(), "history": state_dir()})
