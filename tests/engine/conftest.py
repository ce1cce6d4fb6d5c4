"""The engines that the contract is held against: the scripted fake, and the real ones on tiny-phi.

A ``llama-server`` is there twice: made of the installed engine, and the one on PATH, where there is one.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from phicli.engine.llama_server_program import NativeServerEngine
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import Engine, LoadSettings
from tests.fakes.scripted_engine import ScriptedEngine
from tests.support.files import TINY_PHI
from tests.support.processes import stopped
from tests.support.wheel_server import install

BINARY = shutil.which("llama-server")
KINDS = [
    "scripted",
    *(pytest.param(kind, marks=pytest.mark.process) for kind in ("llama", "program", *(["native"] if BINARY else []))),
]
QUESTION = "<|user|>What is the capital of France?<|end|><|assistant|>"


def tiny_settings(context_tokens: int = 256) -> LoadSettings:
    return LoadSettings(model_path=TINY_PHI, context_tokens=context_tokens, engine=EngineSettings(threads=2))


def make(kind: str, context_tokens: int, folder: Path) -> Engine:
    if kind == "scripted":
        return ScriptedEngine(lambda _: "The capital of France is Paris.<|end|>", context_tokens=context_tokens)
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
