"""Saved states on disk: how many there may be, and which go first."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import pytest

from phicli.answering.state_records import (
    LEAST_FREE_BYTES,
    MOST_BYTES,
    ModelPart,
    StateKey,
    make_room,
    model_parts,
    place_of,
    record_facts,
    states_folder,
    with_hashes,
)
from phicli.engine.leaving import part_facts, taken

MB = 1_000_000
KEY = StateKey("engine 1", long_factors=False, flash_attention="auto", kv_type="f16")


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHI_HOME", str(tmp_path))
    states_folder().mkdir(parents=True)
    return states_folder()


def save(session_id: str, megabytes: int, *, used_at: int, model: tuple[ModelPart, ...] = ()) -> None:
    """A state that takes no space, with its record and lock."""
    place = place_of(session_id)
    with place.state.open("wb") as file:
        file.truncate(megabytes * MB)
    facts = {"tokens": 3, "size_bytes": megabytes * MB, "sha256": "0" * 64, "saved_at": 1.5}
    place.record.write_text(
        json.dumps({**record_facts(KEY), **facts, "model": [asdict(part) for part in model]}), encoding="utf-8"
    )
    os.utime(place.record, (used_at, used_at))
    place.lock.touch()


def sessions() -> set[str]:
    return {path.stem for path in states_folder().iterdir()}


def have_free(monkeypatch: pytest.MonkeyPatch, megabytes: int) -> None:
    """The disk has so much above the floor, and what is deleted is added to it."""
    before = sum(path.stat().st_size for path in states_folder().iterdir())

    def usage(_: object) -> Usage:
        now = sum(path.stat().st_size for path in states_folder().iterdir())
        return Usage(1 << 50, 0, LEAST_FREE_BYTES + megabytes * MB + before - now)

    monkeypatch.setattr("shutil.disk_usage", usage)


def test_those_that_were_not_used_for_longest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    have_free(monkeypatch, 100_000)
    for number, session_id in enumerate(("old", "older", "new", "newer")):
        save(session_id, 500, used_at=(20, 10, 30, 40)[number])
    place_of("old").used()
    assert make_room(700 * MB, place_of("fresh"))
    assert sessions() == {"old", "newer"}


def test_a_state_that_is_replaced_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    have_free(monkeypatch, 100_000)
    save("a", 1000, used_at=1)
    save("b", 1000, used_at=2)
    assert make_room(1000 * MB, place_of("b"))
    assert sessions() == {"a", "b"}


def test_one_that_is_too_large_alone_deletes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    have_free(monkeypatch, 100_000)
    save("a", 10, used_at=1)
    assert not make_room(MOST_BYTES + 1, place_of("b"))
    assert sessions() == {"a"}


@pytest.mark.parametrize(
    ("free", "room", "left"),
    [(300, True, {"a", "b"}), (150, True, {"b"}), (50, True, set()), (-200, False, {"a", "b"})],
)
def test_a_disk_is_not_filled_below_the_floor(
    monkeypatch: pytest.MonkeyPatch, free: int, room: bool, left: set[str]
) -> None:
    save("a", 100, used_at=1)
    save("b", 100, used_at=2)
    have_free(monkeypatch, free)
    assert make_room(250 * MB, place_of("c")) is room
    assert sessions() == left


def test_a_state_without_a_record_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    have_free(monkeypatch, 100_000)
    save("a", 1500, used_at=1)
    place_of("a").record.unlink()
    assert make_room(1000 * MB, place_of("b"))
    assert sessions() == set()


def test_the_hash_of_a_model_is_remembered_while_the_file_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"weights")
    part = ModelPart(**part_facts(path), sha256="1" * 64)
    assert model_parts([path]) == (replace(part, sha256=None),)
    save("a", 1, used_at=1, model=(part,))
    assert with_hashes(model_parts([path])) == (part,)
    os.utime(path, ns=(1, 1))
    assert [found.sha256 for found in with_hashes(model_parts([path]))] == [None]


def test_two_unknown_files_are_not_the_same_for_having_no_hash(tmp_path: Path) -> None:
    part = ModelPart("/a", 1, 2, 3, 4, None)
    assert part.is_same(part)
    assert not part.is_same(replace(part, inode=9))
    assert replace(part, sha256="1" * 64).is_same(replace(part, inode=9, sha256="1" * 64))


def test_a_state_that_is_being_saved_is_not_discarded() -> None:
    save("a", 1, used_at=1)
    lock = taken(place_of("a").lock, wait_s=0)
    assert lock is not None
    place_of("a").discard()
    assert place_of("a").read() is not None
    os.close(lock)
    place_of("a").discard()
    assert place_of("a").read() is None
