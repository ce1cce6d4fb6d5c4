from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.engine.starting import build_of
from phicli.fit.calibration import Calibration, Conditions
from phicli.records.calibration_files import load_calibrations, save_calibration

HERE = Conditions("Some CPU 9000", "xllamacpp 1", 4, repack=True)
CALIBRATION = Calibration(
    conditions=HERE,
    quant="Q4_K_M",
    shape_key="3072-8192-24-8-128-200064",
    layer_bytes=61e6,
    layer_parameters=1e8,
    attention_flops=12_288.0,
    ms_per_layer=2.5,
    ms_fixed=20,
    attention_ms=0.001,
    prefill_ms=0.8,
    prefill_ms_fixed=5.0,
    prefill_attention_ms=0.0001,
    spread=0.02,
    made_at="2026-11-22T10:00:00+00:00",
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHI_HOME", str(tmp_path))
    return tmp_path / "data"


def calibrations(build: str = "xllamacpp 1", cpu: str = "Some CPU 9000") -> tuple[Calibration, ...]:
    return load_calibrations(cpu, build)


def test_what_was_kept_is_found_again() -> None:
    save_calibration(CALIBRATION)
    assert calibrations() == (CALIBRATION,)


def test_nothing_was_kept() -> None:
    assert calibrations() == ()


def test_another_processor_and_another_build_are_left_out() -> None:
    save_calibration(CALIBRATION)
    assert calibrations(build="xllamacpp 2") == ()
    assert calibrations(cpu="Other CPU") == ()


def test_the_build_is_the_installed_one_unless_told() -> None:
    now = replace(CALIBRATION, conditions=replace(HERE, build=build_of()))
    save_calibration(CALIBRATION)
    save_calibration(now)
    assert build_of().startswith("xllamacpp ")
    assert load_calibrations("Some CPU 9000") == (now,)


def test_a_new_one_replaces_the_old_one_of_the_same_conditions() -> None:
    later = replace(CALIBRATION, ms_per_layer=3.0, made_at="2026-11-23T10:00:00+00:00")
    assert save_calibration(CALIBRATION) == save_calibration(later)
    assert calibrations() == (later,)


@pytest.mark.parametrize(
    "other",
    [
        replace(CALIBRATION, quant="Q8_0"),
        replace(CALIBRATION, shape_key="1-2-3"),
        replace(CALIBRATION, conditions=replace(HERE, repack=False)),
        replace(CALIBRATION, conditions=replace(HERE, threads=2)),
        replace(CALIBRATION, conditions=replace(HERE, device="Some GPU")),
    ],
    ids=["quant", "shape", "repack", "threads", "device"],
)
def test_other_conditions_are_kept_beside_it(other: Calibration) -> None:
    save_calibration(CALIBRATION)
    save_calibration(other)
    assert len(calibrations()) == 2


def test_the_newest_comes_first() -> None:
    old = replace(CALIBRATION, quant="Q8_0", made_at="2025-01-01T00:00:00+00:00")
    new = replace(CALIBRATION, quant="Q6_K", made_at="2027-01-01T00:00:00+00:00")
    for one in (old, new, CALIBRATION):
        save_calibration(one)
    assert calibrations() == (new, CALIBRATION, old)


GOOD = json.dumps(CALIBRATION.to_data())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b"[" * 50_000,
        GOOD[:-9].encode(),
        b"{}",
        GOOD.replace("2.5", '"fast"').encode(),
        GOOD.replace("2.5", "NaN").encode(),
        GOOD.replace("2.5", "-2.5").encode(),
        GOOD.replace("2.5", "Infinity").encode(),
        GOOD.replace("2.5", "true").encode(),
        GOOD.replace("61000000.0", "0.0").encode(),
        GOOD.replace('"threads": 4', '"threads": 4.5').encode(),
        GOOD.replace('"conditions": {', '"conditions": 1, "was": {').encode(),
    ],
    ids=lambda content: content[:30].decode(errors="replace"),
)
def test_garbage_is_left_out(home: Path, content: bytes) -> None:
    path = save_calibration(CALIBRATION)
    (path.parent / "garbage.json").write_bytes(content)
    assert calibrations() == (CALIBRATION,)


def test_a_folder_in_place_of_a_file_is_left_out(home: Path) -> None:
    save_calibration(CALIBRATION)
    (home / "calibrations" / "folder.json").mkdir()
    assert calibrations() == (CALIBRATION,)


def test_what_a_later_version_added_does_no_harm(home: Path) -> None:
    path = save_calibration(CALIBRATION)
    path.write_text(json.dumps({**CALIBRATION.to_data(), "moon": "full"}), encoding="utf-8")
    assert calibrations() == (CALIBRATION,)


def test_nothing_but_whole_files_is_left_behind(home: Path) -> None:
    save_calibration(CALIBRATION)
    assert [path.suffix for path in (home / "calibrations").iterdir()] == [".json"]
