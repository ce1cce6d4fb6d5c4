"""Settings measured with real engines, and with one that only keeps time."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from phicli.bench.launch import BuildChangedError, start
from phicli.bench.measuring.surroundings import Surroundings
from phicli.bench.tuning.engines import engine_pool
from phicli.bench.tuning.prepare import Prepared, measurements_of, tuned_of
from phicli.bench.tuning.search import Search
from phicli.bench.tuning.types import SLOTS, Job
from phicli.engine.settings import EngineSettings
from phicli.engine.types import NO_TOKENS, Done, GenerationEvent, Sampling, Timings, Usage
from phicli.errors import DoesNotFitError, EngineError
from phicli.fit.shape import shape_of
from phicli.gguf_file.header import read_header
from phicli.hardware.available import Memory
from phicli.hardware.types import Cpu, Gpu
from phicli.records.run import Subject
from phicli.records.tuned import CONVERSATION, USES
from tests.fakes.tunable_machine import TunableMachine
from tests.plan.test_plan_load import phi_4_mini
from tests.support.files import TINY_PHI

GIB = 1 << 30

TINY = Subject("tiny-phi", "F16", "tiny-phi", TINY_PHI, TINY_PHI.stat().st_size)
MINI = Subject("phi-4-mini", "Q4_K_M", "phi-4-mini", Path("mini.gguf"), 2_491_874_272)


def around(available_gib: float | None = 60, gpus: tuple[Gpu, ...] = ()) -> Surroundings:
    memory = None if available_gib is None else Memory(8 * GIB, int(available_gib * GIB), "test")
    return Surroundings(Cpu("Some CPU 9000", 2, 2), memory, gpus, "Linux", None)


def mini(available_gib: float | None = 60, gpus: tuple[Gpu, ...] = ()) -> Prepared:
    return Prepared(MINI, shape_of(phi_4_mini()), around(available_gib, gpus), 4096)


class Counted:
    """An engine that generates at once, and counts what is started and ended."""

    def __init__(self, settings: EngineSettings, tokens: int = 1 << 20) -> None:
        self.settings, self._tokens = settings, tokens
        self.prompts: list[tuple[int, ...]] = []
        self.context_tokens, self.load_ms, self.pid, self.build = 768, 1.0, 1, "counted 1"

    def tokenize(self, text: str, *, parse_special: bool) -> tuple[int, ...]:
        return tuple(map(ord, text))

    def generate(
        self,
        prompt: Sequence[int],
        sampling: Sampling,
        *,
        stop_ids: frozenset[int] = frozenset(),
        visible_tokens: Mapping[str, int] = NO_TOKENS,
        until: Callable[[], bool] | None = None,
    ) -> Iterator[GenerationEvent]:
        assert sampling.max_tokens is not None
        self.prompts.append(tuple(prompt))
        count = min(sampling.max_tokens, self._tokens)
        yield Done("length", Usage(len(prompt), count, 0), Timings(2.0 * len(prompt), 5.0 * (count - 1), 1, 1), None)


class Starter:
    """Args: after how many tokens an answer ends."""

    def __init__(self, tokens: int = 1 << 20) -> None:
        self.log: list[tuple[str, int]] = []
        self.engines: list[Counted] = []
        self._tokens = tokens

    @contextlib.contextmanager
    def __call__(self, settings: EngineSettings) -> Iterator[Counted]:
        self.log.append(("start", settings.threads))
        self.engines.append(Counted(settings, self._tokens))
        try:
            yield self.engines[-1]
        finally:
            self.log.append(("end", settings.threads))


def test_engines_stay_loaded_for_the_next_round() -> None:
    starter, job = Starter(), Job()
    with engine_pool(starter, lambda several: True) as pool:
        for threads in (1, 2, 1, 2):
            assert pool(EngineSettings(threads), job).start_ms is None
        first = ["start 1", "end 1", "start 1", "start 2"]  # one in vain, then both
        assert [f"{what} {threads}" for what, threads in starter.log] == first
        pool(EngineSettings(3), job)  # the one that was used longest ago makes room
        assert starter.log[4:] == [("end", 1), ("start", 3)]
        assert pool.build == "counted 1"
    assert sorted(starter.log[6:]) == [("end", 2), ("end", 3)]


def test_where_only_one_fits_they_take_turns() -> None:
    starter = Starter()
    with engine_pool(starter, lambda several: len(several) == 1) as pool:
        for threads in (1, 2, 1):
            pool(EngineSettings(threads), Job())
    whole = [what for what, _ in starter.log]
    assert whole == ["start", "end"] * 4


def test_another_build_ends_the_search() -> None:
    starter = Starter()
    with engine_pool(starter, lambda several: True) as pool:
        pool(EngineSettings(1), Job())
        pool.build = "counted 1 (some kernels)"
        with pytest.raises(BuildChangedError, match="is counted 1 now, but was counted 1"):
            pool(EngineSettings(2), Job())
    assert [what for what, _ in starter.log].count("end") == 3


def test_a_fresh_trial_starts_the_engine_anew_and_times_it() -> None:
    starter = Starter()
    with engine_pool(starter, lambda several: True) as pool:
        trials = [pool(EngineSettings(1), Job(fresh=True)) for _ in range(2)]
    assert all(trial.start_ms is not None and trial.start_ms >= 0 for trial in trials)
    assert starter.log.count(("start", 1)) == 3


def test_a_job_measures_what_it_says_and_never_a_prompt_twice() -> None:
    starter = Starter()
    with engine_pool(starter, lambda several: True) as pool:
        whole = pool(EngineSettings(1), Job(prompt_tokens=32, generated_tokens=4))
        only_read = pool(EngineSettings(1), Job(prompt_tokens=256, generated_tokens=0, batched=False))
        deep = pool(EngineSettings(1), Job(prompt_tokens=256, depth_tokens=256, batched=False))
    assert (whole.prefill_ms, whole.decode_ms) == (2.0, 5.0)
    assert whole.batched_ms is not None
    assert (only_read.prefill_ms, only_read.decode_ms, only_read.batched_ms) == (2.0, None, None)
    assert (deep.prefill_ms, deep.decode_ms) == (2.0, 5.0)
    prompts = starter.engines[-1].prompts
    read = [prompt[0] for prompt in prompts if len(prompt) == 32]
    assert len(set(read)) == len(read) > 1
    assert {len(prompt) for prompt in prompts} == {8, 16, 32, 256}
    assert all(0 < token < 900 for prompt in prompts for token in prompt)


@pytest.mark.process
def test_what_other_programs_used_meanwhile_is_known() -> None:
    """Two processes that spin count as others'; nothing is said of what was too short to tell."""
    with engine_pool(slow, lambda several: True) as pool:
        assert pool.used_by_others is None
        spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
        try:
            deadline = time.monotonic() + 10
            while (pool.used_by_others is None or pool.used_by_others < 0.2) and time.monotonic() < deadline:
                pool(EngineSettings(1), Job(generated_tokens=0, batched=False))
        finally:
            for one in spinning:
                one.kill()
                one.wait()
        assert pool.used_by_others is not None
        assert pool.used_by_others >= 0.2


