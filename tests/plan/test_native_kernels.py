"""Records made with one kind of kernels are not taken for those of the other; what is planned knows which are used."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.bench.measuring.surroundings import look_around
from phicli.bench.options import BenchOptions
from phicli.bench.planning import plan_for
from phicli.engine.kernels import Kernels, remember_failure, write_choice
from phicli.engine.starting import LLAMA_SERVER, EngineChoice, build_of
from phicli.fit.calibration import Calibration, Conditions, shape_key
from phicli.fit.repacking import AVX2_TYPES, repacked_by
from phicli.fit.shape import shape_of
from phicli.fit.types import Request
from phicli.gguf_file.header import read_header
from phicli.hardware.engine_answer import EngineAnswer
from phicli.hardware.native_gains import PREFILL, kernels_note
from phicli.hardware.types import Bandwidth, Cpu, Gain, Machine, Memory, NativeKernels
from phicli.plan.chat_options import ChatOptions
from phicli.plan.description import describe, on_machine
from phicli.plan.known_speed import known_speed
from phicli.plan.load import Use, plan_load
from phicli.plan.locate import locate
from phicli.plan.machine import repacked_here, with_kernels
from phicli.plan.recommendation import make_report
from phicli.plan.tuned_here import tuned_for
from phicli.records.calibration_files import save_calibration
from phicli.records.run import Subject
from phicli.records.tuned import ONE_ANSWER
from phicli.records.tuned_files import conditions_here, save_tuned
from tests.plan.test_tuned_load import tuned
from tests.support.files import TINY_PHI
from tests.support.kernels import save_kernels
from tests.support.lookback import write_lookback
from tests.support.machines import GPU_24, LAPTOP_16
from tests.support.native import install
from tests.support.recommending import all_candidates, speed_on
from tests.support.speeds import candidate, placed

SETS = ("SSE4_2", "AVX2", "AVX512F", "AVX512_VNNI")
MACHINE = Machine(
    Memory(8 << 30, 4 << 30, "a test"), Cpu("Some CPU 9000", 4, 4, SETS), bandwidth=Bandwidth(40e9, 1.0, "probe")
)
Build = Callable[..., Kernels]
on_linux_x86 = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="other systems have other variants"
)


def wheel() -> EngineAnswer:
    """What the engine of the published package says."""
    return EngineAnswer(features=("AVX", "AVX2", "FMA", "F16C", "BMI2"))


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Saves a file as native kernels; nothing here loads it."""
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    module = tmp_path / "libggml-cpu-some.so"
    module.write_text("a module")

    def save(**about: object) -> Kernels:
        return save_kernels(module, **about)  # type: ignore[arg-type]

    return save


def calibration(build: str) -> Calibration:
    model = candidate(quant="Q4_K_M")
    conditions = Conditions(MACHINE.cpu.name, build, MACHINE.cpu.physical_cores)
    key = shape_key(model.shape)
    times = {"ms_per_layer": 2.5, "ms_fixed": 20.0, "attention_ms": 0.001, "prefill_ms": 0.8, "prefill_ms_fixed": 5.0}
    return Calibration(
        conditions, "Q4_K_M", key, 61e6, 1e8, 12_288.0, prefill_attention_ms=0.0001, spread=0.02,
        made_at="2026-11-22T10:00:00+00:00", **times,
    )  # fmt: skip


def method() -> str:
    speed = known_speed(with_kernels(MACHINE, wheel), prompt_tokens=512, tell=lambda _: None)
    return speed(candidate(quant="Q4_K_M"), placed()).grade


def test_a_calibration_holds_for_its_own_kernels_only(build: Build) -> None:
    save_calibration(calibration(build_of()))
    assert method() == "calibrated"
    build()
    assert build_of().endswith(" (some kernels)")
    assert method() == "estimated with native kernels"
    save_calibration(calibration(build_of()))
    assert method() == "calibrated with native kernels"
    write_choice("wheel")
    assert method() == "calibrated"


def test_tuned_settings_hold_for_their_own_kernels_only(build: Build) -> None:
    now = conditions_here()
    settings = replace(tuned(), cpu=now.cpu, cores=now.cores, build=now.build)
    save_tuned(settings, TINY_PHI, None)
    assert tuned_for(TINY_PHI, ONE_ANSWER, tell=False).current == settings
    build()
    assert tuned_for(TINY_PHI, ONE_ANSWER, tell=False).current is None
    write_choice("wheel")
    assert tuned_for(TINY_PHI, ONE_ANSWER, tell=False).current == settings


def test_a_machine_with_native_kernels(build: Build) -> None:
    kernels = build(sets=SETS)
    assert with_kernels(MACHINE, wheel).kernels == NativeKernels(SETS)
    assert set(repacked_here(EngineChoice())) == {*AVX2_TYPES, "Q2_K"}
    remember_failure(kernels, "a reason")
    assert with_kernels(MACHINE, wheel).kernels.notice.startswith("the native kernels are not used: a reason")
    assert repacked_here(EngineChoice()) == AVX2_TYPES


