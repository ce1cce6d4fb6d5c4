"""What tuning found, on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from phicli.engine.kernels import write_choice
from phicli.engine.settings import EngineSettings
from phicli.engine.starting import LLAMA_SERVER
from phicli.records.machine_mark import machine_mark
from phicli.records.tuned import CONVERSATION, ONE_ANSWER, USES, Tuned, Winner
from phicli.records.tuned_content import TuningConditions, digest_of
from phicli.records.tuned_files import (
    Kept,
    all_tuned,
    engine_of,
    find_faster,
    find_tuned,
    forget_all_tuned,
    forget_tuned,
    mark_told,
    save_tuned,
)
from tests.support.kernels import save_kernels
from tests.support.wheel_server import BUILD, install

HERE = TuningConditions("Some CPU 9000", 4, "xllamacpp 1")
HASH = "ab" * 32
WINNER = Winner(EngineSettings(3, 256, "f16", "off", True), default=False, ratio=1.2, ratio_low=1.1, ratio_high=1.3)
TUNED = Tuned(
    model="phi-4-mini",
    variant_id="phi-4-mini",
    quant="Q4_K_M",
    weights_bytes=2_489_000_000,
    cpu=HERE.cpu,
    cores=HERE.cores,
    build=HERE.build,
    made_at="2026-11-22T10:00:00+00:00",
    winners=MappingProxyType(dict.fromkeys(USES, WINNER)),
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "data" / "tuned"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(os.urandom(300_000))
    return path


def here() -> TuningConditions:
    return HERE


def nobody_asks() -> TuningConditions:
    raise AssertionError("the processor was looked at although nothing is kept")


@pytest.mark.parametrize("sha256", [None, HASH])
def test_what_was_kept_is_found_again(model: Path, sha256: str | None) -> None:
    assert find_tuned(model, sha256, nobody_asks).current is None
    save_tuned(TUNED, model, sha256)
    assert find_tuned(model, sha256, here).current == TUNED
    assert all_tuned(HERE) == (TUNED,)


def test_a_file_that_was_hashed_later_is_still_found(model: Path, home: Path) -> None:
    save_tuned(TUNED, model, None)
    assert find_tuned(model, HASH, here).current == TUNED
    newer = replace(TUNED, made_at="2026-11-23T10:00:00+00:00")
    save_tuned(newer, model, HASH)
    assert [path.name for path in home.iterdir()] == [f"sha256-{HASH}.json"]
    assert find_tuned(model, HASH, here).current == newer


def test_a_hash_finds_it_wherever_the_file_lies(model: Path, tmp_path: Path) -> None:
    save_tuned(TUNED, model, HASH)
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(model.read_bytes())
    assert find_tuned(copy, HASH, here).current == TUNED
    assert find_tuned(copy, None, nobody_asks).current is None


@pytest.mark.parametrize("place", [0, 200_000, 299_999])
def test_another_content_is_another_file(model: Path, place: int) -> None:
    before = digest_of(model)
    status = model.stat()
    content = bytearray(model.read_bytes())
    content[place] ^= 1
    model.write_bytes(content)
    if place != 200_000:  # of the middle only the time of the change tells
        os.utime(model, ns=(status.st_atime_ns, status.st_mtime_ns))
    else:
        os.utime(model, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))
    assert digest_of(model) != before


def test_another_build_processor_or_number_of_cores_makes_it_stale(model: Path) -> None:
    save_tuned(TUNED, model, HASH)
    for now in (replace(HERE, build="xllamacpp 2"), replace(HERE, cpu="Other"), replace(HERE, cores=2)):
        kept = find_tuned(model, HASH, lambda now=now: now)
        assert (kept.current, kept.stale, kept.told) == (None, TUNED, False)


def test_that_it_is_stale_is_told_once_for_each_change(model: Path) -> None:
    save_tuned(TUNED, model, HASH)
    second, third = replace(HERE, build="xllamacpp 2"), replace(HERE, build="xllamacpp 3")
    mark_told(model, HASH, find_tuned(model, HASH, lambda: second).here)
    assert find_tuned(model, HASH, lambda: second).told
    assert not find_tuned(model, HASH, lambda: third).told
    assert find_tuned(model, HASH, here).current == TUNED  # with the old engine back it holds again
    save_tuned(replace(TUNED, build="xllamacpp 2"), model, HASH)
    assert find_tuned(model, HASH, lambda: second).current is not None


def test_a_home_can_serve_several_machines(model: Path) -> None:
    other = replace(TUNED, cpu="Other")
    save_tuned(TUNED, model, HASH)
    save_tuned(other, model, HASH)
    assert find_tuned(model, HASH, here).current == TUNED
    assert find_tuned(model, HASH, lambda: replace(HERE, cpu="Other")).current == other
    newer = replace(TUNED, build="xllamacpp 2")
    save_tuned(newer, model, HASH)  # takes the place of that of the same machine alone
    assert find_tuned(model, HASH, here).stale is not None
    assert find_tuned(model, HASH, lambda: replace(HERE, cpu="Other")).current == other


def test_a_known_mark_of_the_machine_saves_naming_its_processor(model: Path) -> None:
    save_tuned(TUNED, model, HASH, "a mark")
    assert find_tuned(model, HASH, nobody_asks, lambda: "a mark").current == TUNED
    other = replace(HERE, build="xllamacpp 2")
    assert find_tuned(model, HASH, lambda: other, lambda: "another").stale == TUNED
    assert find_tuned(model, HASH, lambda: other, lambda: None).stale == TUNED
    mark_told(model, HASH, find_tuned(model, HASH, lambda: other, lambda: None).here)
    assert find_tuned(model, HASH, nobody_asks, lambda: "a mark").current == TUNED
    save_tuned(replace(TUNED, build="xllamacpp 2"), model, HASH, "another")
    assert find_tuned(model, HASH, here, lambda: "a mark").stale is not None  # the old mark went with its entry


def test_the_mark_of_this_machine_stays_the_same() -> None:
    assert machine_mark() == machine_mark()
    assert machine_mark() is not None


def test_native_kernels_change_the_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "home"))
    before = machine_mark()
    module = tmp_path / "libggml-cpu-some.so"
    module.write_text("a module")
    save_kernels(module)
    assert machine_mark() not in (None, before)
    write_choice("wheel")
    assert machine_mark() == before


def test_forgetting(model: Path, tmp_path: Path) -> None:
    assert not forget_tuned(model, HASH)
    assert forget_all_tuned() == 0
    save_tuned(TUNED, model, None)
    assert forget_tuned(model, HASH)
    assert find_tuned(model, HASH, nobody_asks).current is None
    other = tmp_path / "other.gguf"
    other.write_bytes(b"other")
    save_tuned(TUNED, model, HASH)
    save_tuned(TUNED, other, None)
    assert forget_all_tuned() == 2
    assert all_tuned(HERE) == ()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"tuned": 1}', '{"tuned": [1, {}]}', "[" * 100_000, '{"tuned": [{"model": 7}]}']
)
def test_a_damaged_file_is_as_if_nothing_was_tuned(model: Path, home: Path, text: str) -> None:
    path = save_tuned(TUNED, model, HASH)
    path.write_text(text)
    assert find_tuned(model, HASH, nobody_asks).current is None
    assert all_tuned(HERE) == ()
    save_tuned(TUNED, model, HASH)
    assert find_tuned(model, HASH, here).current == TUNED


@pytest.mark.parametrize(
    ("name", "value"),
    [("threads", 0), ("threads", True), ("batch_tokens", "128"), ("kv_type", "q2"), ("repack", 1), ("ratio", -1.0)],
)
def test_settings_that_cannot_be_are_not_used(model: Path, name: str, value: object) -> None:
    path = save_tuned(TUNED, model, HASH)
    data = json.loads(path.read_text())
    data["tuned"][0]["winners"]["conversation"][name] = value
    path.write_text(json.dumps(data))
    assert find_tuned(model, HASH, nobody_asks).current is None


def test_a_model_file_that_is_gone_is_no_error(tmp_path: Path) -> None:
    assert find_tuned(tmp_path / "gone.gguf", None, nobody_asks).current is None


@pytest.mark.parametrize(
    "damage", [{"threads": 800}, {"threads": True}, {"kv_type": "f32"}, {"repack": "on"}, {"batch_tokens": 1 << 20}]
)
def test_a_winner_that_the_engine_would_refuse_is_not_used(model: Path, damage: dict[str, object]) -> None:
    path = save_tuned(TUNED, model, HASH)
    assert find_tuned(model, HASH, here).current == TUNED
    data = json.loads(path.read_text())
    for entry in data["tuned"]:
        entry["winners"][USES[0]] |= damage
    path.write_text(json.dumps(data))
    assert find_tuned(model, HASH, here).current is None


def test_winners_of_an_earlier_version_are_read(model: Path) -> None:
    """They have the settings beside the ratio, and none for the layers."""
    path = save_tuned(TUNED, model, HASH)
    data = json.loads(path.read_text())
    for winner in data["tuned"][0]["winners"].values():
        del winner["gpu_layers"]
        assert list(winner)[:5] == ["threads", "batch_tokens", "kv_type", "flash_attention", "repack"]
    path.write_text(json.dumps(data))
    assert find_tuned(model, HASH, here).current == TUNED


@pytest.fixture
def program(tmp_path: Path, starts_process: None) -> Path:
    return install(tmp_path)


def of_program(program: Path, **more: object) -> Tuned:
    """What was found for a ``llama-server`` that was faster in a conversation."""
    about = {"engine": LLAMA_SERVER, "program": str(program), "build": BUILD, "faster": {CONVERSATION: 1.3}}
    return replace(TUNED, **{**about, "faster_than": HERE.build, **more})  # type: ignore[arg-type]


def test_each_engine_has_an_entry_of_its_own(model: Path, program: Path) -> None:
    other = of_program(program)
    save_tuned(TUNED, model, HASH)
    save_tuned(other, model, HASH)
    assert find_tuned(model, HASH, here).current == TUNED
    assert find_tuned(model, HASH, here, engine=engine_of(other)).current == other
    newer = replace(TUNED, made_at="2026-11-23T10:00:00+00:00")
    save_tuned(newer, model, HASH)
    assert find_tuned(model, HASH, here).current == newer
    assert find_tuned(model, HASH, here, engine=engine_of(other)).current == other
    assert all_tuned(HERE) == (newer,)


def test_an_engine_that_was_faster_is_found_for_what_it_was_faster_for(model: Path, program: Path) -> None:
    save_tuned(TUNED, model, HASH)
    assert find_faster(model, HASH, CONVERSATION, nobody_asks) == Kept()
    save_tuned(of_program(program), model, HASH)
    found = find_faster(model, HASH, CONVERSATION, here)
    assert (found.current, found.stale) == (of_program(program), None)
    assert find_faster(model, HASH, ONE_ANSWER, nobody_asks) == Kept()
    assert find_faster(model, HASH, CONVERSATION, lambda: replace(HERE, cpu="Other")).current is None
    assert find_faster(model, HASH, CONVERSATION, lambda: replace(HERE, cpu="Other")).stale is None


def test_it_no_longer_holds_when_an_engine_is_gone_or_another_one(model: Path, program: Path, tmp_path: Path) -> None:
    save_tuned(TUNED, model, HASH)
    save_tuned(of_program(program), model, HASH)
    assert find_faster(model, HASH, CONVERSATION, lambda: replace(HERE, build="xllamacpp 2")).stale is not None
    program.rename(tmp_path / "elsewhere")
    gone = find_faster(model, HASH, CONVERSATION, here)
    assert (gone.current, gone.stale, gone.told) == (None, of_program(program), False)
    mark_told(model, HASH, gone.here)
    assert find_faster(model, HASH, CONVERSATION, here).told
    program.write_text("#!/bin/sh\necho 'version: 2 (b)'\n")
    program.chmod(0o755)
    another = find_faster(model, HASH, CONVERSATION, here)
    assert (another.current, another.stale, another.told) == (None, of_program(program), False)


def test_an_entry_of_an_earlier_version_is_one_of_the_default_engine(model: Path, home: Path) -> None:
    save_tuned(TUNED, model, HASH)
    [path] = home.iterdir()
    data = json.loads(path.read_text())
    for name in ("engine", "program", "faster", "faster_than"):
        del data["tuned"][0][name]
    path.write_text(json.dumps(data))
    assert find_tuned(model, HASH, here).current == TUNED


@pytest.mark.parametrize("damage", [{"engine": "mlx"}, {"faster": 3}, {"faster": {"batch": "x"}}, {"program": 3}])
def test_an_entry_of_an_unknown_engine_is_left_out(model: Path, home: Path, damage: dict[str, object]) -> None:
    save_tuned(TUNED, model, HASH)
    [path] = home.iterdir()
    data = json.loads(path.read_text())
    data["tuned"][0] |= damage
    path.write_text(json.dumps(data))
    assert find_tuned(model, HASH, here) == Kept()


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: entry["winners"][ONE_ANSWER].update(speculation="ngram-simple"),
        lambda entry: entry.update(engine="ctransformers"),
        lambda entry: entry.update(engine=["xllamacpp"]),
        lambda entry: entry.update(engine="unheard-of"),
        lambda entry: entry.update(faster=3),
    ],
)
def test_what_tuning_never_finds_is_ignored(model: Path, damage: Callable[[dict[str, Any]], None]) -> None:
    path = save_tuned(TUNED, model, HASH)
    data = json.loads(path.read_text())
    damage(data["tuned"][0])
    path.write_text(json.dumps(data))
    assert find_tuned(model, HASH, here) == Kept()
    assert all_tuned(HERE) == ()
