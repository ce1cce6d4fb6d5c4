from __future__ import annotations

import pytest

from phicli.bench.measuring.grid import Turn, context_for, in_blocks, interleaved, settings_grid, workloads
from phicli.engine.settings import EngineSettings
from phicli.errors import UsageError
from phicli.records.run import Workload


def test_lists_give_every_combination() -> None:
    grid = settings_grid({"threads": (1, 2), "repack": (False, True)}, cores=4)
    assert [(one.threads, one.repack) for one in grid] == [(1, False), (1, True), (2, False), (2, True)]
    assert {one.batch_tokens for one in grid} == {128}


def test_no_lists_are_the_defaults() -> None:
    assert settings_grid({}, cores=4) == (EngineSettings(threads=4),)


def test_a_quantised_cache_goes_with_flash_attention_alone() -> None:
    grid = settings_grid({"kv_type": ("f16", "q8_0"), "flash_attention": ("on", "off")}, cores=1)
    assert [(one.kv_type, one.flash_attention) for one in grid] == [("f16", "on"), ("f16", "off"), ("q8_0", "on")]
    with pytest.raises(UsageError, match="q4_0 only with flash attention"):
        settings_grid({"kv_type": ("q4_0",), "flash_attention": ("off",)}, cores=1)


@pytest.mark.parametrize(
    ("prompt", "generated", "depth", "expected"),
    [
        ((512,), (128,), (0,), [(512, 128, 0)]),
        ((512,), (128,), (0, 2048), [(512, 128, 0), (0, 128, 2048)]),
        ((512,), (128,), (2048,), [(512, 128, 2048)]),
        ((128, 512), (32,), (0,), [(128, 32, 0), (512, 0, 0)]),
        ((0,), (16, 32), (0, 64), [(0, 16, 0), (0, 32, 0), (0, 16, 64), (0, 32, 64)]),
        ((64,), (0,), (0,), [(64, 0, 0)]),
        ((0, 64), (8, 0), (0,), [(64, 8, 0)]),
    ],
)
def test_each_prompt_and_each_depth_is_measured_once(
    prompt: tuple[int, ...], generated: tuple[int, ...], depth: tuple[int, ...], expected: list[tuple[int, int, int]]
) -> None:
    assert workloads(prompt, generated, depth) == tuple(Workload(*one) for one in expected)


def test_texts_are_workloads_of_their_own() -> None:
    found = workloads((64, 0), (16, 8), (0,), ("copy", "new"))
    assert found == (
        Workload(64, 16, 0, "copy"), Workload(0, 8, 0, "copy"), Workload(0, 16, 0, "new"), Workload(0, 8, 0, "new")
    )  # fmt: skip
    with pytest.raises(UsageError, match="--tokens 512 with --speculation needs 2177 tokens") as caught:
        context_for(workloads((0,), (512,), (0,), ("new",)), asked=None, trained=2048)
    assert caught.value.hint == "use a smaller --tokens"


def test_what_a_run_needs_is_measured_again_by_its_own_numbers() -> None:
    """The command that repeats runs has the numbers of each, zeros among them."""
    once = workloads((512,), (128,), (0, 2048))
    lists = [tuple(dict.fromkeys(getattr(one, name) for one in once)) for name in Workload.__dataclass_fields__]
    assert workloads(*lists) == once


def test_nothing_to_measure() -> None:
    with pytest.raises(UsageError, match="nothing to measure"):
        workloads((0,), (0,), (0,))
    with pytest.raises(UsageError, match="--depth requires generation"):
        workloads((512,), (0,), (0, 64))


@pytest.mark.parametrize(
    ("load", "asked", "trained", "expected"),
    [
        (Workload(512, 128, 0), None, 4096, 768),
        (Workload(255, 0, 0), None, 4096, 256),
        (Workload(256, 0, 0), None, 4096, 512),
        (Workload(0, 128, 2048), None, 131072, 2304),
        (Workload(0, 23, 1000), None, 1024, 1024),
        (Workload(0, 23, 1000), None, 0, 1024),
        (Workload(16, 8, 0), 4096, 131072, 4096),
        (Workload(0, 1, 0), None, 4096, 256),
        (Workload(0, 128, 0, "copy"), None, 4096, 768),
    ],
)
def test_the_context_that_is_needed(load: Workload, asked: int | None, trained: int, expected: int) -> None:
    assert context_for([load], asked=asked, trained=trained) == expected


@pytest.mark.parametrize(
    ("load", "asked", "words", "hint"),
    [
        (Workload(0, 24, 1000), None, "needs 1025 tokens, which is more than the 1024", "--depth"),
        (Workload(2000, 0, 0), None, "--prompt-tokens 2000 needs 2001 tokens", "--prompt-tokens"),
        (Workload(8, 8, 600), 512, "more than --context 512", "--context 609"),
        (Workload(8, 8, 0), 2048, "--context 2048 is more than the 1024", "--context 1024"),
    ],
)
def test_a_context_that_is_too_short(load: Workload, asked: int | None, words: str, hint: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        context_for([load], asked=asked, trained=1024)
    assert hint in caught.value.hint


def test_engines_take_turns_repetition_by_repetition() -> None:
    turns = interleaved(2, workloads((64,), (8,), (0, 32)), 2)
    assert [turn.engine for turn in turns] == [0, 1] * 6
    assert [(turn.workload, turn.part, turn.repetition) for turn in turns[::2]] == [
        (0, "prompt", 0), (0, "prompt", 1),
        (0, "decode", 0), (0, "decode", 1),
        (1, "decode", 0), (1, "decode", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("repeat", [1, 2, 5])
def test_blocks_hold_the_same_turns(repeat: int) -> None:
    loads = workloads((64,), (8,), (0, 32))
    blocks = in_blocks(2, loads, repeat)
    assert sorted(map(str, (turn for block in blocks for turn in block))) == sorted(
        map(str, interleaved(2, loads, repeat))
    )
    assert [block[0].engine for block in blocks] == [0, 1] * min(repeat, 2)
    assert all(len({turn.engine for turn in block}) == 1 for block in blocks)
    assert isinstance(blocks[0][0], Turn)
