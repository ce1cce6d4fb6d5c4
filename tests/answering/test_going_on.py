"""A conversation that is left and goes on: the same tokens as without a state, and fewer to evaluate; real engines."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from phicli.answering.kept_states import GoingOn
from phicli.answering.opening import open_model
from phicli.answering.pool import whole
from phicli.answering.state_records import states_folder
from phicli.chat_format.types import Message
from phicli.errors import ContextExceededError
from phicli.hub import verified
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import Use
from phicli.plan.locate import locate
from tests.answering.going_on import GREEDY, LONG_TALK, SESSION, Talk, begun, flip, folders, home
from tests.support.files import TINY_PHI
from tests.support.processes import gone

__all__ = ["home"]
pytestmark = pytest.mark.process
NEXT = "How many legs does a spider have?"


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
        assert talk.note == f"the KV cache of {record.tokens:,} tokens was restored"
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
    assert talk.note == "the KV cache of this session was not restored: it is damaged, and was deleted"
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
    going_on = GoingOn(SESSION, talk.said, talk.used_tokens)
    with open_model(locate("tiny-phi"), ChatOptions(), Use.CONVERSATION, going_on=going_on) as opened:
        opened.keep_state(SESSION)
    assert talk.place.record.stat().st_mtime_ns == before
    assert folders() == []


def test_an_answer_that_failed_does_not_keep_the_turns_before_from_being_saved() -> None:
    with open_model(locate("tiny-phi"), ChatOptions(context_tokens=64), Use.CONVERSATION) as opened:
        answer = whole(opened.model.answer((Message("user", "What is phi?"),), sampling=GREEDY))
        with pytest.raises(ContextExceededError):
            whole(opened.model.answer((Message("user", "word " * 90),), sampling=GREEDY))
        assert opened.model.used_tokens == answer.used_tokens
        opened.keep_state(SESSION)
    assert gone(opened.engines[-1].pid, 60)
    assert Talk().place.read() is not None


def test_a_place_that_cannot_be_written(home: Path) -> None:
    """The answer came already, so nothing is raised."""
    home.joinpath("cache").mkdir(parents=True)
    states_folder().write_text("a file in the way")
    talk = Talk()
    talk.ask("What is phi?")
    assert talk.kept_note.startswith("the KV cache was not saved: ")
    assert folders() == []


def test_no_cache_folder_at_all(home: Path) -> None:
    home.mkdir()
    home.joinpath("cache").write_text("a file in the way")
    talk = Talk()
    talk.ask("What is phi?")
    assert talk.kept_note == "the KV cache was not saved: no disk has enough free space for it"
    talk.ask(NEXT)
    assert talk.note == "the KV cache of this session was not restored: no disk has enough free space for it"
