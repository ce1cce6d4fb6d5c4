"""Which speeds in the history ``phi recommend`` uses: of benchmarks, of tuning, and of what earlier versions left."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phicli.bench.measuring.bench_plan import BenchPlan
from phicli.bench.measuring.collect import collect
from phicli.bench.measuring.energy import EnergyMeter
from phicli.bench.measuring.room import PlannedLoad
from phicli.fit.calibration import Conditions, Measurement
from phicli.hardware.types import Gpu
from phicli.records.history import Entry, History, entry_of
from phicli.records.run import Run, Workload
from phicli.records.speed_data import speed_data
from phicli.records.speeds import load_speeds
from tests.fakes.bench_engines import GIB, Laboratory, around, load
from tests.support.runs import adapter, with_adapters
from tests.support.runs import run as made_run

CARD = Gpu("a card", "CUDA", 1, 1, True, "a test")
CPU, BUILD = "a processor", "clocked 1.0"
HERE = Conditions(CPU, BUILD, 2)
MEASUREMENT = Measurement(HERE, "phi-4-mini", "Q4_K_M", 2 * GIB, 0, 11.5, 0.2, 512, 34.0, "2026-11-22T10:00:00+00:00")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "home"))


def no_energy(*, gpu: bool = False) -> EnergyMeter:
    return EnergyMeter()


def saved(*runs: Run) -> tuple[Measurement, ...]:
    """The speeds in a history that has ``runs``."""
    for run in runs:
        History().add(entry_of(run))
    return found()


def found() -> tuple[Measurement, ...]:
    speeds = load_speeds(CPU, BUILD)
    assert speeds.notices == ()
    return speeds.measurements


def measured(
    one: PlannedLoad, *work: Workload, cards: tuple[Gpu, ...] = ()
) -> tuple[tuple[Run, ...], tuple[Measurement, ...]]:
    """The runs of a benchmark, and the speeds in a history that has nothing else, by depth."""
    here = replace(around(), gpus=cards)
    plan = BenchPlan((one,), work or (Workload(64, 8, 0),), 3)
    runs = collect(plan, here, launch=Laboratory().launch, open_energy=no_energy).runs
    History().path.unlink(missing_ok=True)
    return runs, tuple(sorted(saved(*runs), key=lambda one: one.depth_tokens))


def test_a_usual_run_tells_the_recommendation() -> None:
    one = load(threads=2)
    (run,), (speed,) = measured(one)
    assert (speed.variant_id, speed.quant) == ("phi-4-mini", "Q4_K_M")
    assert speed.conditions.cpu == "a processor"
    assert (speed.conditions.build, speed.conditions.threads) == ("clocked 1.0", 2)
    assert (speed.conditions.device, speed.conditions.repack) == ("cpu", False)
    assert speed.weights_bytes == one.shape.weights_bytes
    assert run.decode_tps is not None
    assert run.prompt_tps is not None
    assert speed.decode_tps == pytest.approx(run.decode_tps.mean)
    assert (speed.prompt_tokens, speed.prefill_tps) == (64, pytest.approx(run.prompt_tps.mean))
    assert Measurement.from_data(speed.to_data()) == speed


def test_a_deeper_run_has_the_prompt_of_the_first() -> None:
    _, speeds = measured(load(), Workload(64, 8, 0), Workload(0, 8, 500))
    assert [one.depth_tokens for one in speeds] == [0, 500]
    assert speeds[0].prefill_tps == speeds[1].prefill_tps > 0
    assert speeds[0].decode_tps > speeds[1].decode_tps


def test_without_a_prompt_nothing_is_said_of_prompts() -> None:
    _, (speed,) = measured(load(), Workload(0, 8, 0))
    assert (speed.prompt_tokens, speed.prefill_tps) == (0, 0)


def test_layers_on_a_card() -> None:
    one = load()
    assert measured(one, cards=(CARD,))[1][0].conditions.device == "a card"
    some = replace(one, settings=replace(one.settings, gpu_layers=4))
    assert measured(some, cards=(CARD,))[1] == ()


@pytest.mark.parametrize(
    "change",
    [{"kv_type": "q8_0"}, {"flash_attention": "off"}, {"batch_tokens": 512}, {"speculation": "ngram-mod"}],
    ids=str,
)
def test_unusual_settings_tell_nothing(change: dict[str, object]) -> None:
    one = load()
    assert measured(replace(one, settings=replace(one.settings, **change)))[1] == ()  # type: ignore[arg-type]


def test_texts_tell_nothing() -> None:
    """Not even without speculation: how deep in the context they were generated is not recorded."""
    (run,), (speed,) = measured(load())
    assert speed.decode_tps > 0
    assert saved(replace(run, workload=replace(run.workload, text="new"))) == ()


def test_adapters_tell_nothing() -> None:
    """What is slower or faster with them is not the model."""
    one = load()
    adapted = replace(one, subject=replace(one.subject, adapters=(adapter(),)))
    assert measured(adapted)[1] == ()
    (run,), (speed,) = measured(one)
    later = with_adapters(replace(run, run_id="z", made_at="2030-01-01T00:00:00+00:00", samples=()), adapter())
    assert saved(run, later) == (speed,)


def test_other_engines_tell_nothing() -> None:
    one = load()
    assert measured(replace(one, subject=replace(one.subject, engine="llama-server")))[1] == ()


def test_a_file_that_the_catalog_does_not_know_is_known_by_its_path(tmp_path: Path) -> None:
    """Two of them of one size are two; a link is the file that it leads to."""
    one, speeds = load(), []
    (tmp_path / "link.gguf").symlink_to(tmp_path / "b.gguf")
    for name in ("a.gguf", "link.gguf"):
        subject = replace(one.subject, variant_id=None, quant=None, path=tmp_path / name)
        speeds += measured(replace(one, subject=subject))[1]
    names = [str((tmp_path / name).resolve()) for name in ("a.gguf", "b.gguf")]
    assert [speed.variant_id for speed in speeds] == names
    assert {speed.quant for speed in speeds} == {""}


def test_interrupted_runs_and_prompts_alone_tell_nothing() -> None:
    (run,), (speed,) = measured(load())
    assert saved(replace(run, complete=False)) == ()
    assert speed.decode_tps > 0
    assert measured(load(), Workload(64, 0, 0))[1] == ()


def test_a_deeper_run_has_no_prompt_of_another_benchmark() -> None:
    (alone,), _ = measured(load(), Workload(0, 8, 500))
    other = replace(alone, run_id="other", workload=Workload(64, 8, 0), samples=made_run().samples, load_ms=1.5)
    deep = next(one for one in saved(other) if one.depth_tokens == 500)
    assert (deep.prompt_tokens, deep.prefill_tps) == (0, 0)


def test_the_newest_of_each_depth_and_setting_counts() -> None:
    (old,), _ = measured(load())
    new = replace(old, run_id="new", made_at="2027-01-01T00:00:00+00:00", samples=old.samples[:2])
    repacked = replace(old, run_id="other", settings=replace(old.settings, repack=True))
    speeds = saved(new, repacked)
    assert [one.made_at for one in speeds if not one.conditions.repack] == [new.made_at]
    assert len(speeds) == 2
    History().remove(["new"])
    assert {one.made_at for one in found()} == {old.made_at}, "the one before it counts again"


def test_an_interrupted_run_hides_no_older_one() -> None:
    (old,), before = measured(load())
    assert saved(replace(old, run_id="new", made_at="2027-01-01T00:00:00+00:00", complete=False)) == before


def test_other_processors_and_builds_are_left_out() -> None:
    measured(load())
    assert load_speeds("another", BUILD).measurements == ()
    assert load_speeds(CPU, "clocked 2.0").measurements == ()


def older(run: Run, **changes: Any) -> Entry:
    """``run`` as versions before this one saved it."""
    entry = entry_of(run)
    data = {name: value for name, value in entry.data.items() if name not in ("weights_bytes", "device")}
    return replace(entry, data={**data, **changes})


@pytest.mark.parametrize(
    ("gpus", "gpu_layers", "device"),
    [([], -1, "cpu"), (["a card"], 0, "cpu"), (["a card"], -1, None), (["a card"], 40, None)],
)
def test_older_runs_count_where_it_is_certain_where_their_layers_were(
    gpus: list[str], gpu_layers: int, device: str | None
) -> None:
    """A card that is named may be one that the engine cannot use."""
    (run,), _ = measured(load())
    hardware, settings = {**run.hardware, "gpus": gpus}, {**run.settings.to_data(), "gpu_layers": gpu_layers}
    History().add(older(run, hardware=hardware, settings=settings))
    assert [one.conditions.device for one in found()] == ([] if device is None else [device])


def test_older_runs_have_the_size_of_the_file() -> None:
    (run,), _ = measured(load())
    History().add(older(run))
    assert [one.weights_bytes for one in found()] == [run.subject.size_bytes]


def tune(*speeds: Any) -> Entry:
    return Entry("tune1", MEASUREMENT.made_at, "tune", "a name", None, "xllamacpp", BUILD, CPU, {"speeds": [*speeds]})


def test_speeds_of_tuning() -> None:
    repacked = replace(MEASUREMENT, conditions=replace(HERE, repack=True), prefill_tps=0.0, prompt_tokens=0)
    History().add(tune(speed_data(MEASUREMENT), speed_data(repacked)))
    assert set(found()) == {MEASUREMENT, repacked}


DAMAGED: list[Mapping[str, Any]] = [
    {"variant_id": 3},
    {"weights_bytes": -1},
    {"decode_tps": None},
    {"decode_tps": {"mean": "fast", "stdev": 0}},
    {"decode_tps": {"mean": True, "stdev": 0}},
    {"decode_tps": 3.0},
    {"decode_tps": {"mean": 1e300, "stdev": 0}},
    {"settings": []},
    {"settings": {"threads": 2.5, "repack": False}},
    {"settings": {"repack": False}},
    {"device": None, "hardware": {"gpus": ["a card"]}},
    {"device": None, "hardware": None},
    {"device": 7},
    {"depth_tokens": "deep"},
    {"prompt_tps": {"mean": None}},
    {"prompt_tps": "fast"},
]


@pytest.mark.parametrize("change", DAMAGED, ids=str)
@pytest.mark.parametrize("kind", ["run", "tune", "speed"])
def test_damaged_speeds_are_left_out(kind: str, change: Mapping[str, Any]) -> None:
    measured(load())
    before = found()
    data = {**speed_data(MEASUREMENT), "hardware": {"gpus": []}, **change}
    entry = replace(tune(data, 3, None, []), kind=kind, made_at="2027-01-01T00:00:00+00:00")
    History().add(entry if kind == "tune" else replace(entry, data=data))
    assert found() == before


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"decode_tps": NaN}', "{" * 5000])
def test_rows_that_are_damaged_are_left_out(text: str) -> None:
    (run,), before = measured(load())
    History().add(entry_of(replace(run, run_id="zz")))
    raw = sqlite3.connect(History().path)
    raw.execute("UPDATE runs SET data = ? WHERE run_id = 'zz'", (text,))
    raw.commit()
    raw.close()
    assert found() == before


def test_without_a_history_nothing_is_measured_and_nothing_is_made(tmp_path: Path) -> None:
    assert found() == ()
    assert not (tmp_path / "home").exists()


def test_a_history_that_cannot_be_read_is_a_notice() -> None:
    measured(load())
    History().path.write_bytes(b"garbage" * 1000)
    speeds = load_speeds(CPU, BUILD)
    assert speeds.measurements == ()
    (notice,) = speeds.notices
    assert notice.startswith("earlier measured speeds are not used: the history")
    assert ".damaged" in notice


def test_a_home_that_is_a_file_has_nothing(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    assert found() == ()


def test_a_history_that_the_system_does_not_let_us_read_is_a_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    measured(load())

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(History().path))

    monkeypatch.setattr("phicli.storage.sqlite_file.sqlite3.connect", refused)
    (notice,) = load_speeds(CPU, BUILD).notices
    assert notice == f"earlier measured speeds are not used: permission denied: {History().path}"
