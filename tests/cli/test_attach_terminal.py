"""A conversation in a terminal with the engine of the server of this user."""

from __future__ import annotations

import sys

import psutil
import pytest

from tests.support.lending import Lender
from tests.support.running import Phi
from tests.support.terminal_talk import TerminalTalk

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform == "win32", reason="no such terminals")]
FRANCE, PARIS = "What is the capital of France?", "The capital of France is Paris."
ENDED = "note: phi serve no longer lends its engine, so this conversation starts its own"


def test_a_conversation_uses_one_loan_and_gives_it_back(lender: Lender, environment: dict[str, str]) -> None:
    server = lender()
    with TerminalTalk(environment, "chat", "tiny-phi") as talk:
        talk.begin()
        assert talk.say(FRANCE) == PARIS
        assert talk.say("And of Italy?") == "The capital of Italy is Rome."
        assert ", of phi serve" in talk.say("/show")
        assert psutil.Process(talk.process.pid).children() == []
        assert len(server.engines) == 1
        assert talk.leave() == 0


def test_when_the_server_has_died_the_next_question_starts_an_engine(
    lender: Lender, environment: dict[str, str]
) -> None:
    server = lender()
    with TerminalTalk(environment, "chat", "tiny-phi", columns=240) as talk:
        talk.begin()
        assert talk.say(FRANCE) == PARIS
        server.kill()
        said = talk.say("And of Italy?")
        assert said.splitlines() == [ENDED, "The capital of Italy is Rome."]
        assert talk.say(FRANCE) == PARIS
        assert len(psutil.Process(talk.process.pid).children()) == 1
        assert talk.leave() == 0


def test_when_the_server_was_stopped_the_next_question_starts_an_engine(
    lender: Lender, environment: dict[str, str], phi: Phi
) -> None:
    server = lender()
    with TerminalTalk(environment, "chat", "tiny-phi", columns=240) as talk:
        talk.begin()
        assert talk.say(FRANCE) == PARIS
        assert phi("stop", "--all", "--force").code == 0
        server.server.process.wait()
        assert talk.say(FRANCE).splitlines() == [ENDED, PARIS]
        assert talk.leave() == 0


def test_when_its_model_was_stopped_by_force_the_next_question_gets_another_engine_of_the_server(
    lender: Lender, environment: dict[str, str], phi: Phi
) -> None:
    server = lender()
    with TerminalTalk(environment, "chat", "tiny-phi", columns=240) as talk:
        talk.begin()
        assert talk.say(FRANCE) == PARIS
        refused = phi("stop", "tiny-phi")
        assert refused.code == 2
        assert "in use: tiny-phi (by phi chat)" in refused.err
        assert "phi stop tiny-phi --force" in refused.err
        assert phi("stop", "tiny-phi", "--force").code == 0
        assert talk.say(FRANCE) == PARIS
        assert psutil.Process(talk.process.pid).children() == []
        assert len(server.engines) == 1
        assert talk.leave() == 0


def test_when_the_engine_has_died_the_next_question_gets_another_of_the_server(
    lender: Lender, environment: dict[str, str]
) -> None:
    server = lender()
    with TerminalTalk(environment, "chat", "tiny-phi", columns=240) as talk:
        talk.begin()
        assert talk.say(FRANCE) == PARIS
        (engine,) = server.engines
        engine.kill()
        talk.say("And of Italy?")
        assert talk.say(FRANCE) == PARIS
        assert psutil.Process(talk.process.pid).children() == []
        assert talk.leave() == 0
