"""``phi chat`` on a model that is not here: a person is asked, a script is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.files import TINY_PHI
from tests.support.hub import LoopbackHub
from tests.support.person import Person
from tests.support.pulling import final_files
from tests.support.running import Phi

pytest.importorskip("pty")
QUESTION = "What is the capital of France?"
ANSWER = "The capital of France is Paris."


@pytest.fixture
def person(hub: LoopbackHub, environment: dict[str, str]) -> Person:
    hub.add_repo("some/tiny", {"tiny-Q4_K_M.gguf": TINY_PHI})
    return Person(environment | {"HF_HUB_OFFLINE": ""} | hub.environment, "chat", "some/tiny", QUESTION)


@pytest.mark.parametrize("word", ["y", "", "YES", "what?\ny"])
def test_yes_downloads_and_answers(person: Person, word: str) -> None:
    person.wait_for("Download some/tiny, 1.9 MiB? [Y/n] ")
    person.type(f"{word}\n")
    assert person.end() == (0, f"{ANSWER}\n")
    assert "is ready" in person.screen


def test_no_is_no(person: Person, folder: Path) -> None:
    person.wait_for("[Y/n]")
    person.type("n\n")
    assert person.end() == (3, "")
    assert "phi pull some/tiny" in person.screen
    assert final_files(folder) == {}


@pytest.mark.parametrize(("key", "code"), [("\x03", 130), ("\x04", 3)], ids=["Ctrl-C", "Ctrl-D"])
def test_leaving_without_an_answer(person: Person, folder: Path, key: str, code: int) -> None:
    person.wait_for("[Y/n]")
    person.type(key)
    assert person.end() == (code, "")
    assert "Traceback" not in person.screen, person.screen
    assert final_files(folder) == {}


def test_a_script_is_told(hub: LoopbackHub, online: Phi) -> None:
    hub.add_repo("some/tiny", {"tiny-Q4_K_M.gguf": TINY_PHI})
    told = online("chat", "some/tiny", QUESTION)
    assert told.code == 3
    assert "phi pull some/tiny" in told.err
    assert not list(hub.requests)


@pytest.mark.parametrize("question", [[QUESTION], []])
def test_a_misspelled_remote_is_not_looked_for_on_the_hub(
    hub: LoopbackHub, phi: Phi, environment: dict[str, str], question: list[str]
) -> None:
    for name in ("west", "east"):
        assert phi("remotes", "add", name, "http://127.0.0.1:9/v1").code == 0
    online = environment | {"HF_HUB_OFFLINE": ""} | hub.environment
    person = Person(online, "chat", "esat/tiny-phi", *question)
    assert person.end()[0] == 3
    assert "did you mean east/tiny-phi" in " ".join(person.screen.split())
    assert not list(hub.requests)


def test_an_owner_who_is_known_is_no_misspelled_remote(hub: LoopbackHub, phi: Phi, environment: dict[str, str]) -> None:
    assert phi("remotes", "add", "micro-soft", "http://127.0.0.1:9/v1").code == 0
    hub.add_repo("microsoft/tiny", {"tiny-Q4_K_M.gguf": TINY_PHI})
    person = Person(environment | {"HF_HUB_OFFLINE": ""} | hub.environment, "chat", "microsoft/tiny", QUESTION)
    person.wait_for("[Y/n]")
    person.type("n\n")
    assert person.end()[0] == 3


@pytest.mark.parametrize("words", [("show",), ("eval", "--set", "arithmetic")])
def test_other_commands_name_the_remote_that_was_meant(phi: Phi, words: tuple[str, ...]) -> None:
    for name in ("west", "east"):
        phi("remotes", "add", name, "http://127.0.0.1:9/v1")
    run = phi(words[0], "esat/tiny-phi", *words[1:])
    assert run.code == 3
    assert "did you mean east/tiny-phi" in run.err
    alone = phi(words[0], "east", *words[1:])
    assert (alone.code, "east is a remote, not a model" in alone.err) == (3, True)
