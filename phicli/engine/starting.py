"""The engines that can run a model here: what each is called, where it is, what it can do and how it starts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from phicli.engine.abilities import NOTHING, Ability, abilities_of_load, abilities_of_settings, refuse_lacking
from phicli.engine.kernels import build_name
from phicli.engine.package import engine_version, version_of
from phicli.engine.types import LoadSettings, LocalEngine
from phicli.engine.used_kernels import kernels_in_use
from phicli.errors import EngineError, NotFoundError, UsageError, install_hint
from phicli.paths import expand, log_dir

if TYPE_CHECKING:
    from phicli.engine.engine_process import StartedProcess
    from phicli.engine.settings import EngineSettings

DEFAULT_ENGINE: Final = "xllamacpp"
"""The engine of ``phi chat``, called like the package it is installed with."""

LLAMA_SERVER: Final = "llama-server"
CTRANSFORMERS: Final = "ctransformers"
"""Called like the package, and like the extra of ``phi`` that installs it."""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine by its name, and where its program is; that on PATH when None."""

    name: str = DEFAULT_ENGINE
    program: Path | None = None


OnTick = Callable[[float], None]
"""Called about ten times a second while a call waits for the model, with the seconds waited."""


class StartEngine(Protocol):
    """What starts an engine: :func:`start_engine`, or a test's own."""

    def __call__(
        self, name: str, settings: LoadSettings, *, program: Path | None = None, on_tick: OnTick | None = None
    ) -> LocalEngine:
        """As :func:`start_engine`."""


@dataclass(frozen=True, slots=True)
class EngineKind:
    """An engine that can be started.

    ``program`` is the name of its program on PATH; None where it is a part of the installation. With
    ``starts_early`` its process can be started before it is known which file it will load. With
    ``uses_known_gpus`` it runs on the GPUs that :mod:`phicli.hardware.gpu` reports; another build has its own.
    ``lacks`` is what it cannot do; with :attr:`Ability.STATES` it is a :class:`~phicli.engine.types.KeepsState`. With
    ``optional`` it is a package that an extra of the same name installs. With ``reads_llama`` it gets a Phi-3 file in
    the tensors of ``llama`` (:mod:`phicli.gguf_file.llama_form`), and no other.
    """

    program: str | None
    starts_early: bool
    uses_known_gpus: bool
    build: Callable[[Path | None], str]
    start: Callable[[LoadSettings, Path | None, StartedProcess | None, OnTick | None], LocalEngine]
    lacks: frozenset[Ability] = NOTHING
    optional: bool = False
    reads_llama: bool = False


def start_engine(
    name: str,
    settings: LoadSettings,
    *,
    program: Path | None = None,
    early: StartedProcess | None = None,
    on_tick: OnTick | None = None,
) -> LocalEngine:
    """The engine called ``name``, which loads the model in the background.

    Args:
        name: one of :data:`ENGINES`.
        settings: the file and how to load it.
        program: the program to run, for an engine that is one; that on PATH when None.
        early: a process of :func:`early_process`; a fresh one when None.
        on_tick: see :data:`OnTick`.

    Raises:
        UsageError: the engine cannot do what ``settings`` ask for.
        NotFoundError: there is no such program.
        EngineError: it cannot be started.
    """
    check_load(name, settings)
    return _kind(name).start(settings, find_program(name, program), early, on_tick)


@contextlib.contextmanager
def early_process(name: str = DEFAULT_ENGINE, *, wanted: bool = True) -> Iterator[StartedProcess | None]:
    """A process of the engine called ``name`` that waits for the settings of a load, and ends with the context.

    None where none is ``wanted``, where there cannot be one, and where it cannot be started: whoever starts the engine
    gets that error.
    """
    process = _early(name) if wanted else None
    try:
        yield process
    finally:
        if process is not None:
            process.close()


def find_program(name: str, given: Path | None = None) -> Path | None:
    """The program of the engine called ``name``: at ``given``, else on PATH. None for an engine that needs none.

    Raises:
        NotFoundError: there is none, or the engine's package is not installed.
    """
    kind = _kind(name)
    if kind.optional and not version_of(name):
        raise NotFoundError(f"{name} is not installed", install_hint(name))
    program = kind.program
    if program is None:
        return None
    import shutil

    path = None if given is None else expand(str(given))
    if path is None:
        found = shutil.which(program)
    else:
        found = shutil.which(path) if path.name == str(path) or path.is_file() else None
    if found is not None:
        return Path(found)
    if given is not None:
        hint = f"give the path of the binary: --llama-server PATH/{program}"
        raise NotFoundError(f"program not found: {given}", hint)
    hint = f"give its path: --llama-server PATH; or use another engine: --engine {DEFAULT_ENGINE}"
    raise NotFoundError(f"{program} not found on PATH", hint)


