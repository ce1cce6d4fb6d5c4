"""Conversations with tiny-phi that are left and opened again, each time in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from phicli.answering.kept_states import GoingOn
from phicli.answering.opening import OpenModel, open_model
from phicli.answering.pool import whole
from phicli.answering.state_records import StatePlace, place_of
from phicli.answering.types import Answer
from phicli.chat_format.types import Message
from phicli.engine.types import Sampling
from phicli.paths import cache_dir
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import Use
from phicli.plan.locate import locate
from tests.support.processes import gone

CONVERSATIONS = {
    conversation["id"]: tuple(Message(raw["role"], raw["content"]) for raw in conversation["messages"])
    for conversation in json.loads(
        (Path(__file__).parents[1] / "data" / "tiny_phi_conversations.json").read_text(encoding="utf-8")
    )
}
LONG_TALK = CONVERSATIONS["dialogue-1"]
"""Questions and answers of tiny-phi, more than 256 tokens, which is its original context."""
GREEDY = Sampling(max_tokens=24)
SESSION = "a-session"


@dataclass
class Talk:
    """A session of a model: what was said, and how the last answer came about."""

    model: str = "tiny-phi"
    engine: dict[str, Any] = field(default_factory=lambda: {"threads": 1})
    context_tokens: int | None = None
    session_id: str = SESSION
    said: tuple[Message, ...] = ()
    used_tokens: int | None = None
    note: str = ""
    pid: int = 0
    kept_note: str = ""

    @property
    def place(self) -> StatePlace:
        return place_of(self.session_id)

    def ask(self, question: str, *, goes_on: bool = True, keeps: bool = True, waits: bool = True) -> Answer:
        """The next answer, by a process that is started for it; with ``keeps`` its state is saved."""
        going_on = GoingOn(self.session_id, self.said, self.used_tokens) if goes_on and self.said else None
        options = ChatOptions(engine=self.engine, context_tokens=self.context_tokens)
        with open_model(locate(self.model), options, Use.CONVERSATION, going_on=going_on) as opened:
            answer = self._answered(opened, question)
            self.note, self.pid = opened.state_note, opened.engines[-1].pid
            if keeps:
                opened.keep_state(self.session_id)
                self.kept_note = opened.state_note
        assert not (keeps and waits) or gone(self.pid, 60)
        return answer

    def _answered(self, opened: OpenModel, question: str) -> Answer:
        messages = (*self.said, Message("user", question))
        answer = whole(opened.model.answer(messages, sampling=GREEDY))
        self.said, self.used_tokens = (*messages, answer.message), answer.used_tokens
        return answer

    def afresh(self, question: str) -> Answer:
        """The next answer as it is without a state; nothing is remembered."""
        return Talk(self.model, self.engine, self.context_tokens, said=self.said).ask(
            question, goes_on=False, keeps=False
        )


def begun(said: Sequence[Message] = LONG_TALK[:4], **how: Any) -> Talk:
    """A session with its state saved, in which ``said`` was said before the last question."""
    talk = Talk(said=tuple(said), **how)
    talk.ask("What is phi?", goes_on=False)
    assert talk.place.read() is not None
    return talk


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("phicli.answering.state_carrier.is_in_memory", lambda _: False)
    return tmp_path / "home"


def folders() -> list[Path]:
    """The folders of engines that are not yet deleted."""
    return list(cache_dir().glob("phi-state-*"))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
