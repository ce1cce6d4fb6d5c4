from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

from phicli.bench.measuring.surroundings import (
    CpuUse,
    Surroundings,
    busy_warning,
    cpu_use,
    look_around,
    others,
    spoilt,
    spread_warnings,
)
from phicli.hardware.types import Cpu, Gpu
from phicli.records.run import Sample
from tests.fakes.bench_engines import around
from tests.support.runs import run


def test_the_machine_at_hand() -> None:
    found = look_around()
    data = found.to_data()
    assert set(data) == {"cpu", "physical_cores", "threads", "memory_total_bytes", "gpus", "system"}
    assert data["physical_cores"] >= 1
    assert data["cpu"]


@pytest.mark.parametrize(("layers", "expected"), [(0, "cpu"), (-1, "a card"), (33, "a card"), (32, None), (10, None)])
def test_where_the_layers_are(layers: int, expected: str | None) -> None:
    card = Gpu("a card", "CUDA", 1, 1, True, "a test")
    assert Surroundings(Cpu("c", 2, 2), None, (card,), "", None).device(layers, 32) == expected


def test_a_card_that_the_engine_cannot_use_has_no_layers() -> None:
    card = Gpu("a card", "CUDA", 1, 1, False, "a test")
    assert Surroundings(Cpu("c", 2, 2), None, (card,), "", None).device(-1, 32) == "cpu"


@pytest.mark.parametrize(
    ("load_average", "used", "busy"),
    [
        (0.0, None, False),
        (2.0, None, False),
        (2.1, None, True),
        (None, None, False),
        (8.0, 0.1, False),  # it was busy before, and is not any more
        (0.0, 0.8, False),
        (0.0, 0.9, True),
        (None, 3.0, True),
    ],
)
def test_a_busy_machine(load_average: float | None, used: float | None, busy: bool) -> None:
    words = busy_warning(around(load_average=load_average, cores=8), used)
    assert (words is not None) == busy
    assert words is None or words.startswith("the machine was busy: ")


def test_what_others_used_is_what_we_did_not() -> None:
    assert others(CpuUse(10, 100, 20), CpuUse(14, 107, 25)) == pytest.approx((7 - 5) / 4)
    assert others(CpuUse(10, 100, 20), CpuUse(14, 104, 25)) == 0
    assert others(CpuUse(10, 100, 20), CpuUse(10.1, 107, 25)) is None
    assert others(None, CpuUse(10, 100, 20)) is None


@pytest.mark.parametrize(
    ("cores", "used", "said"),
    [(1, 0.19, False), (1, 0.25, True), (2, 0.35, False), (2, 0.7, True), (8, 0.45, False), (8, 0.9, True),
     (64, 3.0, False), (64, 4.0, True), (2, None, False)],
)  # fmt: skip
def test_what_others_may_use_before_a_result_is_worth_nothing(cores: int, used: float | None, said: bool) -> None:
    words = spoilt(Surroundings(Cpu("Some CPU", cores, cores), None, (), "Linux", 99.0), used)
    assert (words is not None) == said
    assert words is None or words.endswith(
        f"other programs used {used:.1f} of {cores} processors during the measurement"
    )


def wait_until_used(pid: int, seconds: float) -> None:
    """Wait until the process has used so many seconds of processors, as ``cpu_use`` counts them."""
    until = time.monotonic() + 60
    while sum(psutil.Process(pid).cpu_times()[:2]) < seconds and time.monotonic() < until:
        time.sleep(0.01)


@pytest.mark.process
def test_own_work_and_that_of_others_are_told_apart() -> None:
    """A process that keeps a processor busy counts as ours when it is named."""
    before = cpu_use()
    assert before is not None
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as spinning:
        try:
            wait_until_used(spinning.pid, 0.2)
            ours, all_others = cpu_use([spinning.pid]), cpu_use()
        finally:
            spinning.kill()
    assert ours is not None
    assert all_others is not None
    assert ours.own_s - all_others.own_s > 0.05
    assert ours.busy_s - before.busy_s >= 0.05
    assert cpu_use([spinning.pid]) is None


def test_samples_that_scatter() -> None:
    assert spread_warnings(run()) == ()
    wild = run(samples=tuple(Sample(1000.0, 1000.0 * factor, 1000.0) for factor in (1, 1.5, 0.8)))
    (words,) = spread_warnings(wild)
    assert words.startswith("generation speed varied by 3")
    assert spread_warnings(run(samples=(Sample(1000.0, 1000.0, 1000.0),))) == ()
    assert spread_warnings(run(samples=wild.samples, speculation="ngram-mod")) == (), "each text has its own speed"
