"""``phi doctor``: what was looked at, then what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from phicli.doctor.types import Checkup
from phicli.errors import CheckFailedError
from phicli.ui.envelope import print_result
from phicli.ui.sections import Section, print_page
from phicli.ui.terminal import Terminal
from phicli.units import counted, format_bytes

_NOT_USED = ("AVX512F", "AVX512_VNNI", "AVX512_BF16", "AMX", "DOTPROD", "I8MM", "SVE")
"""Instruction sets that would make the engine faster."""


def print_checkup(terminal: Terminal, checkup: Checkup, *, as_json: bool) -> None:
    """The checkup to standard output.

    Raises:
        CheckFailedError: something is wrong.
        OutputClosedError: the reader has closed it.
    """
    if not as_json:
        problems = Section("Problems", points=tuple(f"{one.message} → {one.hint}" for one in checkup.problems))
        print_page(terminal, f"phi {checkup.phi}", [Section("", facts=tuple(_facts(checkup))), problems])
    elif not checkup.problems:
        print_result(terminal, "doctor", _data(checkup))
    if checkup.problems:
        number = counted(len(checkup.problems), "problem")
        raise CheckFailedError(f"{number} found", checkup.problems[0].hint, data=_data(checkup) if as_json else None)


def _facts(checkup: Checkup) -> Iterator[tuple[str, str]]:
    machine, hub, cache = checkup.machine, checkup.hub, checkup.cache
    yield "engine", checkup.engine.build + _kernels(checkup)
    for program in checkup.programs:
        yield "other engine", f"{program.build} at {program.path}" if program.build else program.failure or ""
    yield "kernels", _kernels_in_use(checkup)
    yield "python", f"{checkup.python}, huggingface_hub {checkup.huggingface_hub}"
    yield "system", machine.system + (f", in a container ({machine.container})" if machine.container else "")
    yield "processor", f"{machine.cpu.name}, {counted(machine.cpu.physical_cores, 'core')}"
    for gpu in machine.gpus:
        yield "GPU", f"{gpu.name}: {'used' if gpu.usable else gpu.why_not or 'not used'}"
    if not machine.gpus:
        yield "GPU", "none found"
    if machine.memory is not None and checkup.usable_bytes is not None:
        usable, total = format_bytes(checkup.usable_bytes), format_bytes(machine.memory.total_bytes)
        yield "memory", f"{usable} of {total} usable ({machine.memory.source})"
    free = "" if cache.free_bytes is None else f", {format_bytes(cache.free_bytes)} free"
    yield "cache", f"{cache.path}{free}{'' if cache.writable else ', read-only'}"
    reach = {True: "reachable", False: "not reachable", None: "not checked (offline)"}[hub.reachable]
    through = [word for word in (hub.proxy and f"proxy {hub.proxy}", hub.certificates) if word]
    yield "hub", ", ".join([f"{hub.endpoint}: {reach}", *through])
    if checkup.answer_ms is not None:
        yield "answer", f"tiny-phi took {checkup.answer_ms / 1000:.1f} s, engine start included"


def _kernels(checkup: Checkup) -> str:
    """What the engine was built for, and what else the processor has."""
    kernels = checkup.engine.kernels
    if not kernels:
        return ""
    idle = [name for name in _NOT_USED if name in checkup.machine.cpu.instruction_sets and name not in kernels]
    unused = f"; not used: {', '.join(idle)}" if idle else ""
    return f", built for {', '.join(kernels)}{unused}"


def _kernels_in_use(checkup: Checkup) -> str:
    """The kernels in use and the reason; also what a build would bring, unless a GPU does the work."""
    in_use, machine = checkup.engine.in_use, checkup.machine
    if in_use.kernels is not None:
        return f"native ({in_use.kernels.variant}), {in_use.reason}"
    gain = "" if in_use.notice or any(gpu.usable for gpu in machine.gpus) else checkup.gain_note
    return f"wheel: {in_use.reason}" + (f"; {gain}" if gain else "")


def _data(checkup: Checkup) -> dict[str, Any]:
    machine, memory, in_use = checkup.machine, checkup.machine.memory, checkup.engine.in_use
    return {
        "phi": checkup.phi,
        "python": checkup.python,
        "huggingface_hub": checkup.huggingface_hub,
        "engine": {
            "build": checkup.engine.build,
            "kernels": list(checkup.engine.kernels),
            "processor": list(machine.cpu.instruction_sets),
            "native": {
                "variant": in_use.kernels.variant if in_use.kernels else None,
                "reason": in_use.reason,
                "gain": asdict(machine.kernels.gain) if machine.kernels.gain else None,
            },
        },
        "other_engines": [asdict(program) for program in checkup.programs],
        "hub": asdict(checkup.hub),
        "gpu": [asdict(gpu) for gpu in machine.gpus],
        "memory": None if memory is None else {**asdict(memory), "usable_bytes": checkup.usable_bytes},
        "cache": {**asdict(checkup.cache), "path": str(checkup.cache.path)},
        "answer_ms": checkup.answer_ms and round(checkup.answer_ms, 1),
        "problems": [asdict(problem) for problem in checkup.problems],
    }
