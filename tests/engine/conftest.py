"""The engines that the contract is held against: the scripted fake, and the real one on tiny-phi."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from phicli.engine.llama_server import LlamaServerEngine
from phicli.engine.types import Engine, LoadSettings
from tests.fakes.scripted_engine import ScriptedEngine

TINY_PHI = Path(__file__).parents[2] / "phicli" / "data" / "tiny-phi.gguf"
QUESTION = "<|user|>What is the capital of France?<|end|><|assistant|>"


def tiny_settings(context_tokens: int = 256) -> LoadSettings:
    return LoadSettings(model_path=TINY_PHI, context_tokens=context_tokens, threads=2)


@pytest.fixture(scope="module", params=["scripted", "llama"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    made: Engine
    if request.param == "scripted":
        made = ScriptedEngine(lambda _: "The capital of France is Paris.<|end|>", context_tokens=256)
    else:
        made = LlamaServerEngine(tiny_settings())
    yield made
    made.close()
