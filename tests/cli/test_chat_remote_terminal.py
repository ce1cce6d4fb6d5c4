"""A conversation with a model of a remote in a terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from tests.support.endpoint import Behaviour, Endpoint
from tests.support.remote_talks import configure, says, sent
from tests.support.running import Phi
from tests.support.sessions import sessions_in
from tests.support.terminal_talk import TerminalTalk

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals"),
]
WIDE = 240
FRANCE = "What is the capital of France?"
PARIS = "The capital of France is Paris."


@pytest.fixture
def endpoint(environment: dict[str, str]) -> Iterator[Endpoint]:
    """A remote called ``lab``."""
    with Endpoint(lambda number: says("Answer ", f"{number}.")) as found:
        found.models["data"] += [{"id": "phi-4", "max_model_len": 16384}]
        configure(environment, found.url)
        yield found


def test_talk_show_count_set_and_leave(environment: dict[str, str], endpoint: Endpoint, phi: Phi) -> None:
    with TerminalTalk(environment, "chat", "lab/phi-4", columns=WIDE) as talk:
        assert "lab/phi-4; /help lists the commands" in talk.begin()
        assert endpoint.asked == []
        assert talk.say("Hello") == "Answer 0."
        shown = talk.say("/show")
        assert f"remote     lab, {endpoint.url}\n" in shown
        assert "of 16,384 tokens used" in shown
        assert "all estimated: only the remote can count" in talk.say("/tokens")
        assert talk.say("/set repeat-penalty 1.1").splitlines() == ["repeat-penalty: 1.1"]
        assert talk.say("/set mirostat 2").startswith("error: unknown setting")
        for typed in ("/adapter", "/adapter none", "/adapter style:0.5"):
            assert "/adapter sets an engine of this machine, but lab/phi-4 is a model of the" in talk.say(typed)
        assert talk.say("And now?") == "Answer 1."
        assert endpoint.chats[-1].body["repetition_penalty"] == 1.1
        assert talk.say("/undo").splitlines() == ["removed: And now?", "the conversation has 1 turn"]
        assert talk.leave() == 0
    assert phi("chat", "-C", "Still there?").out == "Answer 2.\n"
    assert [text for _, text in sent(endpoint)] == ["Hello", "Answer 0.", "Still there?"]


def test_what_a_kind_ignores_is_said_when_it_is_set(environment: dict[str, str], endpoint: Endpoint) -> None:
    configure(environment, endpoint.url, "plain", kind="openai")
    with TerminalTalk(environment, "chat", "plain/phi-4", "--no-save", columns=WIDE) as talk:
        talk.begin()
        assert talk.say("/set top-k 5").splitlines() == ["top-k: 5", "note: plain ignores --top-k"]
        assert talk.leave() == 0


def test_after_an_error_the_conversation_goes_on(environment: dict[str, str], endpoint: Endpoint) -> None:
    endpoint.behave = lambda number: Behaviour(status=500) if number == 1 else says("Answer ", f"{number}.")
    with TerminalTalk(environment, "chat", "lab/phi-4", columns=WIDE) as talk:
        talk.begin()
        assert talk.say("Hello") == "Answer 0."
        said = talk.say("And now?")
        assert "status 500" in said
        assert "to ask again: /retry" in said
        assert talk.say("/retry").splitlines()[-1] == "Answer 2."
        assert [text for _, text in sent(endpoint)] == ["Hello", "Answer 0.", "And now?"]
        endpoint.behave = lambda _: Behaviour(pieces=("Half ", "an answer"), hangs_after=1)
        talk.type("Once more\r")
        talk.wait_until(lambda: "Half" in talk.lines)
        talk.type("\x03")
        talk.wait_until(talk.asks)
        assert talk.lines[-2:] == ["(stopped)", ">>>"]
        assert talk.leave() == 0
    turns = sessions_in(environment).get("last").dialogue.turns
    assert [turn.replies[-1].content for turn in turns] == ["Answer 0.", "Answer 2.", "Half "]


def test_the_model_is_changed_both_ways(environment: dict[str, str], endpoint: Endpoint) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi", columns=WIDE) as talk:
        talk.begin()
        assert talk.say(FRANCE) == PARIS
        said = talk.say("/model lab/phi-4").splitlines()
        assert said == ["note: lab/phi-4 does not reason before it answers", "the model is lab/phi-4"]
        assert talk.say("And of Italy?") == "Answer 0."
        assert [text for _, text in sent(endpoint)] == [FRANCE, PARIS, "And of Italy?"]
        assert "lab is a remote, not a model" in talk.say("/model lab")
        assert talk.say("/model lab/ph-4").splitlines() == [
            "note: lab does not list the model ph-4; did you mean lab/phi-4?", "the model is lab/ph-4",
        ]  # fmt: skip
        assert talk.say("/model lab/phi-4") == "the model is lab/phi-4"
        assert talk.say("/model") == "the model is lab/phi-4"
        assert talk.say("/model tiny-phi") == "the model is tiny-phi"
        assert "Madrid" in talk.say("And of Spain?")
        assert talk.leave() == 0
    assert sessions_in(environment).get("last").info.model == "tiny-phi"


def test_a_json_answer_is_waited_for_in_the_status_line(environment: dict[str, str], endpoint: Endpoint) -> None:
    shown = threading.Event()

    def behave(_: int) -> Behaviour:
        shown.wait(60)
        return says("Answer")

    endpoint.behave = behave
    command = ["chat", "lab/phi-4", "Hello", "--json", "--no-stdin"]
    with TerminalTalk(environment, *command, columns=WIDE) as talk:
        talk.wait_until(lambda: "waiting for lab/phi-4" in "".join(talk.lines))
        shown.set()
        talk.wait_until(lambda: any('"text": "Answer"' in line for line in talk.lines))
        assert "waiting for" not in "".join(talk.lines)


def test_a_model_that_cannot_be_reached_leaves_the_one_before(environment: dict[str, str], endpoint: Endpoint) -> None:
    configure(environment, "http://127.0.0.1:1/v1", "gone")
    with TerminalTalk(environment, "chat", "lab/phi-4", columns=WIDE) as talk:
        talk.begin()
        assert "cannot be reached" in talk.say("/model gone/phi-4")
        assert talk.say("/model") == "the model is lab/phi-4"
        assert talk.say("Hello") == "Answer 0."
        assert talk.leave() == 0


def test_a_session_is_loaded_with_its_remote(environment: dict[str, str], endpoint: Endpoint, phi: Phi) -> None:
    assert phi("chat", "lab/phi-4", "--session", "trip", "Hello").code == 0
    with TerminalTalk(environment, "chat", "tiny-phi", columns=WIDE) as talk:
        talk.begin()
        assert "the model is lab/phi-4" in talk.say("/load trip")
        assert talk.say("And now?") == "Answer 1."
        assert talk.leave() == 0


def test_the_context_that_the_remote_reports_is_kept(environment: dict[str, str], endpoint: Endpoint) -> None:
    endpoint.models["data"] += [{"id": "small", "max_model_len": 64}]
    words = "word " * 30
    with TerminalTalk(environment, "chat", "lab/small", "--on-overflow", "drop", columns=WIDE) as talk:
        talk.begin()
        assert talk.say(f"First {words}") == "Answer 0."
        assert "turn 1" in talk.say(f"Second {words}")
        assert [text[:6] for _, text in sent(endpoint)] == ["Second"]
        assert talk.leave() == 0


def test_the_remote_itself_summarizes_what_its_context_does_not_hold(
    environment: dict[str, str], endpoint: Endpoint
) -> None:
    endpoint.models["data"] += [{"id": "small", "max_model_len": 256}]
    endpoint.behave = lambda number: says("They spoke of words." if number == 2 else f"Answer {number}.")
    words = "word " * 34
    with TerminalTalk(environment, "chat", "lab/small", "--on-overflow", "summarize", columns=WIDE) as talk:
        talk.begin()
        for number in range(2):
            assert talk.say(f"First {words}").splitlines()[-1] == f"Answer {number}."
        said = talk.say(f"Last {words * 2}")
        assert "summar" in said
        assert said.splitlines()[-1] == "Answer 3."
        assert "They spoke of words." in sent(endpoint)[0][1]
        assert "They spoke of words." in talk.say("/summary")
        assert talk.leave() == 0
