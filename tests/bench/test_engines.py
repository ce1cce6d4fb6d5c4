"""Engines that are not the default one, where a benchmark or an evaluation is planned."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from phicli.bench.evaluation.items import read_items
from phicli.bench.evaluation.preparing import EvalOptions, prepare
from phicli.bench.measuring.room import PlannedLoad, needed
from phicli.bench.measuring.surroundings import Surroundings
from phicli.bench.options import BenchOptions
from phicli.bench.planning import plan_for
from phicli.bench.tuning.autotune import autotune
from phicli.bench.tuning.tune import TuneOptions
from phicli.engine import starting
from phicli.engine.abilities import Ability
from phicli.engine.settings import EngineSettings
from phicli.engine.starting import DEFAULT_ENGINE, ENGINES, LLAMA_SERVER
from phicli.errors import UsageError, WrongBaseError
from phicli.fit.shape import shape_of
from phicli.gguf_file.adapter import read_adapter
from phicli.gguf_file.header import read_header
from phicli.hardware.types import Cpu, Gpu
from phicli.records.adapters import MeasuredAdapter
from phicli.records.run import Subject
from tests.bench.test_endpoint import Watch
from tests.support.files import TINY_PHI
from tests.support.lora import tensors, write_gguf
from tests.support.native import install

TINY = Subject("tiny-phi", "F16", "tiny-phi", TINY_PHI, TINY_PHI.stat().st_size)
AROUND = Surroundings(Cpu("Some CPU 9000", 2, 2), None, (), "Linux", None)
CARD = Gpu("a card", "CUDA", 8 << 30, 8 << 30, True, "a test")


def with_adapter(path: Path) -> Subject:
    """tiny-phi with the adapter in the file."""
    return replace(TINY, adapters=(MeasuredAdapter("a", path, 1.0, path.stat().st_size, "12" * 32),))


@pytest.fixture
def weak(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default engine can do nothing that not every engine can."""
    kind = replace(ENGINES[DEFAULT_ENGINE], lacks=frozenset(Ability))
    monkeypatch.setattr(starting, "ENGINES", MappingProxyType({**ENGINES, DEFAULT_ENGINE: kind}))


def test_a_setting_that_an_engine_lacks_is_refused_before_anything_is_measured(weak: None) -> None:
    options = BenchOptions(settings={"repack": (False, True)})
    with pytest.raises(UsageError, match=r"^xllamacpp cannot repack weights$") as caught:
        plan_for([TINY], options, AROUND, lambda _: None)
    assert caught.value.hint == "use an engine that can: --engine llama-server"
    assert len(plan_for([TINY], BenchOptions(), AROUND, lambda _: None).loads) == 1


def test_adapters_with_an_engine_that_cannot_use_them(weak: None, tmp_path: Path) -> None:
    subject = with_adapter(write_gguf(tmp_path / "a.gguf"))
    with pytest.raises(UsageError, match=r"^xllamacpp cannot use adapters \(LoRA\)$"):
        plan_for([subject], BenchOptions(), AROUND, lambda _: None)


def test_adapters_need_memory(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "a.gguf")
    plain, adapted = plan_for([TINY, with_adapter(path)], BenchOptions(), AROUND, lambda _: None).loads
    assert (plain.shape.adapter_bytes, adapted.shape.adapter_bytes) == (0, read_adapter(path).size_bytes)
    assert needed(adapted).resident_bytes >= needed(plain).resident_bytes + adapted.shape.adapter_bytes


def test_an_adapter_of_another_model_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    wide = write_gguf(tmp_path / "wide.gguf", tensors(modules={"mlp.down_proj": ("ffn_down", 8192, 3072)}))
    with pytest.raises(WrongBaseError, match="8192 x 3072 in the adapter"):
        plan_for([with_adapter(wide)], BenchOptions(), AROUND, lambda _: None)


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="the program is a script")
def test_questions_are_asked_one_at_a_time_where_an_engine_cannot_do_more(weak: None, tmp_path: Path) -> None:
    line = b'{"question": "%d?", "compare": "exact", "answer": "x"}'
    asked = read_items(b"\n".join(line % number for number in range(9)), "test")
    assert prepare(TINY, asked, EvalOptions("arithmetic"), AROUND).slots == 1
    other, options = replace(TINY, engine=LLAMA_SERVER), EvalOptions("arithmetic", llama_server=install(tmp_path))
    assert prepare(other, asked, options, AROUND).slots == 4


def test_an_engine_without_slots_cannot_be_tuned(weak: None) -> None:
    with pytest.raises(UsageError, match="xllamacpp cannot answer several requests at a time"):
        next(autotune(["tiny-phi"], TuneOptions(), Watch()))


def test_the_memory_of_a_gpu_counts_only_for_an_engine_that_is_known_to_use_it() -> None:
    load = PlannedLoad(TINY, EngineSettings(2), shape_of(read_header(TINY_PHI)), 256)
    assert needed(load, (CARD,)).gpu_bytes > 0
    other = replace(load, subject=replace(TINY, engine=LLAMA_SERVER))
    assert needed(other, (CARD,)) == needed(other)
