"""A conversation whose commands act on nothing outside of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phicli.chat.dialogue import Attachment, Dialogue
from phicli.chat.screen import ReplScreen
from phicli.chat.session import ChatSession
from phicli.chat.talk import ExportForm, Talk
from phicli.engine.types import Sampling


def talk_of(session: ChatSession, screen: ReplScreen, **others: Any) -> Talk:
    """A conversation; ``others`` are arguments of ``Talk`` that replace the fakes of this module."""
    fakes = {
        "models": FakeModels(), "record": NoRecord(), "files": NoFiles(), "policies": FakePolicies(),
        "exports": FakeExports(), "code_blocks": lambda _: (),
    }  # fmt: skip
    return Talk(session, screen, **(fakes | others))


class FakeModels:
    """A model that cannot be changed; its engine ignores ``min_p`` of 0.5."""

    name = "fake"

    def change(self, name: str) -> None:
        raise AssertionError(name)

    def facts(self) -> Sequence[tuple[str, str]]:
        return [("model", "fake"), ("memory", "1.00 GiB at most")]

    def ignored(self, sampling: Sampling) -> Sequence[str]:
        return ["this has no effect"] if sampling.min_p == 0.5 else []


class NoRecord:
    """Saves nothing."""

    saves = False
    name = None

    def begin(self) -> None:
        pass

    def forget(self) -> None:
        pass

    def save_as(self, name: str, dialogue: Dialogue) -> None:
        raise AssertionError((name, dialogue))

    def load(self, name: str) -> None:
        raise AssertionError(name)

    def lines(self) -> Sequence[str]:
        return []


class NoFiles:
    """A line mentions no file."""

    def mentioned(self, line: str) -> tuple[str, tuple[Attachment, ...]]:
        return line, ()

    def read(self, path: str) -> Attachment:
        raise AssertionError(path)


class FakePolicies:
    """What happens when the context is full, as it would be set."""

    policy = "ask"

    def set(self, policy: str | None) -> None:
        self.policy = policy or "ask"


class FakeExports:
    """Remembers the name, the form, the session and the number of turns of what would be written."""

    def __init__(self) -> None:
        self.written: list[tuple[str, str, str, int]] = []

    def write(self, path: Path, form: ExportForm, name: str, dialogue: Dialogue) -> None:
        self.written.append((path.name, form, name, len(dialogue.turns)))
