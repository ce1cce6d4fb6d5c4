"""Models that the promises of ``phicli.answering.types`` are held against: local ones and pools, scripted and real."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from phicli.answering.engines import OneEngine
from phicli.answering.local_model import LocalModel
from phicli.answering.model_file import ModelFile, model_file
from phicli.answering.pool import Pool
from phicli.chat_format import format_by_name
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.types import Engine
from phicli.gguf_file.header import read_header
from phicli.plan.chat_options import ChatOptions
from phicli.plan.context import ContextPlan
from phicli.plan.load import Use, plan_load
from phicli.plan.locate import locate
from tests.engine.conftest import standing_still
from tests.fakes.scripted_engine import ScriptedEngine, special_tokens

SLOTS = 4
CONTEXT = ContextPlan(256, 1024)
Source = Callable[[], tuple[ModelFile, Callable[[int, int], Engine]]]


def counted(prompt: str) -> str:
    """A long answer that differs with the question and says how far it is, so that it can go on in a larger context."""
    question, said = prompt.rsplit("<|user|>", 1)[1].split("<|end|><|assistant|>")
    text = " ".join(f"{question[:9]}-{number}" for number in range(40))
    return text[len(said) :] + "<|end|>"


class Workshop:
    """A model whose engines can be stopped."""

    def __init__(self, source: Source, *, pool: bool, context: ContextPlan = CONTEXT) -> None:
        file, self._start = source()
        self.engines: list[Engine] = []
        self.started = threading.Event()
        self.loads_for_ever = False
        self._stopped = ExitStack()
        self.model = (
            Pool(file, self._started, context, slots=SLOTS)
            if pool
            else LocalModel(file, OneEngine(lambda size: self._started(size, 1), context.first_tokens), context)
        )

    def stop(self) -> None:
        """From now on nothing comes from the engine that was started last."""
        self._stopped.enter_context(standing_still(self.engines[-1]))

    def go_on(self) -> None:
        """End what ``stop`` began."""
        self._stopped.close()

    def close(self) -> None:
        self.go_on()
        self.model.close()

    def _started(self, context_tokens: int, slots: int) -> Engine:
        self.engines.append(self._start(context_tokens, slots))
        if self.loads_for_ever:
            self.stop()
        self.started.set()
        return self.engines[-1]


def tiny_phi() -> tuple[ModelFile, Callable[[int, int], LlamaServerEngine]]:
    """The packaged model as ``phi chat`` opens it, and what starts its engines."""
    located = locate("tiny-phi")
    header = read_header(located.path)
    plan = plan_load(located, header, ChatOptions(engine={"threads": 1}), Use.ONE_ANSWER, memory=None, cores=1)

    def start(context_tokens: int, slots: int) -> LlamaServerEngine:
        return LlamaServerEngine(replace(plan.settings_for(context_tokens), slots=slots))

    return model_file(plan, header), start


def scripted() -> tuple[ModelFile, Callable[[int, int], ScriptedEngine]]:
    """A scripted model whose answers are long."""
    chosen = format_by_name("phi-4-mini")
    file = ModelFile("scripted", None, special_tokens(), None, lambda _: chosen)
    return file, lambda context_tokens, _: ScriptedEngine(counted, context_tokens=context_tokens)


@pytest.fixture(params=[scripted, pytest.param(tiny_phi, marks=pytest.mark.process)], ids=["scripted", "tiny-phi"])
def source(request: pytest.FixtureRequest) -> Source:
    return request.param


@pytest.fixture(params=[False, True], ids=["local", "pool"])
def shop(request: pytest.FixtureRequest, source: Source) -> Iterator[Workshop]:
    made = Workshop(source, pool=request.param)
    yield made
    made.close()


@pytest.fixture
def pool_shop(source: Source) -> Iterator[Workshop]:
    made = Workshop(source, pool=True)
    yield made
    made.close()
