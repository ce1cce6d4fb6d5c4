"""Batches and sums, without torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from phicli.errors import CheckFailedError, DoesNotFitError
from phicli.finetune.base_folder import BaseFolder, Shape
from phicli.finetune.batching import Load, Schedule
from phicli.finetune.devices import Device
from phicli.finetune.options import Recipe
from phicli.finetune.planning import fitted, needs_of, trainable_parameters
from phicli.finetune.preparing import Wish, prepare
from phicli.finetune.run_folder import RunFolder

TINY = Shape(1400, 128, 384, 4, 4, 2, 32, 1024, 256, tied=True)
MINI = Shape(200_064, 3072, 8192, 32, 24, 8, 128, 131_072, 4096, tied=True)


def test_parameters_are_those_of_the_models() -> None:
    assert TINY.parameters == 966_784
    assert MINI.parameters == 3_836_021_760  # as the model card of Phi-4-mini says
    assert trainable_parameters(TINY, 16) == 131_072  # as PEFT counts them


def test_the_border_is_never_crossed_inside_a_micro_batch() -> None:
    lengths = [10, 300, 20, 256, 257, 30, 900, 40]
    schedule = Schedule(lengths, 256, Recipe(batch_size=8, micro_batch=8))
    micros = schedule.micro_batches(0)
    assert sorted(number for micro in micros for number in micro) == list(range(8))
    assert {len({lengths[one] > 256 for one in micro}) for micro in micros} == {1}
    assert len(replace(schedule, border=None).micro_batches(0)) < len(micros), "256 and 257 would be together"


def test_every_example_is_seen_once_in_an_epoch_and_the_order_is_that_of_the_seed() -> None:
    schedule = Schedule([5] * 21, None, Recipe(batch_size=4, micro_batch=2, epochs=2))
    assert (schedule.steps_per_epoch, schedule.steps) == (6, 12)
    for epoch in (0, 6):
        seen = [one for step in range(epoch, epoch + 6) for micro in schedule.micro_batches(step) for one in micro]
        assert sorted(seen) == list(range(21))
    other = replace(schedule, recipe=replace(schedule.recipe, seed=1))
    assert schedule.micro_batches(0) != schedule.micro_batches(6)
    assert schedule.micro_batches(0) != other.micro_batches(0)


def test_the_rate_rises_and_falls() -> None:
    schedule = Schedule([5] * 80, None, Recipe(batch_size=8, micro_batch=8, warmup=0.2))
    assert [round(schedule.rate(step), 3) for step in range(10)] == [
        0.5,
        1,
        1,
        0.875,
        0.75,
        0.625,
        0.5,
        0.375,
        0.25,
        0.125,
    ]


def test_memory_grows_with_what_is_computed_at_once() -> None:
    small, large = needs_of(MINI, Recipe(), Load(512, 100)), needs_of(MINI, Recipe(), Load(1024, 100))
    assert small.weights == 4 * MINI.parameters
    assert large.memory > small.memory
    again = needs_of(MINI, Recipe(checkpointing=True), Load(1024, 100))
    assert again.activations < large.activations / 4


def test_the_largest_batch_that_fits_then_checkpointing_then_a_refusal() -> None:
    recipe = Recipe(batch_size=8, micro_batch=8, dtype="bfloat16")
    schedule = Schedule([1000] * 8, 4096, recipe)
    learned = [100] * 8
    found, needs = fitted(MINI, recipe, schedule, learned, 64 << 30)
    assert 1 <= found.micro_batch < 8
    assert needs.memory < 0.9 * (64 << 30)
    assert not found.checkpointing
    tight, _ = fitted(MINI, recipe, schedule, learned, 11 << 30)
    assert tight.checkpointing
    with pytest.raises(DoesNotFitError, match=r"needs .* of memory, but only 4.00 GiB"):
        fitted(MINI, recipe, schedule, learned, 4 << 30)


def test_the_largest_batch_is_looked_for_in_every_epoch() -> None:
    lengths = [10, 10, 10, 30]
    recipe = Recipe(batch_size=3, micro_batch=2, seed=1)  # in the first epoch the long one is alone in a step
    found = [Schedule(lengths, None, replace(recipe, epochs=epochs)).largest(lengths).tokens for epochs in (1, 4)]
    assert found == [30, 60]


def test_a_very_long_run_is_planned_for_its_longest_examples() -> None:
    lengths = [10] * 998 + [500, 600]
    schedule = Schedule(lengths, None, Recipe(batch_size=4, micro_batch=4, epochs=1000))
    assert schedule.largest(lengths) == Load(2400, 1120, 600)


def test_the_heaviest_step_is_measured_first() -> None:
    schedule = Schedule([5] * 20 + [90], None, Recipe(batch_size=4, micro_batch=2))
    heaviest = schedule.heaviest(range(schedule.steps))
    assert any(20 in micro for micro in schedule.micro_batches(heaviest))


def test_long_answers_of_the_validation_data_count() -> None:
    recipe = Recipe(batch_size=8, micro_batch=8)
    schedule, learned, memory = Schedule([100] * 8, 4096, recipe), [20] * 8, 1 << 40
    alone = fitted(MINI, recipe, schedule, learned, memory)[1].activations
    short, long = SimpleNamespace(lengths=[90], learned=[30]), SimpleNamespace(lengths=[3000] * 9, learned=[2000] * 9)
    assert fitted(MINI, recipe, schedule, learned, memory, short)[1].activations == alone
    needed = fitted(MINI, recipe, schedule, learned, memory, long)[1].activations
    assert needed > 12 * 8 * 2000 * MINI.vocabulary > alone
    assert fitted(MINI, recipe, schedule, learned, 60 << 30, long)[0].micro_batch < 8


def test_quantized_weights_need_four_bits_but_for_the_embedding() -> None:
    whole, parts = needs_of(MINI, Recipe(dtype="bfloat16"), Load(512, 64)), Recipe(dtype="bfloat16", quantized=True)
    embedding = 2 * MINI.vocabulary * MINI.hidden
    needed = needs_of(MINI, parts, Load(512, 64)).weights - embedding
    assert 0.25 * (whole.weights - embedding) < needed < 0.29 * (whole.weights - embedding)


def test_a_gpu_that_is_too_small_is_named() -> None:
    recipe = Recipe(batch_size=1, micro_batch=1, dtype="bfloat16", device="cuda")
    schedule = Schedule([1000] * 8, 4096, recipe)
    with pytest.raises(DoesNotFitError, match="of memory on the GPU") as error:
        fitted(MINI, recipe, schedule, [100] * 8, 6 << 30)
    assert "--qlora" in error.value.hint
    with pytest.raises(DoesNotFitError) as error:
        fitted(MINI, replace(recipe, quantized=True), schedule, [100] * 8, 2 << 30)
    assert "--qlora" not in error.value.hint


def test_examples_longer_than_the_window_of_attention_need_a_mask() -> None:
    narrow = replace(MINI, window=1000)
    assert needs_of(narrow, Recipe(), Load(1000, 10, 1000)) == needs_of(MINI, Recipe(), Load(1000, 10, 1000))
    more = (
        needs_of(narrow, Recipe(), Load(2000, 10, 2000)).memory - needs_of(MINI, Recipe(), Load(2000, 10, 2000)).memory
    )
    assert more == 32 * 4 * 2000 * 2000


def test_what_is_wrong_with_a_whole_file_has_no_line(tmp_path: Path) -> None:
    data = tmp_path / "train.jsonl"
    data.write_text(
        '{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}\n', encoding="utf-16"
    )
    wish = Wish(
        BaseFolder(tmp_path, "tiny-phi", TINY, "phi-4-mini", reasoning=False, tokenizer={}), str(data), None, None,
        Recipe(), RunFolder(tmp_path / "run"), Device("cpu", "CPU", 1 << 30), 1, 60.0, "phi finetune",
    )  # fmt: skip
    with pytest.raises(CheckFailedError, match="has 1 error: the file is UTF-16 text"):
        prepare(wish)
    assert not (tmp_path / "run").exists()
