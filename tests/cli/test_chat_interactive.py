"""``phi chat --interactive``: a conversation that begins with piped text or a prompt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.running import Phi
from tests.support.sessions import sessions_in
from tests.support.terminal_talk import TerminalTalk

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals"),
]
FRANCE = "What is the capital of France?"
PARIS = "The capital of France is Paris."


def test_piped_text_is_the_first_question_and_the_keyboard_goes_on(environment: dict[str, str]) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi", "-i", piped=f"{FRANCE}\n".encode()) as talk:
        assert talk.begin().splitlines()[-1] == PARIS
        assert talk.say("And of Italy?") == "The capital of Italy is Rome."
        assert talk.leave() == 0
    assert [turn.question for turn in sessions_in(environment).get("last").dialogue.turns] == [FRANCE, "And of Italy?"]


def test_piped_text_comes_before_the_prompt(environment: dict[str, str]) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi", "-i", FRANCE, piped=b"some text\n") as talk:
        talk.begin()
        assert talk.leave() == 0
    (turn,) = sessions_in(environment).get("last").dialogue.turns
    assert (turn.question, [one.text for one in turn.attachments]) == (FRANCE, ["some text"])


def test_a_prompt_alone_is_the_first_question_also_of_a_session(environment: dict[str, str], phi: Phi) -> None:
    phi("chat", "tiny-phi", FRANCE, "--session", "trip")
    with TerminalTalk(environment, "chat", "--session", "trip", "-i", "And of Italy?") as talk:
        assert talk.begin().splitlines()[-1] == "The capital of Italy is Rome."
        assert "Madrid" in talk.say("And of Spain?")
        assert talk.leave() == 0
    assert sessions_in(environment).get("trip").info.turns == 3


@pytest.mark.parametrize("more", [["--no-stdin"], []])
def test_without_a_prompt_it_is_a_conversation_as_ever(environment: dict[str, str], more: list[str]) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi", "-i", *more, piped=b"") as talk:
        talk.begin()
        assert talk.say(FRANCE) == PARIS
        assert talk.leave() == 0


def test_a_question_is_answered_at_the_keyboard(environment: dict[str, str], tmp_path: Path) -> None:
    secret = tmp_path / ".env"
    secret.write_text("A=1")
    with TerminalTalk(environment, "chat", "tiny-phi", "-i", "-f", str(secret), piped=b"some text") as talk:
        talk.wait_until(lambda: "[y/N]" in "".join(talk.lines))
        talk.type("y\r")
        talk.wait_until(talk.asks)
        assert talk.leave() == 0
    (turn,) = sessions_in(environment).get("last").dialogue.turns
    assert (turn.question, [one.text for one in turn.attachments]) == ("some text", ["A=1"])


def test_ctrl_c_ends_the_first_answer_only(environment: dict[str, str], smollm2: Path) -> None:
    command = ("chat", str(smollm2), "-i", "--temperature", "0")
    with TerminalTalk(environment, *command, piped=b"Tell a very long story.") as talk:
        talk.wait_until(lambda: len(talk.lines) > 2)
        talk.type("\x03")
        talk.wait_until(lambda: talk.asks() and "(stopped)" in talk.lines)
        assert talk.leave() == 0


def test_off_a_terminal_and_with_json_it_says_what_to_do(phi: Phi) -> None:
    run = phi("chat", "tiny-phi", "-i", FRANCE)
    assert run.code == 2
    assert "standard output is not one" in run.err
    assert "leave out --interactive" in run.err
    assert "cannot be used together" in phi("chat", "tiny-phi", "-i", FRANCE, "--json").out


def test_no_history_saves_the_conversation_but_not_the_lines(environment: dict[str, str]) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi", "--no-history") as talk:
        talk.begin()
        talk.say(FRANCE)
        assert talk.leave() == 0
    assert not list(Path(environment["PHI_HOME"]).rglob("chat_history"))
    assert sessions_in(environment).get("last").info.turns == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows what the shell reads")
def test_a_loop_over_a_pipe_is_told_what_was_read(environment: dict[str, str]) -> None:
    loop = f"seq 3 | while read x; do '{sys.executable}' -m phicli chat tiny-phi '{FRANCE}'; done"
    run = subprocess.run(["sh", "-c", loop], env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert "4 bytes of standard input" in run.stderr
    assert "--no-stdin" in run.stderr
    pipe = f"seq 3 | '{sys.executable}' -m phicli chat tiny-phi '{FRANCE}'"
    run = subprocess.run(["sh", "-c", pipe], env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert "standard input" not in run.stderr


def test_the_meter_stands_below_the_prompt_and_not_with_quiet(environment: dict[str, str]) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi", "--session", "trip", tells=True) as talk:
        talk.begin()
        talk.say(FRANCE)
        talk.wait_until(
            lambda: talk.below.startswith("tiny-phi  18 of 1,024 tokens  ") and talk.below.endswith("  trip")
        )
        talk.say("/undo")
        talk.wait_until(lambda: talk.below == "tiny-phi  context of 1,024 tokens  trip")
        assert talk.leave() == 0
    with TerminalTalk(environment, "chat", "tiny-phi", "--quiet", tells=True) as talk:
        talk.begin()
        talk.say(FRANCE)
        assert talk.below == ""
        assert talk.leave() == 0


def test_a_dumb_terminal_gets_no_meter_and_still_asks(environment: dict[str, str]) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi", term="dumb", tells=True) as talk:
        talk.begin()
        talk.say(FRANCE)
        assert talk.below == ""
