"""Where a model is put: the sums are those of the memory model, on one GPU, on two, and shared with the processor."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phicli.catalog.load import catalog
from phicli.fit.memory import MIB, plan_memory, usable_bytes
from phicli.fit.placement import gpu_budget_bytes, place, places
from phicli.fit.shape import ModelShape
from phicli.fit.types import Request
from phicli.hardware.types import Gpu, Machine
from phicli.plan.candidates import expected_shape
from tests.support.recommending import GB, machine, pick, recommended

GIB = 1 << 30
VARIANTS = {variant.id: variant for variant in catalog().variants}


def shape(name: str, quant: str = "Q4_K_M") -> ModelShape:
    found = expected_shape(VARIANTS[name], quant)
    assert found is not None
    return found[0]


def with_gpus(*gib: float, ram_gib: float = 64) -> Machine:
    one = machine(ram_gib, vram_gib=1)
    return replace(one, gpus=tuple(replace(one.gpus[0], total_bytes=int(g * GIB), free_bytes=None) for g in gib))


@pytest.mark.parametrize("name", ["phi-4-mini", "phi-4", "phi-3.5-moe", "phi-3.5-mini"])
@pytest.mark.parametrize("vram", [2, 4, 6, 8, 12, 16, 24, 48])
def test_the_memory_is_that_of_the_model_with_as_many_layers(name: str, vram: float) -> None:
    here = with_gpus(vram)
    for context in (512, 4096, 32_768):
        placed = place(shape(name), here, context, "f16")
        expected = plan_memory(
            shape(name),
            context_tokens=context,
            gpu_layers=placed.gpu_layers,
        )
        assert placed.memory == expected
        assert placed.memory.gpu_bytes <= gpu_budget_bytes(here.gpus)
        assert here.memory is not None
        if placed.fits:
            assert placed.memory.resident_bytes <= usable_bytes(here.memory)


@pytest.mark.parametrize("name", ["phi-4-mini", "phi-4", "phi-3.5-moe"])
def test_as_many_layers_as_there_is_room_for(name: str) -> None:
    for vram in range(1, 40):
        here = with_gpus(vram)
        layers = place(shape(name), here, 4096, "f16").gpu_layers
        if 0 < layers <= shape(name).layers:
            more = plan_memory(shape(name), context_tokens=4096, gpu_layers=layers + 1)
            assert more.gpu_bytes > gpu_budget_bytes(here.gpus)


def test_more_of_the_gpu_never_takes_fewer_layers() -> None:
    counts = [place(shape("phi-4"), with_gpus(vram / 2), 4096, "f16").gpu_layers for vram in range(2, 40)]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 41)


def test_a_second_gpu_costs_a_buffer_of_its_own_and_whole_layers() -> None:
    """Two cards take no more than one of twice the size, and all that fits on one fits on it with a small second."""
    for half in (3, 4, 5, 6, 8):
        two = place(shape("phi-4"), with_gpus(half, half), 4096, "f16").gpu_layers
        one = place(shape("phi-4"), with_gpus(2 * half), 4096, "f16").gpu_layers
        assert two <= one
    assert place(shape("phi-4"), with_gpus(12, 12), 4096, "f16").gpu_layers == 41
    assert 0 < place(shape("phi-3.5-moe"), with_gpus(12, 12), 4096, "f16").gpu_layers < 33


def test_what_a_gpu_keeps_for_itself() -> None:
    gpu = Gpu("a GPU", "CUDA", 8 * GIB, 7 * GIB, True, "a test")
    assert gpu_budget_bytes((gpu,)) == 7 * GIB - 512 * MIB - 300 * MIB
    assert gpu_budget_bytes((gpu, gpu)) == 2 * gpu_budget_bytes((gpu,))
    large = replace(gpu, total_bytes=80 * GIB, free_bytes=80 * GIB)
    assert gpu_budget_bytes((large,)) == 76 * GIB - 300 * MIB
    shared = replace(gpu, unified=True, total_bytes=None)  # its limit and main memory have their reserves already
    assert gpu_budget_bytes((shared,)) == 7 * GIB
    for useless in (
        replace(gpu, usable=False),
        replace(gpu, total_bytes=None, free_bytes=None),
        replace(gpu, free_bytes=0),
        replace(gpu, free_bytes=600 * MIB),
    ):
        assert gpu_budget_bytes((useless,)) == 0


def test_memory_that_is_shared_has_to_hold_all_of_it() -> None:
    here = machine(16, used_gib=4, vram_gib=11, unified=True)
    assert here.memory is not None
    placed = place(shape("phi-4"), here, 4096, "f16")
    assert placed.gpu_layers == 41
    assert placed.memory.total_bytes <= usable_bytes(here.memory)
    assert place(shape("phi-4", "Q6_K"), here, 4096, "f16").gpu_layers == 0


def test_layers_stay_on_a_gpu_that_shares_the_memory_however_full_that_is() -> None:
    """On the processor the same memory is as full, and the answers come at two thirds of the speed."""
    for size in range(9, 24):
        here = machine(size / 2, used_gib=size / 5, vram_gib=size / 3, unified=True)
        tried = places(shape("phi-4-mini"), here, 4096, "f16")
        layers = {placed.gpu_layers for placed in tried if placed.fits}
        assert len(layers) < 2, size
    assert layers == {33}


@pytest.mark.parametrize(("vram", "words"), [(24, []), (8, ["--gpu-layers"]), (1, ["--gpu-layers", "0"])])
def test_the_command_says_how_many_layers_unless_all_fit(vram: float, words: list[str]) -> None:
    """``phi chat`` gives a GPU all layers where nothing is said."""
    here = machine(64, bandwidth=60 * GB, vram_gib=vram)
    best = pick(recommended(here, Request(quant="Q4_K_M", context_tokens=2048)))
    assert best is not None
    if not words:
        assert "--gpu-layers" not in best.command
    else:
        number = best.command.split("--gpu-layers ")[1]
        assert int(number) == best.assessment.gpu_layers
        assert " ".join(words) in best.command


def test_without_a_gpu_the_command_says_nothing_of_layers() -> None:
    best = pick(recommended(machine(16)))
    assert best is not None
    assert "--gpu-layers" not in best.command