@on_linux_x86
def test_the_gain_is_named_where_none_were_built(build: Build) -> None:
    gain = with_kernels(MACHINE, wheel).kernels.gain
    assert gain is not None
    assert (gain.instruction_sets, gain.prompt_ratio) == (("AVX512F", "AVX512_VNNI"), PREFILL[""])
    assert repacked_here(EngineChoice()) == AVX2_TYPES


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="the program is a script")
def test_what_is_repacked_follows_the_engine_that_runs(build: Build, tmp_path: Path) -> None:
    build(sets=SETS)
    program = install(tmp_path)
    served = EngineChoice(LLAMA_SERVER, program)
    assert repacked_here(served) == repacked_by(("AVX2", "AVX512F"))
    program.write_text(program.read_text().replace("AVX512 = 1", "AMX_INT8 = 1"))
    assert repacked_here(served) == repacked_by(("AVX2", "AMX")) != repacked_here(EngineChoice())
    program.write_text(program.read_text().replace("system_info", "nothing"))
    assert repacked_here(served) == AVX2_TYPES


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="the program is a script")
def test_the_memory_for_repacking_is_that_of_the_engine_that_runs(tmp_path: Path) -> None:
    program = install(tmp_path)
    program.write_text(program.read_text().replace("AVX512 = 1", "AMX_INT8 = 1"))
    file = tmp_path / "model.gguf"
    write_lookback(file, quant="Q8_0")
    served, header = EngineChoice(LLAMA_SERVER, program), read_header(file)
    plans = [
        plan_load(locate(str(file)), header, ChatOptions(), Use.ONE_ANSWER, memory=None, cores=1, engine=engine)
        for engine in (EngineChoice(), served)
    ]
    assert [plan.shape for plan in plans] == [
        shape_of(header, repacked=repacked) for repacked in (AVX2_TYPES, repacked_by(("AVX2", "AMX")))
    ]
    options = BenchOptions(engines=("xllamacpp", LLAMA_SERVER), llama_server=program)
    subject = Subject("model", "Q8_0", None, file, file.stat().st_size)
    loads = plan_for([subject], options, look_around(), lambda _: None).loads
    assert [load.shape for load in loads] == [plan.shape for plan in plans]
    assert loads[0].shape != loads[1].shape


@pytest.mark.parametrize("choice", ["auto", "wheel"])
def test_no_gain_is_named_where_a_person_or_a_trial_has_decided(build: Build, choice: str) -> None:
    build(prompt_ratio=1.0)
    write_choice(choice)  # type: ignore[arg-type]
    assert with_kernels(MACHINE, wheel).kernels == NativeKernels()


def test_no_gain_is_named_where_the_engine_was_built_for_this_processor(build: Build) -> None:
    own = EngineAnswer(features=("AVX2", "AVX512", "AVX512_VNNI"))
    assert with_kernels(MACHINE, lambda: own).kernels == NativeKernels()
    assert with_kernels(MACHINE, lambda: EngineAnswer(failure="it hung")).kernels == NativeKernels()


@on_linux_x86
def test_kernels_of_another_version_name_both_the_reason_and_the_gain(build: Build) -> None:
    build(engine="1.2.3")
    kernels = with_kernels(MACHINE, wheel).kernels
    assert isinstance(kernels.gain, Gain)
    assert kernels.notice.startswith("the native kernels are not used: they are for xllamacpp 1.2.3")


def test_native_kernels_for_arm_use_the_dot_product(build: Build) -> None:
    arm = replace(MACHINE, cpu=Cpu("Cortex-A76", 4, 4, ("NEON", "FP16", "DOTPROD"), clock_hz=2.4e9))
    before = arm.bandwidth
    build(sets=("NEON", "DOTPROD"))
    after = with_kernels(arm, wheel).bandwidth
    assert before is not None
    assert after is not None
    assert after.flops == 4 * 2.4e9 * 16, "half of it without the dot product"


def with_gain(machine: Machine) -> Machine:
    """The machine as if it were this one, and its processor could do more than the engine's package."""
    gain = NativeKernels(gain=Gain(("AVX512F", "AVX512_VNNI"), 2.5, 1.05))
    return replace(machine, simulated=None, kernels=gain)


def test_recommend_and_show_name_the_gain_once() -> None:
    here = with_gain(LAPTOP_16)
    report = make_report(here, Request(), all_candidates(), speed_on(here))
    assert [note for note in report.notes if "phi engine build" in note] == [kernels_note(here.kernels)]
    _, found = on_machine(describe("phi-4-mini"), here, speed_on(here))
    assert found is not None
    assert found.kernels_note == kernels_note(here.kernels)


def test_nothing_is_said_of_kernels_where_the_gpu_has_it_all() -> None:
    here = with_gain(GPU_24)
    report = make_report(here, Request(), all_candidates(), speed_on(here))
    assert not any("phi engine build" in note for note in report.notes)
    _, found = on_machine(describe("phi-4-mini"), here, speed_on(here))
    assert found is not None
    assert found.kernels_note == ""


def test_show_names_a_model_that_loses_in_a_long_context() -> None:
    here = replace(LAPTOP_16, simulated=None, kernels=NativeKernels(SETS))
    for name, said in (("phi-3.5-mini", True), ("phi-4-mini", False)):
        _, found = on_machine(describe(name), here, speed_on(here))
        assert found is not None
        assert ("phi engine use wheel" in found.kernels_note) == said
