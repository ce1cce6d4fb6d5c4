"""Which examples are computed together: all of them once, with little padding, and the result is that of each alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from phicli.finetune.batching import Schedule
from phicli.finetune.examples import TrainingPair
from phicli.finetune.options import Recipe
from phicli.finetune.pairs_file import PairsFile, write_pairs

PADDING = 32


@pytest.mark.parametrize("seed", range(20))
def test_every_example_is_computed_once_with_little_padding(seed: int) -> None:
    chance = random.Random(seed)
    lengths = [chance.choice((chance.randint(2, 60), chance.randint(2, 600))) for _ in range(chance.randint(1, 80))]
    size = chance.randint(1, 16)
    schedule = Schedule(lengths, 256, Recipe(batch_size=32, micro_batch=size))
    micros = schedule.grouped(range(len(lengths)))
    assert sorted(number for micro in micros for number in micro) == list(range(len(lengths)))
    for micro in micros:
        of_it = [lengths[number] for number in micro]
        assert 1 <= len(micro) <= size
        assert len(micro) * max(of_it) - sum(of_it) <= PADDING
        assert (min(of_it) > 256) == (max(of_it) > 256)


def test_examples_of_like_length_are_computed_together() -> None:
    schedule = Schedule([30, 500, 31, 29, 498, 100], None, Recipe(batch_size=8, micro_batch=8))
    assert schedule.grouped(range(6)) == [[1, 4], [5], [2, 0, 3]]


@pytest.mark.finetune
def test_padding_changes_no_loss(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("peft")
    from phicli.finetune.training import Trainer
    from training.tiny_phi.hf_folder import write_folder

    write_folder(tmp_path / "tiny-phi")
    chance = random.Random(1)
    pairs = [TrainingPair(tuple(chance.choices(range(1000), k=length)), length - 4) for length in (9, 30, 17, 31)]
    write_pairs(tmp_path / "pairs", pairs)
    losses = []
    for size in (1, 4):
        recipe = Recipe(batch_size=4, micro_batch=size)
        with PairsFile(tmp_path / "pairs") as file:
            schedule = Schedule(file.lengths, 256, recipe)
            assert len(schedule.grouped(range(4))) == (4 if size == 1 else 2)
            losses.append(Trainer(tmp_path / "tiny-phi", "it", recipe).evaluate(schedule, file))
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
