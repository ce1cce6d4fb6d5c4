"""An engine that saves its state by itself when it is left."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phicli.engine.leaving import digest, part_facts, taken
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.state_file import saved_ids
from phicli.engine.state_types import LeavesState
from phicli.engine.types import Sampling
from tests.engine.conftest import QUESTION, tiny_settings
from tests.support.disks import small_file_system
from tests.support.files import TINY_PHI
from tests.support.processes import gone, stopped

pytestmark = pytest.mark.process


class Desk:
    """An engine on tiny-phi that has answered, and the order to leave that it is given."""

    def __init__(self, slots: Path, folder: Path) -> None:
        self.slots, self.folder = slots, folder
        self.engine = LlamaServerEngine(replace(tiny_settings(), slot_folder=slots))
        self.order: dict[str, Any] = {
            "folder": str(slots), "state": str(folder / "s.state"), "record": str(folder / "s.json"),
            "lock": str(folder / "s.lock"), "facts": {"format": 7}, "most_bytes": 10**9, "limit_s": 60,
            "model": [{**part_facts(TINY_PHI), "sha256": None}],
        }  # fmt: skip

    def answer(self) -> None:
        prompt = self.engine.tokenize(QUESTION, parse_special=True)
        assert list(self.engine.generate(prompt, Sampling(max_tokens=5)))

    def leave(self, **order: Any) -> None:
        assert self.engine.leave_state({**self.order, **order})
        self.engine.close()
        assert gone(self.engine.pid, 60)

    @property
    def left(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    for name in ("slots", "states"):
        tmp_path.joinpath(name).mkdir()
    made = Desk(tmp_path / "slots", tmp_path / "states")
    yield made
    made.engine.close()


def test_the_state_is_saved_with_its_record(desk: Desk) -> None:
    desk.answer()
    assert isinstance(desk.engine, LeavesState)
    desk.leave()
    record = json.loads((desk.folder / "s.json").read_text())
    state = desk.folder / "s.state"
    assert desk.left == {"s.state", "s.json", "s.lock"}
    assert (record["format"], record["sha256"], record["size_bytes"]) == (7, digest(state), state.stat().st_size)
    assert len(saved_ids(state, state.stat().st_size)) == record["tokens"] > 10
    assert record["model"] == [{**part_facts(TINY_PHI), "sha256": digest(TINY_PHI)}]
    assert not desk.slots.exists()


def test_a_hash_that_is_known_is_not_made_again(desk: Desk) -> None:
    desk.answer()
    desk.leave(model=[{**part_facts(TINY_PHI), "sha256": "1" * 64}])
    assert json.loads((desk.folder / "s.json").read_text())["model"][0]["sha256"] == "1" * 64


@pytest.mark.parametrize(
    "order",
    [
        {"most_bytes": 1000},
        {"model": [{**part_facts(TINY_PHI), "mtime_ns": 1, "sha256": None}]},
        {"model": [{**part_facts(TINY_PHI), "path": "/nowhere/model.gguf", "sha256": None}]},
        {"state": "/nowhere/s.state"},
        {"lock": "/nowhere/s.lock"},
        {"facts": None},
    ],
    ids=["too large", "another model", "no model", "no folder", "no lock", "a mistake"],
)
def test_where_it_cannot_be_saved_the_engine_ends_and_nothing_stays(desk: Desk, order: dict[str, Any]) -> None:
    desk.answer()
    desk.engine.leave_state({**desk.order, **order})
    desk.engine.close()
    assert gone(desk.engine.pid, 60)
    assert not desk.left & {"s.state", "s.json"}
    assert not desk.slots.exists()


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    tmp_path.joinpath("states").mkdir()
    old = tmp_path / "states" / "s.state"
    old.write_bytes(b"the state before")
    with small_file_system(tmp_path / "slots", "size=16k") as slots:
        desk = Desk(slots, tmp_path / "states")
        desk.answer()
        desk.leave()
        assert old.read_bytes() == b"the state before"
        assert desk.left == {"s.state", "s.lock"}
        assert list(slots.iterdir()) == []


def test_an_engine_that_has_evaluated_nothing_saves_nothing(desk: Desk) -> None:
    desk.engine.wait_ready()
    desk.leave()
    assert desk.left == {"s.lock"}


def test_an_engine_that_still_loads_or_has_ended_does_not_leave(desk: Desk) -> None:
    assert not desk.engine.leave_state(desk.order)
    desk.engine.wait_ready()
    desk.engine.close()
    assert not desk.engine.leave_state(desk.order)
    assert desk.left == set()


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be stopped there")
def test_an_engine_that_hangs_is_ended_as_usual(desk: Desk) -> None:
    desk.answer()
    with stopped(desk.engine.pid):
        assert not desk.engine.leave_state(desk.order)
        desk.engine.close()
    assert gone(desk.engine.pid)


@pytest.mark.skipif(sys.platform == "win32", reason="it locks otherwise")
def test_a_disk_without_locks_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(OSError, match="No locks"):
        taken(tmp_path / "s.lock", wait_s=60)


def test_the_work_has_a_deadline(desk: Desk) -> None:
    desk.answer()
    lock = taken(Path(desk.order["lock"]), wait_s=10)
    assert lock is not None
    desk.leave(limit_s=0.5)
    os.close(lock)
    assert desk.left == {"s.lock"}
    assert not desk.slots.exists()


def test_two_that_leave_the_same_session_do_so_one_after_the_other(desk: Desk) -> None:
    desk.answer()
    lock = taken(Path(desk.order["lock"]), wait_s=10)
    assert lock is not None
    assert desk.engine.leave_state(desk.order)
    assert desk.left == {"s.lock"}
    os.close(lock)
    assert gone(desk.engine.pid, 60)
    assert desk.left == {"s.state", "s.json", "s.lock"}
