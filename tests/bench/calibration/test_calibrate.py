from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from phicli.bench.calibration.calibrate import (
    QUANTS,
    calibrate,
    can_calibrate,
    layers_to_time,
    synthetic_shape,
)
from phicli.bench.calibration.timing import Setting, Timed, timed_engine
from phicli.bench.launch import BuildChangedError
from phicli.catalog.load import catalog
from phicli.catalog.types import Variant
from phicli.engine.kernels import remember_failure
from phicli.engine.settings import EngineSettings
from phicli.engine.starting import build_of
from phicli.errors import DoesNotFitError, EngineError, UsageError
from phicli.fit.shape import ModelShape
from phicli.fit.types import Candidate
from phicli.gguf_file.header import read_header
from phicli.hardware.types import Cpu
from tests.fakes.clocked_engine import Clock, ClockedEngine
from tests.support.kernels import save_kernels

pytest.importorskip("gguf")

ONE, TWO = (Setting(EngineSettings(threads, gpu_layers=0)) for threads in (1, 2))
CPU = Cpu("Some CPU 9000", 2, 4)
CLOCK = Clock(layer=2.5, fixed=20.0, attention=0.001, prefill=0.8, prefill_attention=0.0002, prefill_fixed=6.0)


HEAD_MS = 15.0
"""Of the fixed time, what the output matrix takes; a small vocabulary has next to none."""


def variant(name: str) -> Variant:
    return next(variant for variant in catalog().variants if variant.id == name)


def tiny(quant: str = "Q8_0") -> Candidate:
    """Dimensions that are written and loaded in no time."""
    dimensions = variant("tiny-phi").dimensions
    assert dimensions is not None
    shape = ModelShape(1_000_000, 0, 4, 128, 384, 4, 8, 32, 32, 1400, 512)
    return Candidate(variant("tiny-phi"), quant, shape, "recipe")


def cached(last_level_cache_bytes: int) -> Cpu:
    return replace(CPU, last_level_cache_bytes=last_level_cache_bytes)


class Started(NamedTuple):
    layers: int
    vocabulary: int
    setting: Setting
    context_tokens: int
    engine: ClockedEngine


class Starter:
    """Starts clocked engines and remembers them."""

    def __init__(self, clock: Clock = CLOCK, *, ends_after: int = 1 << 30, error: BaseException | None = None) -> None:
        self._clock, self._ends_after, self._error = clock, ends_after, error
        self.started: list[Started] = []

    @contextlib.contextmanager
    def __call__(self, path: Path, setting: Setting, context_tokens: int) -> Iterator[Timed]:
        header = read_header(path)
        layers, vocabulary = header.block_count, header.vocabulary
        assert layers is not None
        assert vocabulary is not None
        clock = self._clock if vocabulary.size > 1024 else replace(self._clock, fixed=self._clock.fixed - HEAD_MS)
        engine = ClockedEngine(layers, clock, context_tokens=context_tokens, ends_after=self._ends_after)
        self.started.append(Started(layers, vocabulary.size, setting, context_tokens, engine))
        try:
            if self._error is not None and len(self.started) == 3:
                raise self._error
            yield Timed(engine)
        finally:
            engine.close()


def test_slope_and_intercept_are_those_of_the_engine(tmp_path: Path) -> None:
    start = Starter()
    found = calibrate(tiny(), CPU, TWO, folder=tmp_path, start=start)
    assert found.ms_per_layer == pytest.approx(2.5 + 8 * 0.001)  # after the eight tokens of a short prompt
    assert found.ms_fixed == pytest.approx(20.0)
    assert found.attention_ms == pytest.approx(0.001, rel=0.01)
    assert found.prefill_ms == pytest.approx(0.8, rel=0.01)
    assert found.prefill_ms_fixed == pytest.approx(6.0 + HEAD_MS, abs=0.01)
    assert found.prefill_attention_ms == pytest.approx(0.0002, rel=0.05)
    assert found.spread == 0
    assert [(one.layers, one.vocabulary) for one in start.started] == [(2, 1024), (8, 1024), (2, 1400)]
    assert all(one.engine.closed for one in start.started)


def test_it_says_what_it_holds_for(tmp_path: Path) -> None:
    setting = Setting(EngineSettings(3, repack=True), "Some GPU")
    start = Starter()
    found = calibrate(tiny(), CPU, setting, folder=tmp_path, start=start)
    assert [one.setting for one in start.started] == [setting] * 3
    assert (found.conditions.cpu, found.conditions.build) == ("Some CPU 9000", build_of())
    assert (found.conditions.threads, found.conditions.repack, found.conditions.device) == (3, True, "Some GPU")
    assert (found.quant, found.shape_key) == ("Q8_0", "128-384-4-2-32-1400")


def test_kernels_that_fail_meanwhile_are_not_what_was_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "home"))
    (tmp_path / "libggml-cpu-zen4.so").write_bytes(b"a module")
    kernels = save_kernels(tmp_path / "libggml-cpu-zen4.so")
    starter = Starter()

    @contextlib.contextmanager
    def start(path: Path, setting: Setting, context_tokens: int) -> Iterator[Timed]:
        with starter(path, setting, context_tokens) as timed:
            remember_failure(kernels, "it cannot be opened")
            yield timed

    with pytest.raises(BuildChangedError, match="zen4 kernels"):
        calibrate(tiny(), CPU, TWO, folder=tmp_path, start=start)
    assert len(starter.started) == 3


def test_a_layer_has_the_bytes_and_the_arithmetic_of_the_files(tmp_path: Path) -> None:
    found = calibrate(tiny(), CPU, TWO, folder=tmp_path, start=Starter())
    weights = 128 * (4 + 2 + 2) * 32 + 4 * 32 * 128 + 3 * 128 * 384
    assert found.layer_parameters == weights
    assert found.layer_bytes == weights * 34 / 32 + 2 * 128 * 4  # and two norms in 32 bits
    assert found.attention_flops == 4 * 4 * 32


