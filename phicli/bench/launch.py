"""Starts the engine that a benchmark asks for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from phicli.engine.settings import EngineSettings
from phicli.engine.starting import start_engine
from phicli.engine.types import Generator, LoadSettings
from phicli.errors import EngineError, PhiError
from phicli.gguf_file.header import read_header
from phicli.plan.engine_file import file_for_engine
from phicli.plan.label import name_for_engine
from phicli.records.run import Subject


class BuildChangedError(PhiError):
    """The engine that runs is no longer the one whose results are being collected; no setting is to blame for that.

    ``build`` is that of the engine that runs.
    """

    code = EngineError.code
    exit_code = EngineError.exit_code

    def __init__(self, build: str, before: str) -> None:
        message = f"the engine is {build} now, but was {before} when the measurement began"
        super().__init__(message, "run the command again; if kernels have failed, see why: phi doctor")
        self.build = build


class BenchEngine(Generator, Protocol):
    """An engine whose process can be looked at from outside."""

    def render_template(self, messages: Sequence[dict[str, str]]) -> str:
        """See :meth:`phicli.engine.types.Engine.render_template`."""

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
        settings: EngineSettings,
        context_tokens: int,
        *,
        slots: int = 1,
        llama_server: Path | None = None,
    ) -> AbstractContextManager[BenchEngine]:
        """As :func:`start`."""


def check_build(now: str, before: str) -> None:
    """Return if an engine has the build that the results so far belong to: native kernels may have failed meanwhile.

    Raises:
        BuildChangedError: it has another one.
    """
    if now != before:
        raise BuildChangedError(now, before)


@contextlib.contextmanager
def start(
    subject: Subject,
    settings: EngineSettings,
    context_tokens: int,
    *,
    slots: int = 1,
    llama_server: Path | None = None,
) -> Iterator[BenchEngine]:
    """The engine of ``subject`` with its model loaded; leaving the context ends it.

    Nothing is evaluated before the first prompt, so that a cold start can be timed.

    Args:
        subject: the file, its adapters, and which engine.
        settings: how the engine is set.
        context_tokens: of each sequence.
        slots: sequences that can be generated at a time.
        llama_server: the program to run where the engine is one; that on PATH when None.

    Raises:
        NotFoundError: there is no such binary.
        UnsupportedModelError: the engine cannot run the file.
        IntegrityError: the file is not a whole model, or an adapter has changed since the command began.
        EngineError: the engine cannot start or cannot load the file.
    """
    header = read_header(subject.path)
    path = file_for_engine(subject.engine, header)
    for adapter in subject.adapters:
        adapter.check()
    load = LoadSettings(
        path, context_tokens, settings, slots=slots, model_name=name_for_engine(header), adapters=subject.used_adapters
    )
    engine = start_engine(subject.engine, load, program=llama_server)
    try:
        engine.wait_ready()
        yield engine
    finally:
        engine.close()
