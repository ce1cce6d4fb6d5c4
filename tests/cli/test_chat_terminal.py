"""``phi chat`` in a terminal, on the embedded model: what a person sees."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.support.files import TINY_PHI
from tests.support.terminal_talk import TerminalTalk

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals"),
]
FRANCE = "What is the capital of France?"
PARIS = "The capital of France is Paris."


def test_undo_retry_edit_and_questions_that_look_like_commands(environment: dict[str, str]) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi") as talk:
        assert "/help lists the commands" in talk.begin()
        assert talk.say(FRANCE) == PARIS
        assert "Rome" in talk.say("And of Italy?")
        assert talk.say("/undo").splitlines() == ["removed: And of Italy?", "the conversation has 1 turn"]
        assert PARIS in talk.say("/retry")
        assert "did you mean /undo" in talk.say("/udno")
        assert "error" not in talk.say("/clear the table in SQL: how?")
        talk.type("/undo\r")
        talk.wait_until(lambda: "the conversation has 1 turn" in talk.lines[-2])
        talk.type("/edit\r")
        talk.wait_until(lambda: talk.lines[-1] == f">>> {FRANCE}")
        talk.type("\x7f" * len("France?") + "Spain?\r")
        talk.wait_until(lambda: talk.lines[-2:] == ["The capital of Spain is Madrid.", ">>>"])
        assert talk.leave() == 0


def test_the_model_is_changed_and_one_that_cannot_be_loaded_is_not(environment: dict[str, str], tmp_path: Path) -> None:
    copy, broken = tmp_path / "copy.gguf", tmp_path / "broken.gguf"
    shutil.copy(TINY_PHI, copy)
    broken.write_bytes(TINY_PHI.read_bytes()[:100_000])
    with TerminalTalk(environment, "chat", "tiny-phi") as talk:
        talk.begin()
        assert talk.say(FRANCE) == PARIS
        assert talk.say(f"/model {copy}") == "the model is copy.gguf"
        assert "Rome" in talk.say("And of Italy?")
        assert "truncated" in talk.say(f"/model {broken}")
        assert "Madrid" in talk.say("And of Spain?")
        assert talk.say("/model") == "the model is copy.gguf"
        assert talk.leave() == 0