def test_layers_that_would_lie_in_the_cache_are_not_enough(tmp_path: Path) -> None:
    """The candidate's four layers have some 800 kB together."""
    assert layers_to_time(tiny(), CPU) == (2, 8)
    assert layers_to_time(replace(tiny(), shape=replace(tiny().shape, layers=40)), cached(200_000)) == (20, 80)
    long = replace(tiny(), shape=replace(tiny().shape, layers=400, weights_bytes=80_000_000))
    assert layers_to_time(long, cached(300_000)) == (4, 16)
    start = Starter()
    found = calibrate(long, cached(300_000), TWO, folder=tmp_path, start=start)
    assert [one.layers for one in start.started] == [4, 16, 4]
    assert found.ms_per_layer == pytest.approx(2.508)
    assert found.attention_ms == pytest.approx(0.001, rel=0.01)
    assert found.prefill_attention_ms == pytest.approx(0.0002, rel=0.05)


def test_no_prompt_goes_beyond_the_context(tmp_path: Path) -> None:
    start = Starter()
    calibrate(tiny(), CPU, TWO, folder=tmp_path, start=start)
    for one in start.started:
        assert max(one.engine.prompt_lengths) < one.context_tokens


def test_noise_never_makes_a_negative_time(tmp_path: Path) -> None:
    backwards = Clock(layer=-1.0, fixed=10.0, attention=-0.001, prefill=-0.1, prefill_fixed=100.0)
    found = calibrate(tiny(), CPU, TWO, folder=tmp_path, start=Starter(backwards))
    assert (found.ms_per_layer, found.attention_ms, found.prefill_ms) == (0, 0, 0)
    assert found.ms_fixed > 0


def test_an_answer_that_ends_early_is_timed_by_the_tokens_it_has(tmp_path: Path) -> None:
    found = calibrate(tiny(), CPU, TWO, folder=tmp_path, start=Starter(ends_after=3))
    assert found.ms_per_layer == pytest.approx(2.508)


def test_an_answer_of_one_token_cannot_be_timed(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="before there was anything to measure"):
        calibrate(tiny(), CPU, TWO, folder=tmp_path, start=Starter(ends_after=1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), EngineError("it died", "")], ids=["ctrl-c", "died"])
def test_nothing_is_left_behind(tmp_path: Path, error: BaseException) -> None:
    start = Starter(error=error)
    with pytest.raises(type(error)):
        calibrate(tiny(), CPU, TWO, folder=tmp_path / "cache", start=start)
    assert list((tmp_path / "cache").iterdir()) == []
    assert all(one.engine.closed for one in start.started)


def test_what_a_killed_run_left_is_removed_a_day_later(tmp_path: Path) -> None:
    import os

    old, new = tmp_path / "phi-calibration-old", tmp_path / "phi-calibration-new"
    other = tmp_path / "models"
    for folder in (old, new, other):
        folder.mkdir()
        (folder / "2.gguf").write_bytes(b"x")
    for folder in (old, other):
        os.utime(folder, (0, 0))
    calibrate(tiny(), CPU, TWO, folder=tmp_path, start=Starter())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["models", "phi-calibration-new"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="Not a directory"):
        calibrate(tiny(), CPU, TWO, folder=tmp_path / "file" / "cache", start=Starter())


def test_the_cache_is_where_it_happens_unless_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_HOME", str(tmp_path))
    calibrate(tiny(), CPU, TWO, start=Starter())
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_full_disk_is_refused_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10_000_000))
    with pytest.raises(DoesNotFitError, match="has only ~10 MiB free"):
        calibrate(tiny(), CPU, TWO, folder=tmp_path, start=Starter())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "quant", "possible"),
    [
        *(("phi-4-mini", quant, True) for quant in QUANTS),
        ("phi-3-mini-4k", "Q4_K_M", True),
        ("phi-4", "Q4_K_M", True),
        ("phi-4-mini", "Q3_K_M", False),
        ("phi-4-mini", "IQ2_XS", False),
        ("phi-2", "Q4_K_M", False),
        ("phi-3.5-moe", "Q4_K_M", False),
        ("phi-4-mini-flash-reasoning", "Q4_K_M", False),
    ],
)
def test_what_can_be_calibrated(name: str, quant: str, possible: bool) -> None:
    assert can_calibrate(variant(name), quant) is possible


def test_the_rest_is_refused_with_what_is_possible(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="calibration does not support tiny-phi in Q3_K_M") as raised:
        calibrate(tiny("Q3_K_M"), CPU, TWO, folder=tmp_path, start=Starter())
    assert "Q4_K_M" in raised.value.hint


def test_the_name_is_none_that_the_engine_knows() -> None:
    """llama.cpp looks for tokens that only the real vocabulary has where the name contains Phi-3."""
    shape = synthetic_shape(replace(tiny(), variant=variant("phi-3-mini-4k")))
    assert "phi" not in shape.name.lower()
    assert (shape.embedding, shape.vocabulary, shape.tied) == (3072, 32_064, False)


@pytest.mark.process
def test_the_real_engine_goes_all_the_way(tmp_path: Path) -> None:
    steps: list[str] = []
    found = calibrate(
        tiny(),
        CPU,
        ONE,
        folder=tmp_path,
        repeats=2,
        start=timed_engine,
        on_step=steps.append,
    )
    assert found.ms_fixed > 0 or found.ms_per_layer > 0
    assert steps == ["writing 2 layers", "writing 8 layers", "writing 2 layers", "loading", "timing"]
    assert list(tmp_path.iterdir()) == []
