"""What a checkup of this installation found, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from phicli.engine.used_kernels import InUse
from phicli.errors import PhiError
from phicli.hardware.native_gains import kernels_note
from phicli.hardware.types import Machine


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong: a stable name, what it is, and what to do about it."""

    code: str
    message: str
    hint: str

    @classmethod
    def of(cls, code: str, error: PhiError) -> Problem:
        """What ``error`` says, under the name ``code``."""
        return cls(code, error.message, error.hint)


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """The default engine: its build, and the instruction sets it was built for; empty where it could not be asked.

    ``in_use`` says whether it computes with native kernels, and why.
    """

    build: str
    kernels: tuple[str, ...]
    in_use: InUse


@dataclass(frozen=True, slots=True)
class ProgramFacts:
    """An engine that is a program on PATH; ``build`` is None where ``failure`` says why it cannot be used."""

    name: str
    path: str
    build: str | None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class HubFacts:
    """The hub: ``reachable`` is None where it was not asked, because ``phi`` is offline.

    ``proxy`` is the address that requests go through and the variable that names it, without a password;
    ``certificates`` the variable that names certificates, and its value. None where there is none.
    """

    endpoint: str
    reachable: bool | None
    proxy: str | None
    certificates: str | None


@dataclass(frozen=True, slots=True)
class CacheFacts:
    """The cache of models: ``free_bytes`` of its disk is None where the system does not say."""

    path: Path
    writable: bool
    free_bytes: int | None


@dataclass(frozen=True, slots=True)
class Checkup:
    """Everything that was looked at, and the problems in the order in which they are worth mending.

    ``usable_bytes`` of memory may be planned with; None where it is unknown. ``answer_ms`` is what an answer of
    tiny-phi took, engine start included; None where there was none.
    """

    phi: str
    python: str
    huggingface_hub: str
    engine: EngineFacts
    programs: tuple[ProgramFacts, ...]
    machine: Machine
    usable_bytes: int | None
    hub: HubFacts
    cache: CacheFacts
    answer_ms: float | None
    problems: tuple[Problem, ...]

    @property
    def gain_note(self) -> str:
        """What native kernels would bring here, in one line; empty where that is nothing."""
        return kernels_note(self.machine.kernels)