class Slow(Counted):
    """An engine that waits a little before each answer, and uses no processor for that."""

    def generate(self, *prompt: Any, **more: Any) -> Iterator[GenerationEvent]:
        time.sleep(0.05)
        return super().generate(*prompt, **more)


@contextlib.contextmanager
def slow(settings: EngineSettings) -> Iterator[Slow]:
    yield Slow(settings)


def test_an_engine_that_ends_at_once_is_no_measurement() -> None:
    with engine_pool(Starter(tokens=1), lambda several: True) as pool, pytest.raises(EngineError):
        pool(EngineSettings(1), Job())


def test_engines_end_when_something_fails() -> None:
    starter = Starter()

    def disturbed() -> None:
        with engine_pool(starter, lambda several: True) as pool:
            pool(EngineSettings(1), Job())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        disturbed()
    assert [what for what, _ in starter.log].count("end") == 2


@pytest.mark.process
def test_the_real_engine_goes_all_the_way() -> None:
    header = read_header(TINY_PHI)
    prepared = Prepared(TINY, shape_of(header), around(), 256)
    space = prepared.space({"threads": (1,), "kv_type": ("f16",), "flash_attention": ("auto",), "batch_tokens": (128,)})
    with engine_pool(
        lambda settings: start(TINY, settings, prepared.measured_tokens, slots=SLOTS), prepared.fit_together
    ) as pool:
        found = Search(space, pool, budget_s=1.0).run()  # enough for one duel
    assert found.complete
    assert found.steps
    assert all(one.default_ms and one.default_ms > 0 for one in found.results.values())
    assert pool.build.startswith("xllamacpp ")
    measured = measurements_of(prepared, found, pool.build)
    assert 2 in {one.conditions.threads for one in measured} <= {1, 2}
    assert all(one.decode_tps > 0 and one.depth_tokens == 0 for one in measured)
    kept = tuned_of(prepared, found, pool.build)
    assert type(kept).from_data(kept.to_data()) == kept


def test_the_defaults_are_what_a_chat_does_without_tuning() -> None:
    space = mini().space()
    assert space.default == EngineSettings(2)
    assert space.values["repack"] == (True,)
    assert space.fits(CONVERSATION, EngineSettings(2, repack=True))
    assert not mini(4).space().fits(CONVERSATION, EngineSettings(2, repack=True))


def test_a_model_that_does_not_fit_is_refused() -> None:
    with pytest.raises(DoesNotFitError):
        mini(2.5).space()


def test_the_cache_is_quantised_only_where_memory_needs_it() -> None:
    least = next(gib / 50 for gib in range(100, 300) if _fits(gib / 50))
    assert mini(least).space().default.kv_type != "f16"
    assert mini(60).space().default.kv_type == "f16"


def _fits(available_gib: float) -> bool:
    try:
        mini(available_gib).space()
    except DoesNotFitError:
        return False
    return True


def test_on_a_graphics_processor_repacking_is_no_question() -> None:
    gpu = Gpu("Some GPU", "CUDA", 24 * GIB, 24 * GIB, True, "test")
    prepared = mini(60, (gpu,))
    assert prepared.space().values["repack"] == ()
    assert prepared.device == "Some GPU"


def test_what_the_recommendation_learns_of_a_search() -> None:
    machine = TunableMachine()
    prepared = mini()
    found = Search(prepared.space(), machine, clock=machine.clock).run()
    measured = {(one.conditions.threads, one.conditions.repack): one for one in measurements_of(prepared, found, "x 1")}
    assert {(2, True), (2, False)} <= set(measured)
    one = measured[2, True]
    assert (one.decode_tps, one.prompt_tokens) == (pytest.approx(10), 64)
    assert one.conditions.device == "cpu"
    stranger = Prepared(Subject("x.gguf", None, None, Path("x"), 1), prepared.shape, prepared.around, 4096)
    known_by = {(one.variant_id, one.quant) for one in measurements_of(stranger, found, "x 1")}
    assert known_by == {(str(Path("x").resolve()), "")}
    assert set(tuned_of(prepared, found, "x 1").winners) == set(USES)
