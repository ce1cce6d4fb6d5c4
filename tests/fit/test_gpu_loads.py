"""Loads on machines with GPUs: what is recommended is not refused, and no context grows beyond the GPU's memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from phicli.catalog.load import catalog
from phicli.engine.settings import EngineSettings
from phicli.errors import DoesNotFitError
from phicli.fit.loading import ContextWish, FittedLoad, Room, fit_load, fitting
from phicli.fit.memory import plan_memory, usable_bytes
from phicli.fit.placement import gpu_budget_bytes, place
from phicli.fit.shape import ModelShape, loaded_by
from phicli.hardware.simulation import simulate
from phicli.hardware.types import Gpu, Machine
from phicli.plan.candidates import candidates

SHAPES = {one.name: one.shape for one in candidates(catalog(), ())}
MACHINES = {
    "16 and 24": simulate(ram="16G", vram="24G"),
    "16 and 4": simulate(ram="16G", vram="4G"),
    "64 and 8": simulate(ram="64G", vram="8G"),
    "a Mac": simulate(profile="macbook-air-16gb"),
    "a small Mac": simulate(profile="macbook-air-16gb", ram="8G"),
    "no GPU": simulate(ram="16G"),
}
NAMES = ("phi-4-mini:q4_k_m", "phi-4-mini:q8_0", "phi-3-mini-4k:q4_k_m", "phi-4:q4_k_m", "phi-4:q6_k", "phi-4:q8_0")


def room_of(machine: Machine) -> Room:
    return Room(machine.memory, tuple(gpu for gpu in machine.gpus if gpu.usable))


def load(machine: Machine, name: str, *, context: int | None = None, **settings: Any) -> tuple[FittedLoad, ModelShape]:
    shape = loaded_by(SHAPES[name], machine.gpus)
    first, limit = min(4096, context or 4096), context or shape.trained_context_tokens
    wish = ContextWish(first, limit, promised=context is not None, usual_tokens=first)
    return fit_load(shape, room_of(machine), [EngineSettings(4, **settings)], wish, model=name), shape


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
@pytest.mark.parametrize("name", NAMES)
def test_what_fits_by_the_recommendation_is_loaded_in_the_same_place(machine: Machine, name: str) -> None:
    shape = loaded_by(SHAPES[name], machine.gpus)
    placed = place(shape, machine, 4096, "f16")
    if not placed.fits:
        return
    fitted, _ = load(machine, name)
    assert fitted.first_tokens == 4096
    if not machine.gpus or placed.gpu_layers > shape.layers:
        assert fitted.settings.gpu_layers == -1  # the engine has its way
    else:
        assert fitted.settings.gpu_layers == placed.gpu_layers


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
@pytest.mark.parametrize("name", NAMES)
def test_every_size_of_the_context_fits_into_both_memories(machine: Machine, name: str) -> None:
    room = room_of(machine)
    assert machine.memory is not None
    try:
        fitted, shape = load(machine, name, repack=True)
    except DoesNotFitError:
        return
    for tokens in (fitted.first_tokens, (fitted.first_tokens + fitted.limit_tokens) // 2, fitted.limit_tokens):
        settings = fitting(fitted.wanted, shape, tokens, room)
        layers = settings.gpu_layers if settings.gpu_layers >= 0 else (shape.layers + 1) * bool(machine.gpus)
        needed = plan_memory(shape, settings, context_tokens=tokens, gpu_layers=layers)
        unified = any(gpu.unified for gpu in machine.gpus)
        assert needed.gpu_bytes <= gpu_budget_bytes(machine.gpus)
        assert (needed.total_bytes if unified else needed.resident_bytes) <= usable_bytes(machine.memory)


def test_a_model_that_lies_on_the_gpu_is_not_measured_by_main_memory() -> None:
    """Recommended for 16 GB beside 24 GB, and refused: 12.1 GiB were compared with 11.2."""
    fitted, shape = load(MACHINES["16 and 24"], "phi-4:q6_k")
    assert (fitted.settings.gpu_layers, fitted.limit_tokens) == (-1, shape.trained_context_tokens)
    with pytest.raises(DoesNotFitError):
        load(MACHINES["no GPU"], "phi-4:q6_k")


def test_as_many_layers_as_fit() -> None:
    fitted, shape = load(MACHINES["64 and 8"], "phi-4:q4_k_m")
    assert 0 < fitted.settings.gpu_layers < shape.layers
    longest = fitting(fitted.wanted, shape, fitted.limit_tokens, room_of(MACHINES["64 and 8"]))
    assert longest.gpu_layers < fitted.settings.gpu_layers


def test_layers_that_were_asked_for_bound_the_context() -> None:
    """All of them on a card of 4 GB: no longer context than the card holds, and none where it holds no weights."""
    machine = MACHINES["16 and 4"]
    fitted, shape = load(machine, "phi-4-mini:q4_k_m", gpu_layers=33)
    assert fitted.settings.gpu_layers == 33
    most = plan_memory(shape, context_tokens=fitted.limit_tokens, gpu_layers=33)
    more = plan_memory(shape, context_tokens=fitted.limit_tokens + 256, gpu_layers=33)
    assert most.gpu_bytes <= gpu_budget_bytes(machine.gpus) < more.gpu_bytes
    with pytest.raises(DoesNotFitError, match="does not fit into the GPU's memory with --gpu-layers 41") as caught:
        load(machine, "phi-4:q4_k_m", gpu_layers=41)
    fewer = place(shape_of_phi_4(), machine, 4096, "f16").gpu_layers
    assert f"--gpu-layers {fewer}" in caught.value.hint
    assert load(machine, "phi-4:q4_k_m", gpu_layers=fewer)[0].settings.gpu_layers == fewer
    assert load(machine, "phi-4-mini:q4_k_m", gpu_layers=0)[0].settings.gpu_layers == 0


def shape_of_phi_4() -> ModelShape:
    return SHAPES["phi-4:q4_k_m"]


def test_the_message_names_both_memories() -> None:
    with pytest.raises(DoesNotFitError) as caught:
        load(simulate(ram="8G", vram="4G"), "phi-4:q4_k_m")
    assert "but only 4.00 GiB can be used" in caught.value.message
    assert "of the GPU's memory 2.81 GiB can be used" in caught.value.message
    with pytest.raises(DoesNotFitError) as caught:
        load(simulate(ram="8G"), "phi-4:q4_k_m")
    assert "GPU" not in caught.value.message


def test_a_machine_that_reports_no_main_memory_still_has_a_limit_of_its_gpu() -> None:
    shape, gpus = SHAPES["phi-4:q4_k_m"], MACHINES["64 and 8"].gpus
    wish = ContextWish(4096, 16_384, promised=False, usual_tokens=4096)
    fitted = fit_load(shape, Room(None, gpus), [EngineSettings(4)], wish, model="phi-4")
    assert (fitted.first_tokens, fitted.limit_tokens) == (4096, 16_384)
    assert 0 < fitted.settings.gpu_layers < shape.layers
    alone = fit_load(shape, Room(None), [EngineSettings(4, repack=True)], wish, model="phi-4")
    assert alone.settings == EngineSettings(4, repack=True)


def test_metal_uses_the_mapped_file_and_copies_no_tied_output_matrix() -> None:
    """The copy was counted in memory that is one: then an 8 GB Mac did not have Phi-4-mini on its GPU."""
    shape, metal = SHAPES["phi-4-mini:q4_k_m"], MACHINES["a small Mac"].gpus
    cuda = (Gpu("a card", "CUDA", 1 << 33, 1 << 33, True, "a test"),)
    copied, mapped = (plan_memory(loaded_by(shape, gpus), context_tokens=4096, gpu_layers=33) for gpus in (cuda, metal))
    assert copied.weights_bytes - mapped.weights_bytes == shape.embedding_bytes > 450 << 20
    assert copied.gpu_bytes == mapped.gpu_bytes
    assert mapped.weights_bytes == shape.weights_bytes
    assert loaded_by(shape, (replace(metal[0], usable=False),)) == shape
    (found,) = (one.shape for one in candidates(catalog(), (), gpus=metal) if one.name == "phi-4-mini:q4_k_m")
    assert place(found, MACHINES["a small Mac"], 4096, "f16").gpu_layers == 33
    assert load(MACHINES["a small Mac"], "phi-4-mini:q4_k_m")[0].settings.gpu_layers == -1


@pytest.mark.parametrize(("share", "repacked"), [(0.99, True), (1.01, False)])
def test_weights_are_repacked_only_where_that_fits(share: float, repacked: bool) -> None:
    shape, settings = SHAPES["phi-4-mini:q4_k_m"], EngineSettings(4, repack=True)
    memory = MACHINES["no GPU"].memory
    assert memory is not None
    needed = plan_memory(shape, settings, context_tokens=4096).total_bytes
    kept = memory.available_bytes - usable_bytes(memory)
    memory = replace(memory, available_bytes=int(needed / share) + kept)
    assert fitting(settings, shape, 4096, Room(memory)).repack == repacked
