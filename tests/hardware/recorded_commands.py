"""Programs that answer from a record, in place of those of the system."""

from __future__ import annotations

import json
from collections.abc import Sequence

from phicli.hardware.commands import Output
from phicli.hardware.engine_answer import EngineAnswer, parse_answer

GIB = 1 << 30


class Recorded:
    """Answers by the name of the program; what has no answer is not installed. ``asked`` keeps what was started."""

    def __init__(self, **answers: Output | str) -> None:
        self.answers = {name.replace("_", "-"): answer for name, answer in answers.items()}
        self.answers |= {name: answer for name, answer in answers.items() if name == "vm_stat"}
        self.asked: list[list[str]] = []

    def has(self, name: str) -> bool:
        return name in self.answers

    def __call__(self, arguments: Sequence[str], limit_s: float) -> Output:
        self.asked.append(list(arguments))
        answer = self.answers.get(arguments[0])
        if answer is None:
            return Output("", f"{arguments[0]} cannot be started: No such file or directory")
        return Output(answer) if isinstance(answer, str) else answer


def device(
    name: str, description: str, total: float, free: float, kind: str = "GPU", address: str = ""
) -> dict[str, object]:
    """A device as the engine's script lists it; sizes in GiB."""
    sizes = {"total_bytes": int(total * GIB), "free_bytes": int(free * GIB)}
    return {"name": name, "description": description, "kind": kind, "device_id": address, **sizes}


CPU_DEVICE = device("CPU", "AMD EPYC", 24, 24, "CPU")


def engine(*devices: dict[str, object]) -> EngineAnswer:
    """The engine's answer with these devices beside the processor."""
    return parse_answer("ggml_cuda_init: found devices\n" + json.dumps([CPU_DEVICE, *devices]) + "\n")
