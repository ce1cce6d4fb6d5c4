"""The table of engines: where each is found, its build, and how it starts."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import stat
from pathlib import Path

import pytest

import phicli
from phicli.engine.kernels import build_name
from phicli.engine.settings import EngineSettings
from phicli.engine.starting import (
    CTRANSFORMERS,
    DEFAULT_ENGINE,
    ENGINES,
    LLAMA_SERVER,
    build_of,
    early_process,
    find_program,
    start_engine,
)
from phicli.engine.types import LoadSettings
from phicli.engine.used_kernels import installed_kernels
from phicli.errors import EngineError, NotFoundError, UsageError
from tests.support.files import TINY_PHI
from tests.support.processes import gone

PACKAGE = Path(phicli.__file__).parent
TINY = LoadSettings(TINY_PHI, 256, EngineSettings(1))


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "llama-server"
    path.write_text("#!/bin/sh\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_program_on_path(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(program.parent))
    assert find_program(LLAMA_SERVER) == program
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotFoundError, match="llama-server not found on PATH"):
        find_program(LLAMA_SERVER)
    with pytest.raises(NotFoundError, match="llama-server not found on PATH"):
        start_engine(LLAMA_SERVER, TINY)


def test_the_program_that_is_given(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert find_program(LLAMA_SERVER, program) == program
    with pytest.raises(NotFoundError, match="program not found"):
        find_program(LLAMA_SERVER, program.parent / "other")
    with pytest.raises(NotFoundError, match="program not found"):
        find_program(LLAMA_SERVER, program.parent)
    monkeypatch.setenv("PATH", str(program.parent))
    assert find_program(LLAMA_SERVER, Path("llama-server")) == program


def test_the_default_engine_needs_no_program(program: Path) -> None:
    assert find_program(DEFAULT_ENGINE) is None
    assert find_program(DEFAULT_ENGINE, program) is None


@pytest.mark.process
def test_builds(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = importlib.metadata.version("xllamacpp")
    assert build_of() == build_name(version, installed_kernels().kernels)
    monkeypatch.setenv("PHI_HOME", str(program.parent))
    assert build_of() == f"xllamacpp {version}"
    with pytest.raises(EngineError, match="llama-server"):  # it prints nothing
        build_of(LLAMA_SERVER, program)

    def missing(_: str) -> str:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "version", missing)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert build_of() == "xllamacpp (not installed)"


def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    for refused in (lambda: find_program(CTRANSFORMERS), lambda: start_engine(CTRANSFORMERS, TINY)):
        with pytest.raises(NotFoundError, match="ctransformers is not installed") as caught:
            refused()
        assert ".[ctransformers]" in caught.value.hint


def test_an_unknown_engine_is_named_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="unknown engine: mlx") as caught:
        start_engine("mlx", TINY)
    assert caught.value.hint == "choose one of xllamacpp, llama-server, ctransformers"


@pytest.mark.process
def test_an_early_process_loads_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_HOME", str(tmp_path))
    with early_process() as early:
        assert early is not None
        assert early.log_path is not None
        assert early.log_path.is_relative_to(tmp_path)
        engine = start_engine(DEFAULT_ENGINE, TINY, early=early)
        assert engine.pid == early.pid
        engine.wait_ready()
        assert engine.build == build_of()
        engine.close()
        assert gone(engine.pid)
    with early_process(LLAMA_SERVER) as none:
        assert none is None


@pytest.mark.process
def test_an_early_process_that_nobody_uses_ends_with_what_went_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHI_HOME", str(tmp_path))
    early = early_process()
    process = early.__enter__()
    assert process is not None
    assert not early.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert gone(process.pid, within_s=0.1)
    assert list(tmp_path.rglob("*.log")) == []


@pytest.mark.process
def test_an_early_process_that_cannot_be_started_is_not_an_error_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The load starts another one, and reports why that fails."""
    monkeypatch.setattr("sys.executable", str(TINY_PHI))
    with early_process() as early:
        assert early is None
    with pytest.raises(EngineError, match="the engine's process cannot be started"):
        start_engine(DEFAULT_ENGINE, TINY)


@pytest.mark.process
def test_a_process_of_its_own_tells_how_long_it_waits() -> None:
    waited: list[float] = []
    engine = start_engine(DEFAULT_ENGINE, TINY, on_tick=waited.append)
    try:
        engine.wait_ready()
        assert engine.load_ms > 0
        assert waited == sorted(waited)
    finally:
        engine.close()


def outside() -> list[Path]:
    """Modules that are no engine. The hardware and the kernels ask the package itself, remotes know products."""
    paths = PACKAGE.rglob("*.py")
    inside = ("engine", "hardware", "kernels", "remotes")
    return sorted(path for path in paths if path.relative_to(PACKAGE).parts[0] not in inside)


@pytest.mark.parametrize("path", outside(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_other_module_knows_an_engine_by_name(path: Path) -> None:
    """Neither by a text, but for the option ``--llama-server``, nor by its class."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {
        id(one.body[0].value)
        for one in ast.walk(tree)
        if isinstance(one, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and one.body
        and isinstance(one.body[0], ast.Expr)
    }
    texts = [
        node.value.replace("--llama-server", "")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    ]
    assert not [text for text in texts if any(name in text for name in ENGINES)]
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not names & {"LlamaServerEngine", "NativeServerEngine", "WorkerProcess", "NativeProcess"}
