"""How ``phi chat`` loads a model on a machine with a GPU, and what it says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.engine.settings import ALL_LAYERS
from phicli.hardware.types import Gpu, Memory
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import LoadPlan, Use, plan_load
from phicli.plan.locate import LocatedModel
from tests.plan.test_plan_load import GIB, PLENTY, phi_4_mini


def plan(gib: float, memory: Memory | None = PLENTY, **asked: object) -> LoadPlan:
    gpus = (Gpu("a card", "CUDA", int(gib * GIB), int(gib * GIB), True, "a test"),) if gib else ()
    model = LocatedModel("m", "m", Path("model.gguf"), None, None)
    return plan_load(
        model, phi_4_mini(), ChatOptions(engine=asked), Use.CONVERSATION, memory=memory, cores=4, gpus=gpus
    )


@pytest.mark.parametrize(
    ("gib", "words"),
    [
        (24, ""),
        (2.5, "layers fit into the memory of the GPU: the processor runs the others"),
        (1, "the model does not fit into the memory of the GPU: the processor runs it"),
        (0, ""),
    ],
)
def test_one_notice_where_the_gpu_does_not_get_all_layers(gib: float, words: str) -> None:
    chosen = plan(gib)
    layers = chosen.settings.engine.gpu_layers
    assert (layers == ALL_LAYERS) == (not words)
    if layers > 0:
        words = f"{layers} of 33 {words}"
    assert chosen.notices == ((words,) if words else ())


def test_layers_that_were_asked_for_are_taken_without_a_word() -> None:
    for number in (0, 5):
        chosen = plan(2.5, gpu_layers=number)
        assert chosen.settings.engine.gpu_layers == number
        assert chosen.notices == ()


def test_a_longer_context_takes_layers_from_the_gpu() -> None:
    chosen = plan(6)
    assert chosen.context.limit_tokens == 131_072
    counts = [chosen.settings_for(tokens).engine.gpu_layers for tokens in (4096, 32_768, 131_072)]
    assert counts[0] == ALL_LAYERS
    assert 33 > counts[1] > counts[2] >= 0


def test_a_small_main_memory_is_enough_beside_a_large_card() -> None:
    small = Memory(4 * GIB, 2 * GIB, "test")
    assert plan(24, small).settings.engine.gpu_layers == ALL_LAYERS
