"""What the commands of a conversation act on: the policy of a full context, completion, files that are written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phicli.chat.overflow import Overflow
from phicli.chat.settings import completions
from phicli.commands.recording import Recording
from phicli.commands.steering import FullContext
from phicli.ui.sessions.transfer import export_text
from tests.support.sessions import dialogue_of


class Remembering:
    """Remembers the policy that would be saved."""

    policy: str | None = "unset"

    def set_policy(self, policy: str | None) -> None:
        self.policy = policy


def full_context(typed: str | None) -> tuple[FullContext, Overflow, Remembering]:
    overflow, recording = Overflow("ask"), Remembering()
    return FullContext(overflow, recording, typed), overflow, recording  # type: ignore[arg-type]


def test_a_policy_that_was_set_lasts_and_is_saved_and_set_back() -> None:
    full, overflow, recording = full_context("error")
    full.set("drop")
    assert (overflow.policy, recording.policy) == ("drop", "drop")
    overflow.policy = "ask"
    full.begin("summarize")
    assert full.policy == "drop"
    full.set(None)
    assert (overflow.policy, recording.policy) == ("error", None)


@pytest.mark.parametrize(
    ("typed", "saved", "policy"), [(None, None, "ask"), (None, "drop", "drop"), ("error", "drop", "error")]
)
def test_a_conversation_begins_with_what_was_typed_else_with_its_own(
    typed: str | None, saved: str | None, policy: str
) -> None:
    full, overflow, _ = full_context(typed)
    full.begin(saved)
    assert overflow.policy == policy


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [
        ("t", ["temperature", "top-p", "top-k", "think-budget"]),
        ("on-overflow d", ["on-overflow drop", "on-overflow default"]),
        ("seed ", ["seed default"]),
        ("foo ", []),
    ],
)
def test_settings_are_completed(beginning: str, expected: list[str]) -> None:
    found = completions(beginning)
    assert [name for name in found if name in expected] == found
    assert set(found) == set(expected)


def test_messages_are_exported_one_per_line() -> None:
    lines = export_text("trip", "phi-4-mini", dialogue_of(2), "lines").splitlines()
    assert [json.loads(line)["role"] for line in lines] == ["system", "user", "assistant", "user", "assistant"]


def test_saved_conversations_are_completed_but_not_the_running_one(tmp_path: Path) -> None:
    from phicli.chat.store.sessions import Sessions

    sessions = Sessions(tmp_path / "sessions.sqlite")
    for name in ("my talk", "trip", "here"):
        saved = sessions.create(name, "tiny-phi", dialogue_of(1))
    recording = Recording(lambda: sessions, "tiny-phi", print, saved=saved)
    assert sorted(recording.names()) == ['"my talk"', "trip"]


def test_ctrl_c_while_a_conversation_is_loaded_leaves_it_loaded_or_not(tmp_path: Path) -> None:
    from phicli.chat.store.sessions import Sessions

    sessions = Sessions(tmp_path / "sessions.sqlite")
    sessions.create("other", "tiny-phi", dialogue_of(2))
    here = sessions.create("here", "tiny-phi", dialogue_of(1))
    recording = Recording(lambda: sessions, "tiny-phi", print, saved=here)
    interrupts, loaded = [KeyboardInterrupt], list[str]()

    def interrupted(saved: object) -> None:
        if interrupts:
            raise interrupts.pop()
        loaded.append(str(recording.name))

    recording.on_load = interrupted
    with pytest.raises(KeyboardInterrupt):
        recording.load("other")
    assert (recording.name, loaded) == ("here", [])
    recording.on_load, recording.on_loaded = lambda _: None, interrupted
    interrupts.append(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        recording.load("other")
    assert (recording.name, loaded) == ("other", ["other"])
