"""Starts the engine that a benchmark asks for."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from phicli.engine.build import engine_build
from phicli.engine.types import Generator, LoadSettings
from phicli.errors import NotFoundError
from phicli.paths import expand, log_dir
from phicli.records.run import BenchSettings, Subject

NATIVE = "llama-server"


class BenchEngine(Generator, Protocol):
    """An engine whose process can be looked at from outside."""

    @property
    def pid(self) -> int:
        """The process id of the engine."""

    @property
    def build(self) -> str:
        """The engine and its version."""


class Launch(Protocol):
    """What starts an engine: :func:`start`, or a test's own."""

    def __call__(
        self,
        subject: Subject,
        settings: BenchSettings,
        context_tokens: int,
        *,
        slots: int = 1,
        llama_server: Path | None = None,
    ) -> AbstractContextManager[BenchEngine]:
        """As :func:`start`."""


@contextlib.contextmanager
def start(
    subject: Subject,
    settings: BenchSettings,
    context_tokens: int,
    *,
    slots: int = 1,
    llama_server: Path | None = None,
) -> Iterator[BenchEngine]:
    """The engine of ``subject`` with its model loaded; leaving the context ends it.

    Nothing is evaluated before the first prompt, so that a cold start can be timed.

    Args:
        subject: the file, and which engine.
        settings: how the engine is set.
        context_tokens: of each sequence.
        slots: sequences that can be generated at a time.
        llama_server: the binary to run where the engine is ``llama-server``; that on PATH when None.

    Raises:
        NotFoundError: there is no such binary.
        EngineError: the engine cannot start or cannot load the file.
    """
    engine = _engine(subject, load_settings(subject, settings, context_tokens, slots=slots), llama_server)
    try:
        engine.wait_ready()
        yield engine
    finally:
        engine.close()


def load_settings(
    subject: Subject, settings: BenchSettings, context_tokens: int, *, slots: int = 1, warmup: bool = False
) -> LoadSettings:
    """The settings of a benchmark as the engine takes them."""
    return LoadSettings(
        model_path=subject.path,
        context_tokens=context_tokens,
        threads=settings.threads,
        batch_tokens=settings.batch_tokens,
        gpu_layers=settings.gpu_layers,
        repack=settings.repack,
        warmup=warmup,
        kv_type=settings.kv_type,
        flash_attention=settings.flash_attention,
        slots=slots,
    )


def find_llama_server(given: Path | None = None) -> Path:
    """The binary at ``given``, or the ``llama-server`` on PATH.

    Raises:
        NotFoundError: there is none.
    """
    if given is not None:
        path = expand(str(given))
        found = shutil.which(path) if path.name == str(path) or path.is_file() else None
        if found is None:
            raise NotFoundError(
                f"there is no program at {given}", "give the path of the binary: --llama-server PATH/llama-server"
            )
        return Path(found)
    found = shutil.which(NATIVE)
    if found is None:
        raise NotFoundError(
            "there is no llama-server on PATH",
            "say where it is: --llama-server PATH; or do without: --engine xllamacpp",
        )
    return Path(found)


def build_of(engine: str, llama_server: Path | None = None) -> str:
    """What the build of ``engine`` is, without loading a model.

    Raises:
        NotFoundError: there is no such binary.
        EngineError: it cannot be run, or is no llama-server.
    """
    if engine != NATIVE:
        return engine_build()
    from phicli.engine.native_server import native_build

    return native_build(find_llama_server(llama_server))


class _Startable(BenchEngine, Protocol):
    def wait_ready(self) -> None: ...
    def close(self) -> None: ...


def _engine(subject: Subject, settings: LoadSettings, llama_server: Path | None) -> _Startable:
    if subject.engine == NATIVE:
        from phicli.engine.native_server import NativeServerEngine

        return NativeServerEngine(settings, find_llama_server(llama_server), log_dir=log_dir())
    from phicli.engine.llama_server import LlamaServerEngine

    return LlamaServerEngine(settings, log_dir=log_dir())
