"""The engines that the contract is held against: the scripted fake, and the real one on tiny-phi."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from phicli.engine.llama_server import LlamaServerEngine
from phicli.engine.types import Engine, LoadSettings
from tests.fakes.scripted_engine import ScriptedEngine
from tests.support.files import TINY_PHI

QUESTION = "<|user|>What is the capital of France?<|end|><|assistant|>"


def tiny_settings(context_tokens: int = 256) -> LoadSettings:
    return LoadSettings(model_path=TINY_PHI, context_tokens=context_tokens, threads=2)


def make(kind: str, context_tokens: int) -> Engine:
    if kind == "scripted":
        return ScriptedEngine(lambda _: "The capital of France is Paris.<|end|>", context_tokens=context_tokens)
    return LlamaServerEngine(tiny_settings(context_tokens))


@pytest.fixture(scope="module", params=["scripted", "llama"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    made = make(request.param, 256)
    yield made
    made.close()


@pytest.fixture(params=["scripted", "llama"])
def odd_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine of its own, with a context that llama.cpp would round up."""
    made = make(request.param, 100)
    yield made
    made.close()
