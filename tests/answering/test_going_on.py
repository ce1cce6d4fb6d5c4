"""A conversation that is left and goes on: the same tokens as without a state, and fewer to evaluate; real engines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from phicli.answering.kept_states import GoingOn, await_saving, remove_state
from phicli.answering.state_records import states_folder
from phicli.engine.leaving import taken
from phicli.paths import cache_dir
from tests.answering.going_on import LONG_TALK, SESSION, Talk, begun
from tests.support.files import TINY_PHI
from tests.support.processes import gone
from tests.support.waiting import wait_until

pytestmark = pytest.mark.process
NEXT = "How many legs does a spider have?"
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere it has no parent to die with")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("phicli.answering.state_carrier.is_in_memory", lambda _: False)
    return tmp_path / "home"


def folders() -> list[Path]:
    return list(cache_dir().glob("phi-state-*"))


def change(talk: Talk, **values: Any) -> None:
    """Change the key in the record of its state."""
    data = json.loads(talk.place.record.read_text())
    data["key"] |= values
    talk.place.record.write_text(json.dumps(data))


@pytest.mark.parametrize("turns", [0, 1, 4, 8, 10, 11, 12, 13, 14])
def test_the_tokens_are_those_without_a_state_and_few_are_evaluated(turns: int) -> None:
    """On both sides of the original context of 256 tokens."""
    talk = begun(LONG_TALK[: 2 * turns])
    record, used = talk.place.read(), talk.used_tokens
    assert record is not None
    expected = talk.afresh(NEXT)
    answer = talk.ask(NEXT)
    assert answer.token_ids == expected.token_ids
    assert answer.context_tokens == expected.context_tokens
    border = record.key.long_factors != (answer.context_tokens != 256)
    assert ("rope factors" in talk.note) == border
    if not border:
        assert talk.note == f"the KV state of {record.tokens:,} tokens was restored"
        assert answer.usage.cached_tokens == record.tokens == (used or 0) - 1
        assert answer.usage.prompt_tokens - record.tokens < 40
    assert folders() == []


def test_both_sides_of_the_original_context_are_tried() -> None:
    """That the numbers of turns above are the right ones."""
    sizes = [begun(LONG_TALK[: 2 * turns], session_id=f"s{turns}").used_tokens or 0 for turns in (10, 14)]
    assert sizes[0] < 256 < sizes[1]


def test_nobody_else_may_read_what_is_saved() -> None:
    talk = begun()
    paths = (talk.place.state, talk.place.record, talk.place.lock)
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o600] * 3
    assert states_folder().stat().st_mode & 0o777 == 0o700


def test_a_conversation_that_went_back_uses_what_is_still_right() -> None:
    talk = begun()
    talk.said = talk.said[:4]
    expected, answer = talk.afresh(NEXT), talk.ask(NEXT)
    assert answer.token_ids == expected.token_ids
    assert 0 < answer.usage.cached_tokens < answer.usage.prompt_tokens


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ({"build": "xllamacpp 1.2.3"}, "another build of the engine: xllamacpp 1.2.3"),
        ({"build": "xllamacpp 2026.10.11549 (zen9 kernels)"}, "(zen9 kernels)"),
        ({"long_factors": True}, "the long rope factors"),
        ({"flash_attention": "off"}, "flash attention off"),
        ({"kv_type": "q8_0"}, "KV cache type q8_0"),
    ],
)
def test_a_state_that_does_not_belong_here_is_left_alone(key: dict[str, Any], reason: str) -> None:
    talk = begun()
    change(talk, **key)
    expected, answer = talk.afresh(NEXT), talk.ask(NEXT, keeps=False)
    assert answer.token_ids == expected.token_ids
    assert answer.usage.cached_tokens == 0
    assert reason in talk.note
    assert talk.place.read() is not None


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda place: flip(place.state),
        lambda place: os.truncate(place.state, place.state.stat().st_size // 2),
        lambda place: place.state.unlink(),
        lambda place: place.state.write_bytes(b""),
        lambda place: place.record.unlink(),
        lambda place: place.record.write_text("{"),
        lambda place: place.record.write_text("[]"),
        lambda place: place.record.write_text(place.record.read_text().replace('"tokens": ', '"tokens": -')),
        lambda place: place.record.write_text(place.record.read_text().replace('"format": 1', '"format": 2')),
    ],
    ids=["bit", "half", "gone", "empty", "no record", "no JSON", "a list", "negative", "another format"],
)
def test_a_damaged_state_does_not_reach_the_engine_and_is_deleted(damage: Callable[[Any], object]) -> None:
    talk = begun()
    damage(talk.place)
    expected, answer = talk.afresh(NEXT), talk.ask(NEXT, keeps=False)
    assert answer.token_ids == expected.token_ids
    assert answer.usage.cached_tokens == 0
    assert talk.note == "the KV state of this session was not restored: it is damaged, and was deleted"
    assert not talk.place.state.exists()
    assert not talk.place.record.exists()


def test_a_state_of_another_model_of_the_same_shape_at_the_same_path(tmp_path: Path) -> None:
    """It has the same size and the same time of modification."""
    path = tmp_path / "model.gguf"
    path.write_bytes(TINY_PHI.read_bytes())
    before = path.stat()
    talk = begun(model=str(path))
    path.write_bytes(TINY_PHI.read_bytes()[:-1] + b"\x01")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    answer = talk.ask(NEXT)
    assert answer.usage.cached_tokens == 0
    assert "it belongs to another model file" in talk.note
    assert talk.ask("And a cat?").usage.cached_tokens > 0  # what was saved then is of the new file


def test_the_same_model_in_another_place_has_the_same_states(tmp_path: Path) -> None:
    """As its hash is known there."""
    from phicli.hub import verified

    talk = begun()
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(TINY_PHI.read_bytes())
    talk.model = str(copy)
    assert talk.ask(NEXT, keeps=False).usage.cached_tokens == 0
    verified.hash_once(copy)
    assert talk.ask("And a cat?", keeps=False).usage.cached_tokens > 0


def test_a_context_that_is_too_small_for_the_state() -> None:
    talk = begun(LONG_TALK[:8])
    talk.said, talk.used_tokens, talk.context_tokens = talk.said[:2], 20, 64
    expected, answer = talk.afresh(NEXT), talk.ask(NEXT)
    assert answer.token_ids == expected.token_ids
    assert "but the context has only 64" in talk.note


def test_a_larger_context_of_the_same_factors_takes_the_state() -> None:
    talk = begun(context_tokens=128)
    talk.context_tokens = 200
    assert talk.ask(NEXT).usage.cached_tokens > 0
    assert "was restored" in talk.note


def test_a_process_that_comes_at_once_waits_for_the_state_to_be_saved() -> None:
    talk = Talk()
    for question in ("What is phi?", NEXT, "And a cat?", "Who are you?"):
        answer = talk.ask(question, waits=False)
    assert answer.usage.cached_tokens > 40
    assert gone(talk.pid, 60)


def test_nothing_is_written_where_nothing_was_said() -> None:
    talk = begun()
    before = talk.place.record.stat().st_mtime_ns
    from phicli.answering.opening import open_model
    from phicli.plan.chat_options import ChatOptions
    from phicli.plan.load import Use
    from phicli.plan.locate import locate

    going_on = GoingOn(SESSION, talk.said, talk.used_tokens)
    with open_model(locate("tiny-phi"), ChatOptions(), Use.CONVERSATION, going_on=going_on) as opened:
        opened.keep_state(SESSION)
    assert talk.place.record.stat().st_mtime_ns == before
    assert folders() == []


def test_a_place_that_cannot_be_written(home: Path) -> None:
    """The answer came already, so nothing is raised."""
    home.joinpath("cache").mkdir(parents=True)
    states_folder().write_text("a file in the way")
    talk = Talk()
    talk.ask("What is phi?")
    assert talk.kept_note.startswith("the KV state was not saved: ")
    assert folders() == []


def test_no_cache_folder_at_all(home: Path) -> None:
    home.mkdir()
    home.joinpath("cache").write_text("a file in the way")
    talk = Talk()
    talk.ask("What is phi?")
    assert talk.kept_note == "the KV state was not saved: no disk has enough free space for it"
    talk.ask(NEXT)
    assert talk.note == "the KV state of this session was not restored: no disk has enough free space for it"


@LINUX
def test_a_worker_that_is_killed_while_it_saves_does_no_harm() -> None:
    """At different moments; almost always the state before is still there then."""
    talk = begun()
    for number in range(12):
        talk.ask(f"Question {number}?", waits=False)
        time.sleep(0.003 * number)
        os.kill(talk.pid, signal.SIGKILL)
        assert gone(talk.pid)
        expected = talk.afresh(NEXT)
        again = Talk(said=talk.said, used_tokens=talk.used_tokens)
        assert again.ask(NEXT, keeps=False).token_ids == expected.token_ids


_LEAVES = """
import os, signal, sys
from tests.answering.going_on import Talk
import phicli.answering.opening as opening
if {killed_after_keep}:
    keep = opening.OpenModel.keep_state
    def keep_and_die(self, session_id):
        keep(self, session_id)
        os.kill(os.getpid(), signal.SIGKILL)
    opening.OpenModel.keep_state = keep_and_die
