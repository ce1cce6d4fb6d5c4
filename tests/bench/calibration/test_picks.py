"""``phi recommend --calibrate``: the picks are timed, what was found is kept, and it is used from then on.

The files that are timed are real, with the layers of the picks; the engine is one whose clock is a formula.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.bench.calibration.picks import calibrated_report
from phicli.bench.calibration.timing import Setting, Timed
from phicli.fit.types import Request
from phicli.gguf_file.header import read_header
from phicli.hardware.cpu_facts import describe_cpu
from phicli.plan.machine import MachineOptions
from phicli.plan.recommend_here import report_for
from phicli.plan.recommendation import Report
from phicli.records.calibration_files import load_calibrations
from tests.fakes.clocked_engine import Clock, ClockedEngine

pytest.importorskip("gguf")

LAYER_MS, FIXED_MS, HEAD_MS = 2.0, 16.0, 10.0
WISH = Request(quant="Q4_K_M", max_size_bytes=int(2.3 * 2**30))
"""Leaves the models whose files are written fastest: those with a small vocabulary."""


class Starter:
    """Starts clocked engines; the output matrix of a small vocabulary takes no time."""

    def __init__(self) -> None:
        self.settings: list[Setting] = []

    @contextlib.contextmanager
    def __call__(self, path: Path, setting: Setting, context_tokens: int) -> Iterator[Timed]:
        header = read_header(path)
        assert header.block_count is not None
        assert header.vocabulary is not None
        fixed = FIXED_MS - (0 if header.vocabulary.size > 1024 else HEAD_MS)
        self.settings.append(setting)
        engine = ClockedEngine(header.block_count, Clock(LAYER_MS, fixed, prefill=1.0), context_tokens=context_tokens)
        try:
            yield Timed(engine)
        finally:
            engine.close()


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))


def methods(report: Report) -> dict[str, str]:
    return {pick.assessment.candidate.variant.id: pick.assessment.speed.method for pick in report.found.picks}


@pytest.mark.process
def test_the_picks_are_timed_kept_and_used(tmp_path: Path) -> None:
    start, told = Starter(), []
    before = report_for(WISH, MachineOptions(), told.append)
    assert set(methods(before).values()) == {"estimated"}
    after = calibrated_report(WISH, MachineOptions(), told.append, start)
    assert set(methods(after).values()) == {"calibrated"}
    best = after.found.picks[0].assessment
    expected = 1000 / (FIXED_MS + best.candidate.shape.layers * LAYER_MS)
    assert best.speed.decode_tps == pytest.approx(expected, rel=0.05)  # published files differ a little from the recipe
    assert {setting.engine.repack for setting in start.settings} == {False}
    assert {setting.engine.threads for setting in start.settings} == {after.machine.cpu.physical_cores}
    name = f"{best.candidate.variant.id}:q4_k_m"
    assert f"calibrating {name}: timing" in told
    kept = load_calibrations(describe_cpu()[0].name)
    assert [one.quant for one in kept] == ["Q4_K_M"] * len(kept)
    assert kept
    count = len(start.settings)
    again = report_for(WISH, MachineOptions(), told.append)
    assert methods(again) == methods(after)
    assert [pick.assessment.speed for pick in again.found.picks] == [
        pick.assessment.speed for pick in after.found.picks
    ]
    assert len(start.settings) == count
    simulated = report_for(replace(WISH, quant="Q4_K_M"), MachineOptions(ram="16G"), told.append)
    assert set(methods(simulated).values()) == {"estimated"}
    assert list((tmp_path / "phi" / "cache").glob("phi-calibration-*")) == []


@pytest.mark.process
def test_what_cannot_be_saved_is_used_for_this_run_only(tmp_path: Path) -> None:
    (tmp_path / "phi" / "data").mkdir(parents=True)
    (tmp_path / "phi" / "data" / "calibrations").write_text("a file where a folder should be")
    told: list[str] = []
    report = calibrated_report(WISH, MachineOptions(), told.append, Starter())
    assert set(methods(report).values()) == {"calibrated"}
    assert [line for line in told if line.startswith("used for this run only: it could not be saved")]
    assert set(methods(report_for(WISH, MachineOptions(), told.append)).values()) == {"estimated"}
