"""``phi chat`` in a terminal, on the embedded model: what a person sees."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from phicli.chat.dialogue import Turn
from tests.support.files import TINY_PHI
from tests.support.running import Phi
from tests.support.sessions import sessions_in
from tests.support.terminal_talk import TerminalTalk

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals"),
]
FRANCE = "What is the capital of France?"
WIDE = 240
"""Long paths stay on one line."""
PARIS = "The capital of France is Paris."


def test_undo_retry_edit_and_questions_that_look_like_commands(environment: dict[str, str]) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi", columns=WIDE) as talk:
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
    with TerminalTalk(environment, "chat", "tiny-phi", columns=WIDE) as talk:
        talk.begin()
        assert talk.say(FRANCE) == PARIS
        assert talk.say(f"/model {copy}") == "the model is copy.gguf"
        assert "Rome" in talk.say("And of Italy?")
        assert "truncated" in talk.say(f"/model {broken}")
        assert "Madrid" in talk.say("And of Spain?")
        assert talk.say("/model") == "the model is copy.gguf"
        assert talk.leave() == 0


def test_talk_leave_continue_undo_retry_drop_summarize_switch_export(
    environment: dict[str, str], phi: Phi, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.gguf"
    shutil.copy(TINY_PHI, copy)
    with TerminalTalk(environment, "chat", "tiny-phi", columns=WIDE) as talk:
        talk.begin()
        assert talk.say(FRANCE) == PARIS
        assert "Rome" in talk.say("And of Italy?")
        assert talk.leave() == 0
    with TerminalTalk(environment, "chat", "-C", columns=WIDE) as talk:
        start = talk.begin()
        assert "continuing what-is-the-capital-of, 2 turns; the last question: And of Italy?" in start
        assert "Madrid" in talk.say("And of Spain?")
        assert talk.say("/undo 2").splitlines()[-1] == "the conversation has 1 turn"
        assert PARIS in talk.say("/retry")
        assert "saved as trip" in talk.say("/save trip")
        assert talk.say("/sessions").startswith("trip  tiny-phi  What is the capital of France?")
        assert talk.say(f"/model {copy}") == "the model is copy.gguf"
        assert "Rome" in talk.say("And of Italy?")
        assert talk.leave() == 0
    saved = sessions_in(environment).get("trip")
    assert ([turn.question for turn in saved.dialogue.turns], saved.info.model) == (
        [FRANCE, "And of Italy?"],
        str(copy),
    )
    export = phi("sessions", "export", "trip").out
    assert FRANCE in export
    assert "Rome" in export


def _asks_which(talk: TerminalTalk) -> bool:
    return "Which one?" in talk.lines[-1]


def _ask(talk: TerminalTalk) -> None:
    """Ask a question; the next line may be the prompt, or the question what is to be left out."""
    row = len(talk.lines)
    talk.type(f"{FRANCE}\r")
    talk.wait_until(lambda: len(talk.lines) > row and (talk.asks() or _asks_which(talk)))


@pytest.mark.parametrize(("choice", "left"), [("1", "no longer sent to the model"), ("2", "as a summary")])
def test_a_full_context_is_asked_about_once(environment: dict[str, str], choice: str, left: str) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi", "-c", "256", columns=WIDE) as talk:
        talk.begin()
        while not _asks_which(talk):
            _ask(talk)
        talk.type(f"{choice}\r")
        talk.wait_until(talk.asks)
        assert left in " ".join("\n".join(talk.lines).split())
        row = len(talk.lines)
        for _ in range(3):
            talk.say(FRANCE)
        assert not [line for line in talk.lines[row:] if "Which one?" in line]
        assert talk.leave() == 0
    assert sessions_in(environment).get("last").dialogue.left_out > 0


def test_a_question_without_an_answer_is_offered_again(environment: dict[str, str], phi: Phi) -> None:
    phi("chat", "tiny-phi", FRANCE, "--session", "trip")
    sessions = sessions_in(environment)
    saved = sessions.get("trip")
    asked = saved.dialogue.with_turn(Turn("And of Italy?"))
    sessions.update(saved, asked, model="tiny-phi", on_overflow=None)
    with TerminalTalk(environment, "chat", "--session", "trip", columns=WIDE) as talk:
        assert "/retry answers it" in talk.begin()
        assert "Rome" in talk.say("/retry")
        assert talk.leave() == 0


def test_two_terminals_with_one_session_lose_nothing(environment: dict[str, str], phi: Phi) -> None:
    phi("chat", "tiny-phi", FRANCE, "--session", "trip")
    arguments = ("chat", "--session", "trip")
    with TerminalTalk(environment, *arguments) as first, TerminalTalk(environment, *arguments) as second:
        first.begin()
        second.begin()
        assert "Rome" in first.say("And of Italy?")
        assert "continues as trip-2" in " ".join(second.say("And of Spain?").split())
        assert "Berlin" in first.say("And of Germany?")
        assert (first.leave(), second.leave()) == (0, 0)
    sessions = sessions_in(environment)
    assert [len(sessions.get(name).dialogue.turns) for name in ("trip", "trip-2")] == [3, 2]


def test_a_conversation_is_removed_and_is_not_saved_again(environment: dict[str, str]) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi", columns=WIDE) as talk:
        talk.begin()
        talk.say(FRANCE)
        talk.type("/forget\r")
        talk.wait_until(lambda: "Which one?" in talk.lines[-1])
        assert "was removed" in talk.say("1")
        assert "Rome" in talk.say("And of Italy?")
        assert sessions_in(environment).list() == ()
        talk.say("/new")
        talk.say("What is 7 + 5?")
        assert talk.leave() == 0
    assert [info.turns for info in sessions_in(environment).list()] == [1]


@pytest.mark.skipif(sys.platform != "linux", reason="the engine ends with its parent on Linux")
def test_a_conversation_that_is_killed_keeps_what_was_said(environment: dict[str, str]) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi", columns=WIDE) as talk:
        talk.begin()
        talk.say(FRANCE)
        talk.process.kill()
        talk.process.wait()
    (turn,) = sessions_in(environment).get("last").dialogue.turns
    assert turn.answer is not None
    assert (turn.question, turn.answer.content) == (FRANCE, PARIS)


def test_no_save_saves_nothing_until_it_is_asked_for(environment: dict[str, str]) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi", "--no-save", columns=WIDE) as talk:
        talk.begin()
        talk.say(FRANCE)
        assert sessions_in(environment).list() == ()
        assert not list(Path(environment["PHI_HOME"]).rglob("chat_history"))
        assert "saved as trip" in talk.say("/save trip")
        talk.say("And of Italy?")
        assert talk.leave() == 0
    assert sessions_in(environment).get("trip").info.turns == 2