else:
    def die(self, session_id):
        print(self.engines[-1].pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    opening.OpenModel.keep_state = die
Talk().ask("What is phi?")
"""


def left(*, killed_after_keep: bool) -> str:
    code = _LEAVES.format(killed_after_keep=killed_after_keep)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    return ended.stdout


@LINUX
def test_phi_that_is_killed_when_it_has_handed_the_state_over() -> None:
    left(killed_after_keep=True)
    wait_until(Talk().place.record.exists)
    wait_until(lambda: folders() == [])
    assert Talk().place.read() is not None


@LINUX
def test_phi_that_is_killed_before_leaves_no_state_and_no_process() -> None:
    pid = int(left(killed_after_keep=False))
    assert gone(pid)
    assert not Talk().place.state.exists()


def test_a_session_that_is_removed_while_its_state_is_saved_leaves_nothing() -> None:
    talk = begun()
    lock = taken(talk.place.lock, wait_s=0)
    assert lock is not None
    talk.ask(NEXT, goes_on=False, waits=False)
    remove_state(SESSION)
    os.close(lock)
    assert gone(talk.pid, 60)
    assert list(states_folder().iterdir()) == []


def test_nobody_waits_for_ever_for_a_process_that_saves() -> None:
    talk = begun()
    lock = taken(talk.place.lock, wait_s=0)
    assert lock is not None
    await_saving(GoingOn(SESSION, talk.said, talk.used_tokens), wait_s=0.2)
    flip(talk.place.state)
    engine = talk.ask(NEXT, keeps=False)
    assert engine.usage.cached_tokens == 0
    assert talk.place.state.exists()  # that process may be about to replace it
    os.close(lock)


def test_two_processes_that_leave_one_session_leave_one_state() -> None:
    talk = begun()
    first = Talk(said=talk.said, used_tokens=talk.used_tokens)
    second = Talk(said=talk.said, used_tokens=talk.used_tokens)
    first.ask(NEXT, waits=False)
    second.ask("Who are you?", waits=False)
    assert gone(first.pid, 60)
    assert gone(second.pid, 60)
    answer = second.ask("And a cat?")
    assert "was restored" in second.note
    assert answer.usage.cached_tokens > 0
    assert folders() == []


def test_a_session_that_was_removed() -> None:
    begun()
    remove_state(SESSION)
    assert list(states_folder().iterdir()) == []
    remove_state(SESSION)
    remove_state("../../elsewhere")