def build_of(name: str = DEFAULT_ENGINE, program: Path | None = None) -> str:
    """The engine called ``name`` and its version, as its own process reports it; no model is loaded for that.

    Raises:
        NotFoundError: there is no such program.
        EngineError: it cannot be run, or it is not what it should be.
    """
    return _kind(name).build(find_program(name, program))


def _early(name: str) -> StartedProcess | None:
    if not _kind(name).starts_early:
        return None
    from phicli.engine.process import WorkerProcess

    with contextlib.suppress(EngineError):
        return WorkerProcess(log_dir())
    return None


def check_settings(name: str, settings: EngineSettings) -> None:
    """Return if the engine called ``name`` can be set like this.

    Raises:
        UsageError: it cannot; the hint names the engines that can.
    """
    refuse_lacking(name, abilities_of_settings(settings), _lacking(name))


def check_load(name: str, settings: LoadSettings) -> None:
    """Return if the engine called ``name`` can load a model like this.

    Raises:
        UsageError: it cannot; the hint names the engines that can.
    """
    refuse_lacking(name, abilities_of_load(settings), _lacking(name))


def can(name: str, ability: Ability) -> bool:
    """Whether the engine called ``name`` has an ability."""
    return ability not in _kind(name).lacks


def require(name: str, ability: Ability) -> None:
    """Return if the engine called ``name`` has an ability.

    Raises:
        UsageError: it has not; the hint names the engines that have.
    """
    refuse_lacking(name, iter((ability,)), _lacking(name))


def _lacking(name: str) -> Mapping[str, frozenset[Ability]]:
    _kind(name)
    return {known: kind.lacks for known, kind in ENGINES.items()}


def _kind(name: str) -> EngineKind:
    if name not in ENGINES:
        raise UsageError(f"unknown engine: {name}", f"choose one of {', '.join(ENGINES)}")
    return ENGINES[name]


def _package_build(_: Path | None) -> str:
    """Version and kernels in use, as the worker will report them; ``xllamacpp (not installed)`` without the package."""
    version = engine_version()
    if not version:
        return f"{DEFAULT_ENGINE} (not installed)"
    return build_name(version, kernels_in_use(version).kernels)


def _start_package(
    settings: LoadSettings, _: Path | None, early: StartedProcess | None, on_tick: OnTick | None
) -> LocalEngine:
    from phicli.engine.process import WorkerProcess

    process = early or WorkerProcess(log_dir())
    process.load(settings)  # it loads while the HTTP client is imported
    from phicli.engine.server_engine import LlamaServerEngine

    return LlamaServerEngine(settings, process=process, on_tick=on_tick)


def _program_build(program: Path | None) -> str:
    from phicli.engine.program_build import native_build

    assert program is not None  # noqa: S101 (find_program has raised)
    return native_build(program)


def _start_program(
    settings: LoadSettings, program: Path | None, _: StartedProcess | None, on_tick: OnTick | None
) -> LocalEngine:
    from phicli.engine.llama_server_program import NativeServerEngine

    assert program is not None  # noqa: S101 (find_program has raised)
    return NativeServerEngine(settings, program, log_dir=log_dir(), on_tick=on_tick)


def _ctransformers_build(_: Path | None) -> str:
    return f"{CTRANSFORMERS} {version_of(CTRANSFORMERS)}"


def _start_ctransformers(
    settings: LoadSettings, _: Path | None, __: StartedProcess | None, on_tick: OnTick | None
) -> LocalEngine:
    from phicli.engine.ctransformers_engine import CtransformersEngine

    return CtransformersEngine(settings, log_dir=log_dir(), on_tick=on_tick)


ENGINES: Final[Mapping[str, EngineKind]] = MappingProxyType(
    {
        DEFAULT_ENGINE: EngineKind(
            program=None, starts_early=True, uses_known_gpus=True, build=_package_build, start=_start_package,
        ),
        LLAMA_SERVER: EngineKind(
            program=LLAMA_SERVER, starts_early=False, uses_known_gpus=False, build=_program_build,
            start=_start_program, lacks=frozenset({Ability.LARK}),  # most builds are without llguidance
        ),
        CTRANSFORMERS: EngineKind(
            program=None, starts_early=False, uses_known_gpus=False, build=_ctransformers_build,
            start=_start_ctransformers, lacks=frozenset(Ability), optional=True, reads_llama=True,
        ),
    }
)  # fmt: skip
"""The engines by the name that ``--engine`` takes; the default one comes first."""
