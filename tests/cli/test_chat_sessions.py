"""``phi chat`` with saved sessions, one question at a time, on the embedded model."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.disks import small_file_system
from tests.support.files import TINY_PHI
from tests.support.running import Phi
from tests.support.sessions import sessions_in

pytestmark = pytest.mark.process
FRANCE, PARIS = "What is the capital of France?", "The capital of France is Paris.\n"
ITALY, ROME = "And of Italy?", "The capital of Italy is Rome.\n"


def test_a_question_is_saved_only_where_a_session_is_named(phi: Phi, environment: dict[str, str]) -> None:
    phi("chat", "tiny-phi", FRANCE)
    assert not list(Path(environment["PHI_HOME"]).rglob("sessions.sqlite"))
    assert phi("chat", "tiny-phi", FRANCE, "--session", "trip").out == PARIS
    assert phi("chat", "--session", "TRIP", ITALY).out == ROME
    assert phi("chat", "-C", "And", "of", "Spain?").out == "The capital of Spain is Madrid.\n"
    saved = sessions_in(environment).get("trip")
    assert [turn.question for turn in saved.dialogue.turns] == [FRANCE, ITALY, "And of Spain?"]
    facts = saved.dialogue.turns[1].facts
    assert facts is not None
    assert (facts["model"], facts["quant"], facts["finish_reason"]) == ("tiny-phi", "F16", "stop")
    assert facts["build"].startswith("xllamacpp ")
    assert isinstance(facts["seed"], int)


def test_json_names_the_session(phi: Phi) -> None:
    data = phi("chat", "tiny-phi", FRANCE, "--session", "trip", "--json").json["data"]
    assert (data["session"], data["text"]) == ("trip", PARIS.strip())
    assert "session" not in phi("chat", "tiny-phi", FRANCE, "--json").json["data"]


def test_nothing_is_saved_where_that_is_not_wanted(phi: Phi, environment: dict[str, str]) -> None:
    phi("chat", "tiny-phi", FRANCE, "--session", "trip", "--no-save")
    phi("chat", "tiny-phi", FRANCE, "--session", "trip", PHI_CHAT_SAVE="false")
    assert sessions_in(environment).list() == ()
    phi("chat", "tiny-phi", FRANCE, "--session", "trip", "--no-keep-state")
    assert phi("chat", "-C", ITALY, "--no-save").out == ROME
    assert sessions_in(environment).get("trip").info.turns == 1


def test_the_first_words_are_the_prompt_unless_they_name_a_model(
    phi: Phi, environment: dict[str, str], tmp_path: Path
) -> None:
    copy = tmp_path / "copy.gguf"
    shutil.copy(TINY_PHI, copy)
    phi("chat", "tiny-phi", FRANCE, "--session", "trip")
    assert phi("chat", "-C", "hello").code == 0
    assert phi("chat", str(copy), "-C", ITALY).out == ROME
    saved = sessions_in(environment).get("trip")
    assert [turn.question for turn in saved.dialogue.turns] == [FRANCE, "hello", ITALY]
    assert saved.info.model == str(copy)
    assert saved.dialogue.turns[0].replies[0].token_ids is None
    assert phi("chat", "-C", ITALY, PHI_MODEL="tiny-phi").code == 0
    assert sessions_in(environment).get("trip").info.model == str(copy)  # a setting does not change it


def test_a_session_whose_model_is_gone_says_so_and_another_model_continues(
    phi: Phi, environment: dict[str, str], tmp_path: Path
) -> None:
    copy = tmp_path / "copy.gguf"
    shutil.copy(TINY_PHI, copy)
    phi("chat", str(copy), FRANCE, "--session", "trip")
    copy.unlink()
    run = phi("chat", "-C", ITALY)
    assert run.code == 3
    assert "the session trip was made with" in run.err
    assert "phi chat tiny-phi --session trip" in run.err
    assert phi("chat", "tiny-phi", "--session", "trip", ITALY).out == ROME
    assert sessions_in(environment).get("trip").info.model == "tiny-phi"


def test_before_a_question_goes_on_as_another_session(phi: Phi, environment: dict[str, str]) -> None:
    for question in (FRANCE, ITALY, "And of Spain?"):
        phi("chat", "tiny-phi", question, "--session", "trip")
    assert (
        phi("chat", "--session", "trip", "--before", "2", "And of Germany?").out
        == "The capital of Germany is Berlin.\n"
    )
    sessions = sessions_in(environment)
    assert sessions.get("trip").info.turns == 3
    assert [turn.question for turn in sessions.get("last").dialogue.turns] == [FRANCE, "And of Germany?"]
    assert phi("chat", "--session", "trip", "--before", "9", ITALY).code == 2
    assert phi("chat", "tiny-phi", "--before", "2", ITALY).code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["-C", "hi"], 3, "no conversation is saved yet"),
        (["tiny-phi", "hi", "-C", "--session", "a"], 2, "cannot be used together"),
        (["tiny-phi", "hi", "--session", "-a"], 2, "cannot be the name of a session"),
        (["tiny-phi", "hi", "--session", ""], 2, "cannot be the name of a session"),
        (["tiny-phi", "hi", "--on-overflow", "cut"], 2, "choose one of error, drop, summarize, ask"),
    ],
)
def test_what_makes_no_sense_is_refused(phi: Phi, arguments: list[str], code: int, says: str) -> None:
    run = phi("chat", *arguments)
    assert (run.code, run.out) == (code, "")
    assert says in run.err


def test_a_full_context_is_an_error_and_is_dropped_or_summarized_where_that_is_asked_for(
    phi: Phi, environment: dict[str, str]
) -> None:
    for _ in range(6):
        assert phi("chat", "tiny-phi", FRANCE, "--session", "trip", "-c", "128", "--no-keep-state").out == PARIS
    long = ("chat", "--session", "trip", f"{FRANCE} {FRANCE} {FRANCE} {FRANCE}", "-c", "128", "--no-keep-state")
    refused = phi(*long)
    assert refused.code == 7
    assert "--on-overflow" in refused.err
    dropped = phi(*long, "--on-overflow", "drop")
    assert dropped.code == 0
    assert "no longer sent to the model" in dropped.err
    dialogue = sessions_in(environment).get("trip").dialogue
    assert dialogue.left_out > 0
    assert len(dialogue.turns) == 8
    assert phi(*long, PHI_CHAT_ON_OVERFLOW="drop").code == 0


def test_a_disk_that_cannot_be_written_is_told_and_the_answer_comes(phi: Phi, tmp_path: Path) -> None:
    with small_file_system(tmp_path / "disk", "size=1m") as disk:
        phi("chat", "tiny-phi", FRANCE, "--session", "trip", "--no-keep-state", PHI_HOME=str(disk))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        run = phi("chat", "-C", ITALY, PHI_HOME=str(disk))
        assert (run.code, run.out) == (0, ROME)
        assert "is not saved" in run.err
        assert phi("sessions", "list", "--json", PHI_HOME=str(disk)).json["data"]["sessions"][0]["turns"] == 1


def test_a_home_that_cannot_be_one_is_an_error_where_a_session_is_named(phi: Phi) -> None:
    assert phi("chat", "tiny-phi", FRANCE, PHI_HOME="/dev/null/nowhere").out == PARIS
    assert phi("chat", "tiny-phi", FRANCE, "--session", "trip", PHI_HOME="/dev/null/nowhere").code == 2
