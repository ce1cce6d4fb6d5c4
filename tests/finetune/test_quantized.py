"""Weights in 4 bits, computed by bitsandbytes on the processor: no test of this repository has a GPU.

``phi finetune --qlora`` demands a GPU. What is tried here is that the model is opened, learns, and is saved and opened
again; that CUDA does the same is not.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.finetune
pytest.importorskip("torch")
pytest.importorskip("peft")
bitsandbytes = pytest.importorskip("bitsandbytes")

from phicli.adapters.peft import folder_of, read_peft  # noqa: E402
from phicli.finetune.base_folder import open_base  # noqa: E402
from phicli.finetune.batching import Schedule  # noqa: E402
from phicli.finetune.examples import TrainingPair  # noqa: E402
from phicli.finetune.options import Recipe  # noqa: E402
from phicli.finetune.pairs_file import PairsFile, write_pairs  # noqa: E402
from phicli.finetune.planning import weight_bytes  # noqa: E402
from phicli.finetune.training import Trainer  # noqa: E402
from training.tiny_phi.hf_folder import write_folder  # noqa: E402

RECIPE = Recipe(learning_rate=2e-3, epochs=4, warmup=0.0, batch_size=4, micro_batch=2, dtype="bfloat16", quantized=True)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    write_folder(tmp_path / "tiny-phi")
    made = (TrainingPair((2, 100 + n, 3, 4, 200 + n, 300 + n, 3), 4) for n in range(12))
    write_pairs(tmp_path / "train.tokens", made)
    return tmp_path / "train.tokens"


def test_a_model_in_four_bits_learns_and_continues(pairs: Path, tmp_path: Path) -> None:
    trainer = Trainer(tmp_path / "tiny-phi", "tiny-phi", RECIPE)
    with PairsFile(pairs) as data:
        schedule = Schedule(data.lengths, 256, RECIPE)
        losses = [trainer.step(schedule, data, step) for step in range(schedule.steps - 1)]
        assert None not in losses
        assert losses[-1] < 0.8 * losses[0]  # type: ignore[operator]
        trainer.save_adapter(tmp_path / "adapter")
        trainer.save_optimizer(tmp_path / "optimizer.safetensors")
        again = Trainer(tmp_path / "tiny-phi", "tiny-phi", RECIPE)
        again.load(tmp_path / "adapter", tmp_path / "optimizer.safetensors")
        last = schedule.steps - 1
        assert again.step(schedule, data, last) == trainer.step(schedule, data, last)
        assert again.evaluate(schedule, data) == trainer.evaluate(schedule, data)


def test_the_weights_take_what_was_planned(pairs: Path, tmp_path: Path) -> None:
    trainer = Trainer(tmp_path / "tiny-phi", "tiny-phi", RECIPE)
    quantized = [one for one in trainer.model.modules() if isinstance(one, bitsandbytes.nn.Linear4bit)]
    assert len(quantized) == 16
    scales = sum(one.weight.quant_state.absmax.numel() for one in quantized)
    scales += sum(4 * one.weight.quant_state.state2.absmax.numel() for one in quantized)
    others = [one for name, one in trainer.model.named_parameters() if "lora" not in name]
    held = scales + sum(one.numel() * one.element_size() for one in others)
    planned, _ = weight_bytes(open_base(str(tmp_path / "tiny-phi")).shape, RECIPE)
    assert held == pytest.approx(planned, rel=0.02)


def test_the_adapter_can_be_used_like_others(pairs: Path, tmp_path: Path) -> None:
    trainer = Trainer(tmp_path / "tiny-phi", "tiny-phi", RECIPE)
    trainer.save_adapter(tmp_path / "adapter")
    folder = folder_of(tmp_path / "adapter")
    assert folder is not None
    read_peft(folder)
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny-phi"
    assert config["inference_mode"] is True
