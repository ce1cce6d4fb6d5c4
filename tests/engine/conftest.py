"""The engines that the contract is held against: the scripted fake, and the real ones on tiny-phi.

A ``llama-server`` is there twice: made of the installed engine, and the one on PATH, where there is one.
ctransformers cannot run tiny-phi, and gets a file that says the same.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from phicli.engine.ctransformers_engine import CtransformersEngine
from phicli.engine.llama_server_program import NativeServerEngine
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import Engine, LoadSettings
from phicli.gguf_file.header import read_header
from phicli.gguf_file.llama_file import write_llama_file
from tests.fakes.scripted_engine import ScriptedEngine
from tests.support.files import TINY_PHI
from tests.support.lookback import NEEDS_CTRANSFORMERS, write_script
from tests.support.processes import stopped
from tests.support.wheel_server import install

BINARY = shutil.which("llama-server")
REAL = ["llama", *(["program"] if sys.platform != "win32" else []), *(["native"] if BINARY else [])]
KINDS = [
    "scripted",
    *(pytest.param(kind, marks=pytest.mark.process) for kind in REAL),
    pytest.param("ctransformers", marks=[pytest.mark.process, NEEDS_CTRANSFORMERS]),
]
QUESTION = "<|user|>What is the capital of France?<|end|><|assistant|>"


def tiny_settings(context_tokens: int = 256) -> LoadSettings:
    return LoadSettings(model_path=TINY_PHI, context_tokens=context_tokens, engine=EngineSettings(threads=2))


def script_file(folder: Path) -> Path:
    """A file in the tensors of llama that says what tiny-phi says."""
    source, path = folder / "script.gguf", folder / "llama.gguf"
    write_script(source, ["The", "▁capital", "▁of", "▁France", "▁is", "▁Paris", "."])
    write_llama_file(read_header(source), path, source_sha256="0" * 64, on_bytes=lambda done, total: None)
    return path


def make(kind: str, context_tokens: int, folder: Path) -> Engine:
    if kind == "scripted":
        return ScriptedEngine(lambda _: "The capital of France is Paris.<|end|>", context_tokens=context_tokens)
    if kind == "ctransformers":
        return CtransformersEngine(LoadSettings(script_file(folder), context_tokens, EngineSettings(threads=1)))
    if kind == "program":
        return NativeServerEngine(tiny_settings(context_tokens), install(folder))
    if kind == "native" and BINARY is not None:
        return NativeServerEngine(tiny_settings(context_tokens), Path(BINARY))
    return LlamaServerEngine(tiny_settings(context_tokens))


def standing_still(engine: Engine) -> AbstractContextManager[None]:
    """Within the context nothing comes from the engine."""
    return engine.standing_still() if isinstance(engine, ScriptedEngine) else stopped(engine.pid)  # type: ignore[attr-defined]


@pytest.fixture(scope="module", params=KINDS)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = make(request.param, 256, tmp_path_factory.mktemp("program"))
    yield made
    made.close()


@pytest.fixture(params=KINDS)
def odd_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine of its own, with a context that llama.cpp would round up."""
    made = make(request.param, 100, tmp_path)
    yield made
    made.close()


@pytest.fixture(params=KINDS)
def loading_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine that was just started."""
    made = make(request.param, 256, tmp_path)
    yield made
    made.close()
