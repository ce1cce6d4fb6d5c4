"""Which ``llama-server`` a program is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from phicli.engine.program_build import native_build, sets_in_build
from phicli.errors import EngineError, NotFoundError
from tests.engine.conftest import BINARY
from tests.support.native import install

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="the program is a script"),
]


def program(folder: Path, version: str, system: str = "") -> Path:
    """A program that prints ``version`` when asked for it, and ``system`` otherwise."""
    path = folder / "llama-server"
    path.write_text(
        f"#!/bin/sh\nif [ \"$1\" = --version ]; then echo '{version}'; else echo '{system}' >&2; exit 1; fi\n"
    )
    path.chmod(0o755)
    return path


def test_version_and_instruction_sets(tmp_path: Path) -> None:
    assert native_build(install(tmp_path)) == "llama-server 4321 (fa4e5e4), AVX2 AVX512F"


@pytest.mark.parametrize(
    ("system", "sets"),
    [
        ("", ""),
        ("system_info: n_threads = 4 / 4 | CPU : NEON = 1 | DOTPROD = 1 | SVE = 0 | REPACK = 1 |", ", NEON DOTPROD"),
        ("system_info: n_threads = 4 / 4 | CUDA : ARCHS = 890 | CPU : SSE3 = 1 | AVX2 = 1 | BMI2 = 1 |", ", AVX2"),
        ("error: no such file", ""),
    ],
)
def test_one_that_reports_more_or_less(tmp_path: Path, system: str, sets: str) -> None:
    assert native_build(program(tmp_path, "version: 1 (a)", system)) == f"llama-server 1 (a){sets}"


def test_another_program_in_its_place_is_asked_again(tmp_path: Path) -> None:
    assert native_build(program(tmp_path, "version: 1 (a)")) == "llama-server 1 (a)"
    path = program(tmp_path, "version: 22 (b)")
    assert native_build(path) == "llama-server 22 (b)"
    os.utime(path, ns=(0, 0))
    assert native_build(path) == "llama-server 22 (b)"


@pytest.mark.parametrize(
    ("build", "sets"),
    [
        ("llama-server 4321 (fa4e5e4), AVX2 AVX512F", ("AVX2", "AVX512F")),
        ("llama-server 0.6.0-dev (build 0, commit unknown), NEON", ("NEON",)),
        ("llama-server 0.6.0-dev (build 0, commit unknown)", ()),
        ("llama-server 1 (a)", ()),
        ("", ()),
    ],
)
def test_the_instruction_sets_in_a_build(build: str, sets: tuple[str, ...]) -> None:
    assert sets_in_build(build) == sets


def test_a_program_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="nowhere") as caught:
        native_build(tmp_path / "nowhere")
    assert "--llama-server PATH" in caught.value.hint
    with pytest.raises(EngineError, match="does not report a version"):
        native_build(Path(sys.executable))
    with pytest.raises(EngineError, match="does not report a version"):
        native_build(program(tmp_path, ""))
    text = tmp_path / "text"
    text.write_text("hello")
    with pytest.raises(EngineError, match="cannot be run"):
        native_build(text)
    with pytest.raises(EngineError, match="cannot be run"):
        native_build(tmp_path)


@pytest.mark.skipif(BINARY is None, reason="llama-server not found on PATH")
def test_the_real_one_reports_its_instruction_sets() -> None:
    build = native_build(Path(BINARY or ""))
    assert build.startswith("llama-server ")
    assert "AVX" in build or "NEON" in build
