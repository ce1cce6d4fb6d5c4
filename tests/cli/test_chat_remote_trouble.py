"""``phi chat`` with a remote that fails: what is said, with which exit code, and that nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from phicli.catalog.resolve import resolve
from phicli.chat.dialogue import Dialogue, Turn
from phicli.chat_format.types import Message
from tests.support.endpoint import Behaviour, Endpoint
from tests.support.remote_talks import configure, says, sent
from tests.support.running import Phi
from tests.support.sessions import sessions_in
from tests.support.waiting import wait_until

pytestmark = pytest.mark.process
NOWHERE = "http://127.0.0.1:1/v1"
HALF = Behaviour(cut_after=2, pieces=("Half ", "an ", "answer"))


@pytest.fixture
def endpoint(environment: dict[str, str]) -> Iterator[Endpoint]:
    """A remote called ``lab``."""
    with Endpoint(lambda _: says("Hello", " to you.")) as found:
        configure(environment, found.url)
        yield found


def test_a_remote_that_cannot_be_reached_is_an_error_of_the_network(phi: Phi, environment: dict[str, str]) -> None:
    configure(environment, NOWHERE)
    run = phi("chat", "lab/phi-4", "Hello", "--json")
    assert (run.code, run.json["error"]["code"]) == (4, "network")
    assert "trying again in 1 s" not in run.out
    assert NOWHERE.removesuffix("/v1") in run.json["error"]["message"]
    assert run.json["error"]["hint"].endswith("; test it: phi remotes test lab")


def test_the_question_stays_in_the_session_and_is_answered_later(
    phi: Phi, endpoint: Endpoint, environment: dict[str, str]
) -> None:
    endpoint.behave = lambda number: Behaviour(status=401) if number == 0 else says("Hello", " to you.")
    run = phi("chat", "lab/phi-4", "--session", "trip", "Hello")
    assert (run.code, run.out) == (4, "")
    (turn,) = sessions_in(environment).get("trip").dialogue.turns
    assert (turn.question, turn.replies) == ("Hello", ())
    run = phi("chat", "--session", "trip", "Are you there?")
    assert (run.code, run.out) == (0, "Hello to you.\n")


def test_half_a_stream_is_no_answer(phi: Phi, endpoint: Endpoint) -> None:
    endpoint.behave = lambda _: HALF
    run = phi("chat", "lab/phi-4", "Hello")
    assert (run.code, run.out) == (4, "Half an \n")
    assert "error:" in run.err


def test_half_an_answer_is_saved_as_one_that_was_interrupted(
    phi: Phi, endpoint: Endpoint, environment: dict[str, str]
) -> None:
    endpoint.behave = lambda number: HALF if number == 0 else says("Hello", " to you.")
    run = phi("chat", "lab/phi-4", "--session", "trip", "Hello", "--json")
    assert (run.code, run.json["error"]["code"]) == (4, "network")
    assert (run.json["data"]["text"], run.json["data"]["finish_reason"]) == ("Half an ", "interrupted")
    (turn,) = sessions_in(environment).get("trip").dialogue.turns
    assert [message.content for message in turn.replies] == ["Half an "]
    assert turn.facts is not None
    assert turn.facts["finish_reason"] == "interrupted"
    assert phi("chat", "--session", "trip", "And now?").out == "Hello to you.\n"
    assert sent(endpoint) == [("user", "Hello"), ("assistant", "Half an "), ("user", "And now?")]


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_model_that_the_remote_does_not_have_is_not_found(
    phi: Phi, endpoint: Endpoint, more: tuple[str, ...]
) -> None:
    missing = {"error": {"message": "The model `phi-5` does not exist.", "code": 404}}
    endpoint.behave = lambda _: Behaviour(status=404, body=json.dumps(missing).encode())
    run = phi("chat", "lab/phi-5", "Hello", *more)
    assert run.code == 3
    assert "The model `phi-5` does not exist" in run.out + run.err
    assert "phi remotes test lab" in run.out + run.err
    endpoint.behave = lambda _: Behaviour(status=404)
    assert phi("chat", "lab/phi-5", "Hello", *more).code == 4


def test_a_conversation_that_is_too_long_has_its_exit_code(phi: Phi, endpoint: Endpoint) -> None:
    said = "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens"
    error = {"error": {"message": said, "code": "context_length_exceeded"}}
    endpoint.behave = lambda _: Behaviour(status=400, body=json.dumps(error).encode())
    run = phi("chat", "lab/phi-4", "Hello", "--json")
    assert (run.code, run.json["error"]["code"]) == (7, "context_exceeded")
    assert "4096" in run.json["error"]["message"]


def test_a_key_that_is_missing_is_named_before_anything_is_sent(
    phi: Phi, endpoint: Endpoint, environment: dict[str, str]
) -> None:
    configure(environment, endpoint.url, "keyed", key_env="LAB_KEY")
    run = phi("chat", "keyed/phi-4", "Hello")
    assert run.code == 2
    assert "LAB_KEY is not set" in run.err
    assert endpoint.asked == []
    assert phi("chat", "keyed/phi-4", "Hello", LAB_KEY="secret-key-1").out == "Hello to you.\n"
    assert endpoint.chats[-1].headers["authorization"] == "Bearer secret-key-1"


def test_a_session_whose_remote_was_removed_says_how_to_go_on(
    phi: Phi, endpoint: Endpoint, environment: dict[str, str]
) -> None:
    assert phi("chat", "lab/phi-4", "--session", "trip", "Hello").code == 0
    assert phi("remotes", "rm", "lab").code == 0
    run = phi("chat", "--session", "trip", "And then?")
    assert run.code == 3
    assert "the session trip was made with lab/phi-4, which cannot be used: there is no remote lab" in run.err
    assert f"phi remotes add lab {endpoint.url} --kind vllm" in " ".join(run.err.split())
    assert "phi chat tiny-phi --session trip" in " ".join(run.err.split())
    run = phi("chat", "tiny-phi", "--session", "trip", "What is the capital of France?")
    assert (run.code, run.out) == (0, "The capital of France is Paris.\n")


def test_a_question_without_an_answer_remembers_its_remote(
    phi: Phi, endpoint: Endpoint, environment: dict[str, str]
) -> None:
    endpoint.behave = lambda _: Behaviour(status=401)
    assert phi("chat", "lab/phi-4", "--session", "trip", "Hello").code == 4
    assert phi("remotes", "rm", "lab").code == 0
    run = phi("chat", "--session", "trip", "And then?")
    assert run.code == 3
    assert f"there is no remote lab; it was {endpoint.url}" in " ".join(run.err.split())
    run = phi("chat", "tiny-phi", "--session", "trip", "What is the capital of France?")
    assert (run.code, run.out) == (0, "The capital of France is Paris.\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
@pytest.mark.parametrize("hangs_after", [0, 1], ids=["before the first word", "in the answer"])
def test_an_interruption_ends_the_wait_at_once(
    environment: dict[str, str], endpoint: Endpoint, hangs_after: int
) -> None:
    endpoint.behave = lambda _: Behaviour(pieces=("Half ", "an answer"), hangs_after=hangs_after)
    command = [sys.executable, "-m", "phicli", "chat", "lab/phi-4", "--session", "trip", "Hello"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        wait_until(lambda: len(endpoint.chats) == 1)
        if hangs_after:
            assert os.read(process.stdout.fileno(), 5) == b"Half "
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    (turn,) = sessions_in(environment).get("trip").dialogue.turns
    assert [message.content for message in turn.replies] == (["Half "] if hangs_after else [])


def test_a_local_session_goes_on_with_a_remote_and_back(
    phi: Phi, endpoint: Endpoint, environment: dict[str, str]
) -> None:
    begun = phi("chat", "tiny-phi", "--session", "trip", "--system", "Be brief.", "What is the capital of France?")
    assert begun.code == 0
    assert phi("chat", "lab/phi-4", "--session", "trip", "And of Italy?").out == "Hello to you.\n"
    assert sent(endpoint) == [
        ("system", "Be brief."),
        ("user", "What is the capital of France?"),
        ("assistant", sessions_in(environment).get("trip").dialogue.turns[0].replies[0].content),
        ("user", "And of Italy?"),
    ]
    saved = sessions_in(environment).get("trip")
    assert saved.info.model == "lab/phi-4"
    assert saved.dialogue.turns[1].facts is not None
    assert saved.dialogue.turns[1].facts["engine"] == "remote"
    assert phi("chat", "tiny-phi", "--session", "trip", "And of Spain?").code == 0
    assert sessions_in(environment).get("trip").info.model == "tiny-phi"


def test_the_system_message_that_a_model_prescribes_is_not_sent_to_a_remote(
    phi: Phi, endpoint: Endpoint, environment: dict[str, str]
) -> None:
    own = resolve("phi-4-reasoning").variant.system_prompt
    turn = Turn("Hello", replies=(Message("assistant", "Hi"),))
    sessions_in(environment).create("trip", "lab/phi-4-reasoning", Dialogue(f"{own} Be brief.", (turn,)))
    run = phi("chat", "lab/phi-4", "--session", "trip", "And then?")
    assert run.code == 0
    assert "note: lab/phi-4 does not reason before it answers" in run.err
    assert sent(endpoint)[0] == ("system", "Be brief.")


def test_an_answer_of_a_remote_is_made_again_by_a_command(phi: Phi, endpoint: Endpoint) -> None:
    assert phi("chat", "lab/phi-4", "--session", "trip", "Hello", "--seed", "7").code == 0
    run = phi("sessions", "show", "trip", "--reproduce", "1")
    assert "phi chat lab/phi-4 --session trip --before 1" in run.out
    assert "--seed 7" in run.out
    assert "--engine" not in run.out
    assert f"the answer was made by vllm at {endpoint.url}" in " ".join(run.err.split())


def test_a_broken_file_of_remotes_is_named_and_models_of_this_machine_work(
    phi: Phi, environment: dict[str, str]
) -> None:
    folder = Path(environment["PHI_HOME"]) / "config"
    folder.mkdir(parents=True)
    (folder / "remotes.toml").write_text("[lab\n")
    run = phi("chat", "lab/phi-4", "Hello")
    assert run.code == 2
    assert "remotes.toml" in run.err
    assert phi("chat", "tiny-phi", "What is the capital of France?").out == "The capital of France is Paris.\n"
