"""A model whose adapters change between two answers: the engine that runs gets other scales, and no state of before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from phicli.answering.engine_starts import EngineStarts
from phicli.answering.opening import OpenModel, open_model
from phicli.answering.types import Answer
from phicli.chat_format.types import Message
from phicli.engine.types import Adapter, Sampling
from phicli.errors import EngineDiedError
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import Use
from phicli.plan.locate import locate
from tests.fakes.stateful_engine import StatefulEngine
from tests.support.lora import tensors, write_gguf

pytestmark = pytest.mark.usefixtures("starts_process")
GREEDY = Sampling(max_tokens=12)
LONG = "What is the capital of France? " * 45
"""More than the original context of tiny-phi, and less than half of the largest."""


@pytest.fixture(scope="module")
def loud(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("adapters") / "loud.gguf", tensors(seed=3, size=1.0))


def opening(*adapters: Adapter) -> Any:
    options = ChatOptions(engine={"threads": 1}, adapters=adapters)
    return open_model(locate("tiny-phi"), options, Use.CONVERSATION)


def answer(opened: OpenModel, *messages: Message) -> Answer:
    *_, last = opened.model.answer(messages, sampling=GREEDY)
    assert isinstance(last, Answer)
    return last


def test_a_context_that_grows_after_the_change_carries_nothing_of_before(loud: Path) -> None:
    first = Message("user", LONG)
    with opening(Adapter(loud)) as opened:
        said = answer(opened, first).message
        changed = opened.with_adapters(())
        assert changed is not None
        assert (changed.plan.settings.adapters, "adapters" in changed.plan.settings_data()) == ((), False)
        messages = (first, said, Message("user", LONG))
        grown = answer(changed, *messages)
        loads = [(one.settings.context_tokens, len(one.settings.adapters)) for one in opened.engines]
    sizes = [size for size, _ in loads]
    assert sizes == sorted(set(sizes))
    assert len(sizes) == 3
    assert [count for _, count in loads] == [1, 1, 0]  # what is no longer used is not loaded again
    with opening() as bare:
        assert answer(bare, *messages).text == grown.text
    with opening(Adapter(loud)) as adapted:
        assert answer(adapted, *messages).text != grown.text


def test_an_adapter_that_is_not_loaded_needs_another_engine(loud: Path, tmp_path: Path) -> None:
    other = write_gguf(tmp_path / "other.gguf", tensors(seed=9))
    with opening(Adapter(loud)) as opened:
        assert not opened.has_loaded((Adapter(other),))
        assert opened.with_adapters((Adapter(loud), Adapter(other))) is None
        assert opened.plan.settings.adapters == (Adapter(loud),)


class Changing(StatefulEngine):
    """An engine that has loaded everything, and dies when its adapters change."""

    def has_loaded(self, _: object) -> bool:
        return True

    def use_adapters(self, _: object) -> bool:
        raise EngineDiedError("the engine stopped")


def test_an_engine_that_died_is_replaced_by_one_with_the_other_adapters(
    loud: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: EngineStarts, context_tokens: int) -> Changing:
        return Changing(lambda _: "yes", context_tokens=context_tokens)

    monkeypatch.setattr(EngineStarts, "_start_own", start)
    with opening(Adapter(loud)) as opened:
        changed = opened.with_adapters((Adapter(loud, 0.5),))
        assert changed is not None
        assert changed.plan.settings.adapters == (Adapter(loud, 0.5),)
        assert opened.engines[0].closed
        changed.wait_ready()
        assert len(opened.engines) == 2
