"""The commands that steer ``phi chat`` in a terminal, on the embedded model: what a person sees, and what is saved."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from pathlib import Path

import pytest

from tests.support.disks import small_file_system
from tests.support.files import TINY_PHI
from tests.support.running import Phi
from tests.support.sessions import sessions_in
from tests.support.terminal_talk import TerminalTalk

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals"),
]
FRANCE = "What is the capital of France?"
PARIS = "The capital of France is Paris."
MATH = "Your name is Phi, an AI math expert developed by Microsoft."


def test_settings_last_after_another_model_and_make_the_answer_again(
    environment: dict[str, str], phi: Phi, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.gguf"
    shutil.copy(TINY_PHI, copy)
    with TerminalTalk(environment, "chat", "tiny-phi", "--session", "trip") as talk:
        talk.begin()
        assert talk.say("/set temperature 0.5") == "temperature: 0.5"
        assert "did you mean temperature?" in talk.say("/set temprature 0.5")
        assert "between 0 and 100" in talk.say("/set temperature hot")
        assert talk.say("/set seed 7") == "seed: 7"
        assert talk.say('/set stop " Paris"') == 'stop: " Paris"'
        assert talk.say("/set think-budget 50") == "think-budget: 50"
        assert "--context N" in talk.say("/set context 8192")
        assert talk.say(f"/model {copy}") == "the model is copy.gguf"
        assert talk.say(FRANCE) == "The capital of France is"
        assert talk.say("/set stop default") == "stop: none"
        assert "toy model" in talk.say("/set the table for two?")
        assert talk.leave() == 0
    printed = phi("sessions", "show", "trip", "--reproduce", "1").out
    assert all(part in printed for part in ("--temperature 0.5", "--seed 7", "--stop ' Paris'", "--think-budget 50"))
    assert "--stop" not in phi("sessions", "show", "trip", "--reproduce", "2").out


def test_show_tokens_and_stats(environment: dict[str, str], tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("Berlin is large.\n")
    with TerminalTalk(environment, "chat", "tiny-phi", "--session", "trip", "--file", str(notes)) as talk:
        talk.begin()
        shown = talk.say("/show")
        assert "notes.txt; sent with the next question" in " ".join(shown.split())
        assert all(word in shown for word in ("xllamacpp", "MiB at most", "F16", "saved with its first question"))
        assert "notes.txt (waits)" in talk.say("/tokens")
        assert "on" in talk.say("/stats on")
        assert "tokens/s" in talk.say(FRANCE)
        counted = talk.say("/tokens").splitlines()
        labels = [line.split("  ")[0] for line in counted]
        assert labels[1].endswith("/notes.txt")
        assert [labels[0], *labels[2:]] == ["prompt format", "1 turn", "total", "context"]
        assert "off" in talk.say("/stats off")
        assert "tokens/s" not in talk.say("And of Italy?")
        assert "trip, saved" in talk.say("/show")
        assert talk.leave() == 0


def test_reasoning_is_shown_and_switched_off(environment: dict[str, str]) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi", "--no-save", "--system", MATH) as talk:
        talk.begin()
        assert "further" not in talk.say("What is 7 + 5?")
        assert "5 further" in talk.say("/think show")
        assert "further" in talk.say("What is 3 + 4?")
        assert "off" in talk.say("/think off")
        assert "think-budget    0 " in talk.say("/set")
        talk.say("/think hide")
        assert "think-budget    no limit" in talk.say("/set")
        assert talk.leave() == 0


def test_a_conversation_is_exported_and_a_file_is_not_overwritten(environment: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "talk.md"
    with TerminalTalk(environment, "chat", "tiny-phi", "--session", "trip") as talk:
        talk.begin()
        assert "no question has been asked" in talk.say(f"/export {path}")
        assert talk.say(FRANCE) == PARIS
        assert str(path) in talk.say(f"/export {path}")
        written = path.read_text()
        assert PARIS in written
        talk.type(f"/export {path}\r")
        talk.wait_until(lambda: "Which one?" in talk.lines[-1])
        talk.type("\r")
        talk.wait_until(talk.asks)
        assert "nothing was written" in talk.lines[-2]
        assert path.read_text() == written
        talk.type(f"/export {path}\r")
        talk.wait_until(lambda: "Which one?" in talk.lines[-1])
        talk.process.send_signal(signal.SIGINT)
        talk.wait_until(talk.asks)
        talk.say(f"/export {tmp_path / 'talk.jsonl'}")
        talk.say(f"/export {tmp_path / 'talk.json'}")
        assert "does not exist" in talk.say(f"/export {tmp_path / 'no' / 'talk.md'}")
        assert "not a file" in talk.say("/export /dev/full")
        assert talk.leave() == 0
    lines = [json.loads(line) for line in (tmp_path / "talk.jsonl").read_text().splitlines()]
    assert [line["role"] for line in lines] == ["user", "assistant"]
    assert json.loads((tmp_path / "talk.json").read_text())["name"] == "trip"


def test_a_saved_conversation_is_loaded_with_its_model_or_nothing_changes(
    environment: dict[str, str], phi: Phi, tmp_path: Path
) -> None:
    copy, gone = tmp_path / "copy.gguf", tmp_path / "gone.gguf"
    shutil.copy(TINY_PHI, copy)
    shutil.copy(TINY_PHI, gone)
    phi("chat", str(gone), FRANCE, "--session", "old")
    phi("chat", str(copy), FRANCE, "--session", "trip")
    gone.unlink()
    with TerminalTalk(environment, "chat", "tiny-phi", "--session", "here") as talk:
        talk.begin()
        assert "Madrid" in talk.say("What is the capital of Spain?")
        assert "not found" in talk.say("/load nothing")
        assert "cannot be used" in talk.say("/load old")
        assert "here, saved" in talk.say("/show")
        loaded = talk.say("/load TRIP")
        assert "the conversation before is saved as here" in loaded
        assert f"continuing trip, 1 turn; the last question: {FRANCE}" in loaded
        assert talk.say("/model") == "the model is copy.gguf"
        assert "Rome" in talk.say("And of Italy?")
        assert "continuing here, 1 turn" in talk.say("/load last")
        assert talk.say("/model") == "the model is tiny-phi"
        assert talk.leave() == 0
    sessions = sessions_in(environment)
    assert [turn.question for turn in sessions.get("trip").dialogue.turns] == [FRANCE, "And of Italy?"]
    assert [turn.question for turn in sessions.get("here").dialogue.turns] == ["What is the capital of Spain?"]


def test_a_session_that_is_used_elsewhere_continues_as_a_copy(environment: dict[str, str], phi: Phi) -> None:
    phi("chat", "tiny-phi", FRANCE, "--session", "trip")
    with TerminalTalk(environment, "chat", "tiny-phi") as talk:
        talk.begin()
        assert "continuing trip" in talk.say("/load trip")
        phi("chat", "--session", "trip", "And of Spain?")
        assert "trip-2" in talk.say("And of Italy?")
        assert talk.leave() == 0
    assert sessions_in(environment).get("trip").info.turns == 2


def test_nothing_is_saved_with_no_save_whatever_is_loaded_or_forgotten(environment: dict[str, str], phi: Phi) -> None:
    phi("chat", "tiny-phi", FRANCE, "--session", "trip")
    with TerminalTalk(environment, "chat", "tiny-phi", "--no-save") as talk:
        talk.begin()
        assert talk.say("/forget").startswith("this conversation is not saved; to save it")
        assert "--session 'my talk'" in talk.say('/save "my talk"')
        assert "not saved from now on" in talk.say("/forget")
        assert "not saved" in talk.say("/show")
        assert "1 turn" in talk.say("/load trip")
        assert "Rome" in talk.say("And of Italy?")
        assert talk.leave() == 0
    assert sessions_in(environment).get("trip").info.turns == 1


def test_the_help_of_one_command(environment: dict[str, str]) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi") as talk:
        talk.begin()
        assert "also: /regen, /regenerate" in talk.say("/help retry")
        assert talk.say("/?") == talk.say("/help")
        assert talk.leave() == 0


def test_a_full_disk_is_an_error_of_an_export(environment: dict[str, str], tmp_path: Path) -> None:
    with small_file_system(tmp_path / "disk", "size=64k") as disk:
        (disk / "filling").write_bytes(bytes(64 * 1024))
        with TerminalTalk(environment, "chat", "tiny-phi", "--no-save") as talk:
            talk.begin()
            talk.say(FRANCE)
            assert "is full" in " ".join(talk.say(f"/export {disk / 'talk.md'}").split())
            assert "Rome" in talk.say("And of Italy?")
            assert talk.leave() == 0
        assert [path.name for path in disk.iterdir()] == ["filling"]
