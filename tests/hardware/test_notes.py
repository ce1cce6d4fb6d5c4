"""What a person has to know of a machine, and answers of nvidia-smi that are no answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from recorded_commands import Recorded

from phicli.hardware.cards import find_cards
from phicli.hardware.commands import Output
from phicli.hardware.notes import machine_notes
from phicli.hardware.simulation import profile_names, simulate
from phicli.hardware.types import Cpu, Gpu, Machine, Memory

MEMORY = Memory(8 << 30, 4 << 30, "a test")
OLD = Machine(MEMORY, Cpu("Intel Core i5-3320M", 2, 4, ("SSE4_2", "AVX", "F16C")), system="Linux")


def test_a_processor_that_the_engine_was_not_built_for() -> None:
    (note,) = machine_notes(OLD)
    assert "needs AVX2" in note
    assert "build xllamacpp from source" in note


def test_a_dot_product_that_is_not_used() -> None:
    arm = replace(OLD, cpu=Cpu("Cortex-A76", 4, 4, ("NEON", "FP16", "DOTPROD")), simulated="a board")
    (note,) = machine_notes(arm)
    assert "on that machine, native kernels would" in note
    assert machine_notes(replace(arm, simulated=None)) == (), "this machine has a note of its own"
    assert "dot-product instructions" in note
    assert machine_notes(replace(arm, system="macOS 15")) == ()
    assert machine_notes(replace(arm, cpu=Cpu("Cortex-A72", 4, 4, ("NEON",)))) == ()


def test_nothing_to_say() -> None:
    assert machine_notes(replace(OLD, cpu=Cpu("nobody tells", 2, 4))) == ()
    for name in profile_names():
        assert bool(machine_notes(simulate(profile=name))) == ("raspberry" in name or "rtx" in name)


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ("desktop-32gb-rtx3060-12gb", ["this GPU needs the CUDA build", "pip install xllamacpp", "whl/cu128"]),
        (None, ["an NVIDIA GPU needs the CUDA build", "whl/cu128", "the Vulkan build"]),
    ],
)
def test_a_simulated_gpu_says_which_build_it_needs(profile: str | None, words: list[str]) -> None:
    """The usual build for macOS has Metal, and the engine of this machine was asked what it can use."""
    machine = simulate(profile=profile, vram=None if profile else "8G")
    (note,) = machine_notes(machine)
    assert all(word in note for word in words)
    assert machine_notes(replace(machine, simulated=None)) == ()
    assert machine_notes(simulate(profile="macbook-air-16gb")) == ()


def test_cards_that_are_idle_for_one_reason_are_told_together() -> None:
    def card(name: str, why: str | None, *, usable: bool = False) -> Gpu:
        return Gpu(name, "CUDA", 8 << 30, None, usable, "a test", why)

    gpus = (card("one", "no driver"), card("two", "no driver"), card("three", "old"), card("four", None, usable=True))
    known = replace(OLD, cpu=Cpu("x", 2, 4), gpus=gpus)
    assert machine_notes(known) == ("not used: one, two: no driver", "not used: three: old")


def test_what_failed_is_said_where_no_gpu_was_found() -> None:
    failed = replace(OLD, cpu=Cpu("x", 2, 4), failures=("nvidia-smi did not answer in 2 s",))
    assert machine_notes(failed) == ("no GPU was found, but nvidia-smi did not answer in 2 s",)
    found = replace(failed, gpus=(Gpu("a card", None, None, None, True, "a test"),))
    assert machine_notes(found) == ()


@pytest.mark.parametrize(
    "text",
    [
        "\ufffdx\x1b[2J, 12288, 12000\n",
        "name\ttab, 12288, 12000\n",
        "\x00\x01, [\x02, 3\n",
        "n" * 5000 + ", 12288, 12000\n",
        "a, 1e9, 3\n",
        "a, -5, 3\n",
        "a, \u0661\u0662, 3\n",
        "a, [\x1b]0;title], 3\n",
        ", 12288, 12000\n",
        "a, 12288\n",
        "\n\n,,,,\n",
    ],
)
def test_what_is_no_card_is_no_card(tmp_path: Path, text: str) -> None:
    found = find_cards(tmp_path, "linux", run=Recorded(nvidia_smi=Output(text)))
    assert found.cards == ()
    (failure,) = found.failures
    assert failure.startswith("nvidia-smi names no card")
    assert failure.isprintable()
    assert len(failure) < 300


def test_cards_beside_noise_are_found(tmp_path: Path) -> None:
    text = "Warning: something, of, old\nNVIDIA A100, 81920, 81000\n\ufffd, 1, 1\nNVIDIA GB10, [N/A], [N/A]\n"
    cards = find_cards(tmp_path, "linux", run=Recorded(nvidia_smi=Output(text))).cards
    assert [(card.name, card.unified) for card in cards] == [("NVIDIA A100", False), ("NVIDIA GB10", True)]


def test_memory_that_nobody_tells() -> None:
    silent = replace(OLD, memory=None, cpu=Cpu("x", 2, 4), sources={"memory": "no /proc"})
    (note,) = machine_notes(silent)
    assert note.startswith("the memory size is unknown (no /proc), so what fits is unknown")
