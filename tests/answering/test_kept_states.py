"""The KV state of a session with engines that do as they are told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phicli.answering.engines import OneEngine
from phicli.answering.kept_states import GoingOn, SessionStates, first_context
from phicli.answering.state_records import StateKey, place_of, record_facts
from phicli.chat_format.types import Message
from phicli.engine.closable import Closing
from phicli.engine.leaving import digest, part_facts
from phicli.engine.types import Adapter
from phicli.gguf_file.header import read_header
from phicli.paths import cache_dir
from phicli.plan.chat_options import ChatOptions
from phicli.plan.context import ContextPlan
from phicli.plan.load import LoadPlan, Use, plan_load
from phicli.plan.locate import locate
from tests.fakes.stateful_engine import StatefulEngine
from tests.support.files import TINY_PHI

BUILD = "scripted 1"


class Leaving(StatefulEngine):
    """An engine that can leave its state; ``orders`` are those it was given."""

    responds = can_leave = True

    def __init__(self, **how: Any) -> None:
        super().__init__(lambda _: "yes", context_tokens=how.pop("context_tokens", 256), **how)
        self.orders: list[Mapping[str, Any]] = []

    def leave_state(self, order: Mapping[str, Any]) -> bool:
        self.orders.append(order)
        return self.responds


class Interrupted(StatefulEngine):
    """Somebody presses Ctrl-C the first time."""

    def restore_state(self, path: Path, closing: Closing | None = None) -> int:
        if not self.refuses:
            self.refuses = True
            raise KeyboardInterrupt
        return super().restore_state(path, closing)


@pytest.fixture(scope="module")
def plan() -> LoadPlan:
    options = ChatOptions(engine={"threads": 1})
    return plan_load(locate("tiny-phi"), read_header(TINY_PHI), options, Use.CONVERSATION, memory=None, cores=1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHI_HOME", str(tmp_path))
    path = cache_dir() / "phi-state-1-x"
    path.mkdir(parents=True)
    return path


def save(*ids: int, long_factors: bool = False) -> None:
    """A state of the session ``s``, as a worker would leave it."""
    place = place_of("s")
    place.state.parent.mkdir(parents=True, exist_ok=True)
    place.state.write_text(json.dumps(ids))
    model = [{**part_facts(TINY_PHI), "sha256": "0" * 64}]
    about = {"tokens": len(ids), "size_bytes": place.state.stat().st_size, "sha256": digest(place.state)}
    facts = record_facts(StateKey(BUILD, long_factors, "auto", "f16"))
    place.record.write_text(json.dumps({**facts, **about, "saved_at": 1.5, "model": model}))


def opened(plan: LoadPlan, folder: Path, *engines: StatefulEngine) -> tuple[OneEngine, SessionStates]:
    states = SessionStates(plan, folder)
    states.go_on("s")
    waiting = iter(engines)
    return OneEngine(lambda _: next(waiting), 256, beginning=states), states


def scripted(**how: Any) -> StatefulEngine:
    return StatefulEngine(lambda _: "yes", context_tokens=how.pop("context_tokens", 256), **how)


def test_it_is_restored_once(plan: LoadPlan, folder: Path) -> None:
    save(1, 2, 3)
    engine = scripted()
    engines, states = opened(plan, folder, engine)
    for _ in range(3):
        assert engines.running(None) is engine
    assert engine.restored == 1
    assert states.note == "the KV cache of 3 tokens was restored"
    assert list(folder.iterdir()) == []


def test_an_engine_that_dies_of_a_state_is_replaced_and_the_state_deleted(plan: LoadPlan, folder: Path) -> None:
    save(1, 2, 3)
    dies, other = scripted(dies_restoring=True), scripted()
    engines, states = opened(plan, folder, dies, other)
    assert engines.running(None) is other
    assert (dies.closed, other.restored) == (True, 0)
    assert states.note.endswith("the engine ended while it read it; it was deleted")
    assert not place_of("s").state.exists()


def test_an_interruption_leaves_the_model_usable(plan: LoadPlan, folder: Path) -> None:
    save(1, 2, 3)
    engine = Interrupted(lambda _: "yes", context_tokens=256)
    engines, _ = opened(plan, folder, engine)
    with pytest.raises(KeyboardInterrupt):
        engines.running(None)
    assert engines.running(None) is engine


def test_a_state_of_the_long_factors_waits_for_the_engine_that_has_them(plan: LoadPlan, folder: Path) -> None:
    save(1, 2, 3, long_factors=True)
    short, long = scripted(), scripted(context_tokens=512)
    engines, states = opened(plan, folder, short, long)
    engines.running(None)
    assert "the long rope factors" in states.note
    engines.with_context(512, None)
    assert (short.restored, long.restored) == (0, 1)
    assert states.note == "the KV cache of 3 tokens was restored"


def with_adapter(plan: LoadPlan, path: Path, scale: float = 1.0) -> LoadPlan:
    return replace(plan, settings=replace(plan.settings, adapters=(Adapter(path, scale),)))


def save_with(plan: LoadPlan, folder: Path) -> None:
    """A state as an engine leaves it that was loaded as ``plan`` says."""
    engine = Leaving()
    _, states = opened(plan, folder, engine)
    states.keep("s", engine, 3)
    folder.mkdir(exist_ok=True)
    save(1, 2, 3)
    facts, record = engine.orders[0]["facts"], place_of("s").record
    record.write_text(json.dumps(json.loads(record.read_text()) | facts))


@pytest.mark.parametrize(
    ("then", "now", "why"),
    [
        (("a", 1.0), ("a", 1.0), ""),
        (("a", 1.0), ("copy of a", 1.0), ""),
        (("a", 1.0), ("a", 0.5), "with other adapters"),
        (("a", 1.0), ("b", 1.0), "with other adapters"),
        (("a", 1.0), None, "with other adapters"),
        (None, ("a", 1.0), "without adapters"),
    ],
)
def test_a_state_belongs_to_its_adapters(
    plan: LoadPlan,
    folder: Path,
    tmp_path: Path,
    then: tuple[str, float] | None,
    now: tuple[str, float] | None,
    why: str,
) -> None:
    for name, content in (("a", b"one"), ("copy of a", b"one"), ("b", b"two")):
        (tmp_path / name).write_bytes(content)
    plans = [with_adapter(plan, tmp_path / one[0], one[1]) if one else plan for one in (then, now)]
    save_with(plans[0], folder)
    engine = scripted()
    engines, states = opened(plans[1], folder, engine)
    engines.running(None)
    assert engine.restored == (0 if why else 1)
    expected = f"not restored: it was computed {why}" if why else "the KV cache of 3 tokens was restored"
    assert states.note.endswith(expected)


def test_an_adapter_that_changed_after_it_was_loaded_belongs_to_no_state(
    plan: LoadPlan, folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    save_with(with_adapter(plan, path), folder)
    engine = scripted()
    engines, states = opened(with_adapter(plan, path), folder, engine)
    path.write_bytes(b"two")
    engines.running(None)
    assert (engine.restored, "other adapters" in states.note) == (0, True)


def test_after_a_change_of_the_adapters_a_state_belongs_to_the_other_ones(
    plan: LoadPlan, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"one")
    save_with(with_adapter(plan, tmp_path / "a", 0.5), folder)
    engine = scripted()
    engines, states = opened(with_adapter(plan, tmp_path / "a"), folder, engine)
    states.use_adapters((Adapter(tmp_path / "a", 0.5),))
    engines.running(None)
    assert engine.restored == 1


def test_without_a_state(plan: LoadPlan, folder: Path) -> None:
    engine = scripted()
    engines, states = opened(plan, folder, engine)
    engines.running(None)
    assert (engine.restored, states.note) == (0, "no KV cache is saved for this session")


def test_a_disk_without_hard_links(plan: LoadPlan, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    save(1, 2, 3)
    monkeypatch.setattr("os.link", link)
    engine = scripted()
    engines, states = opened(plan, folder, engine)
    engines.running(None)
    assert (engine.restored, states.note.rpartition(": ")[2]) == (0, "Operation not permitted")


def test_what_the_engine_is_told_when_it_leaves(plan: LoadPlan, folder: Path) -> None:
    states, engine = SessionStates(plan, folder), Leaving(build=BUILD)
    states.keep("s", engine, 100)
    (order,) = engine.orders
    assert states.note == "the KV cache is being saved"
    assert order["facts"] == {
        "format": 1,
        "key": {
            "build": BUILD,
            "long_factors": False,
            "flash_attention": "auto",
            "kv_type": "f16",
            "adapters": "",
        },
    }
    assert [part["path"] for part in order["model"]] == [str(TINY_PHI.resolve())]
    assert order["folder"] == str(folder)
    assert json.dumps(order)
    assert len(list(folder.iterdir())) == 1  # it is given away


def test_an_engine_that_does_not_respond_leaves_its_folder_to_us(plan: LoadPlan, folder: Path) -> None:
    states, engine = SessionStates(plan, folder), Leaving(build=BUILD)
    engine.responds = False
    states.keep("s", engine, 100)
    assert states.note == "the KV cache was not saved: the engine does not respond"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("session_id", ["", "..", "a/b", "a" * 101, "-x", "a.b"])
def test_an_id_that_is_no_name_of_a_file(plan: LoadPlan, folder: Path, session_id: str) -> None:
    states, engine = SessionStates(plan, folder), Leaving(build=BUILD)
    states.go_on(session_id)
    states.keep(session_id, engine, 100)
    assert engine.orders == []


def test_another_engine_cannot_save(plan: LoadPlan, folder: Path) -> None:
    program = Leaving(build="llama-server 1")
    program.can_leave = False
    for engine in (scripted(), program):
        states = SessionStates(plan, folder)
        states.keep("s", engine, 100)
        assert states.note == "the KV cache was not saved: this engine cannot save it"
    assert program.orders == []


def test_a_folder_elsewhere_is_not_on_the_disk_of_states(plan: LoadPlan, folder: Path, tmp_path: Path) -> None:
    states, engine = SessionStates(plan, tmp_path), Leaving(build=BUILD)
    states.keep("s", engine, 100)
    assert engine.orders == []
    assert states.note == "the KV cache was not saved: no disk has enough free space for it"


LONG_ROPE = ContextPlan(4096, 131072, original_tokens=4096)
OTHER = ContextPlan(4096, 16384)


@pytest.mark.parametrize(
    ("context", "used", "expected"),
    [
        (LONG_ROPE, 100, 4096),
        (LONG_ROPE, 4000, 4096),
        (LONG_ROPE, 4090, 8192),
        (LONG_ROPE, 9000, 16384),
        (LONG_ROPE, 200_000, 4096),  # the answer reports it
        (OTHER, 5000, 8192),
        (OTHER, 16000, 16384),
        (replace(LONG_ROPE, first_tokens=1024), 2000, 4096),
    ],
)
def test_the_context_fits_the_conversation(context: ContextPlan, used: int, expected: int) -> None:
    assert first_context(context, GoingOn("s", (), used)) == expected


@pytest.mark.parametrize(("context", "expected"), [(LONG_ROPE, 4096), (OTHER, 8192)])
def test_an_estimate_does_not_decide_on_the_rope_factors(context: ContextPlan, expected: int) -> None:
    messages = (Message("user", "word " * 3000),)
    assert first_context(context, GoingOn("s", messages, None)) == expected
