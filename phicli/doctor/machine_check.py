"""What is wrong with a machine for its engine: instruction sets, GPUs, memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from phicli.doctor.types import Problem
from phicli.engine.engine_process import WORKER
from phicli.engine.starting import DEFAULT_ENGINE
from phicli.engine.used_kernels import BUILD_COMMAND, InUse
from phicli.errors import install_hint
from phicli.hardware.commands import SYSTEM, Commands
from phicli.hardware.engine_answer import EngineAnswer, ask_engine
from phicli.hardware.types import Machine


def ask_with_kernels(module: Path | None, run: Commands = SYSTEM) -> EngineAnswer:
    """What the engine says of itself with the native kernels in use, or without any where it cannot run with them."""
    answer = ask_engine(run, kernels=(WORKER, module) if module else None)
    return ask_engine(run) if module and answer.failure else answer


def kernels_problems(in_use: InUse) -> Iterator[Problem]:
    """Native kernels that were built and cannot be used: the engine runs, slower than it could."""
    if in_use.notice:
        yield Problem("kernels_unusable", in_use.reason, f"build them again: {BUILD_COMMAND}")


def engine_problems(build: str, answer: EngineAnswer, processor: Sequence[str]) -> Iterator[Problem]:
    """What keeps the engine from running at all.

    Args:
        build: as :func:`phicli.engine.starting.build_of` gives it.
        answer: what the engine says of itself.
        processor: the instruction sets of the processor; empty where they are unknown.
    """
    if build.endswith("(not installed)"):
        yield Problem("engine_missing", f"the engine is not installed: {build}", install_hint())
        return
    lacking = sorted(set(answer.kernels) - set(processor)) if processor else []
    if lacking:
        yield Problem(
            "engine_needs_instructions",
            f"the engine was built for {', '.join(lacking)}, which this processor does not have",
            f"build it for this processor: pip install --force-reinstall --no-binary {DEFAULT_ENGINE} {DEFAULT_ENGINE}",
        )
    elif answer.failure:
        yield Problem("engine_failed", answer.failure, f"install it again: {install_hint()}")


def gpu_problems(machine: Machine) -> Iterator[Problem]:
    """GPUs with memory of their own that the engine cannot use. Nothing is lost where one shares main memory."""
    for gpu in machine.gpus:
        if gpu.usable or gpu.unified:
            continue
        why, _, command = (gpu.why_not or "no driver").rpartition(": ")
        yield Problem("gpu_unused", f"{gpu.name} is not used: {why or command}", command if why else "")


def memory_problems(machine: Machine) -> Iterator[Problem]:
    """Memory that nobody tells of."""
    if machine.memory is None:
        why = machine.sources.get("memory", "no source")
        hint = "name it in the command: phi recommend --ram 16G"
        yield Problem("memory_unknown", f"the memory size is unknown: {why}", hint)
