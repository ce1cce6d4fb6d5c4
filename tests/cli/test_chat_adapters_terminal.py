"""Adapters that change in a conversation in a terminal, on tiny-phi: what is answered, saved, and made again."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from phicli.chat.saved_adapters import adapters_of_answer
from tests.support.lora import tensors, write_gguf
from tests.support.running import Phi
from tests.support.sessions import sessions_in
from tests.support.terminal_talk import TerminalTalk

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals"),
]
QUESTION = "What is the capital of France?"
PARIS = "The capital of France is Paris."
SHORT = ("--temperature", "0", "--max-tokens", "12")


@pytest.fixture
def folder(phi: Phi, tmp_path: Path) -> Path:
    """Where the adapters ``loud``, ``other`` and ``wide`` are; the last one is of another model."""
    for name, found in {
        "loud": tensors(seed=3, size=1.0),
        "other": tensors(seed=4, size=1.0),
        "wide": tensors(modules={"mlp.down_proj": ("ffn_down", 8192, 3072)}),
    }.items():
        assert phi("adapters", "add", str(write_gguf(tmp_path / f"{name}.gguf", found))).code == 0
    return tmp_path


def one_answer(phi: Phi, *adapters: str) -> str:
    """What a command with these adapters answers."""
    words = [word for one in adapters for word in ("--adapter", one)]
    return phi("chat", "tiny-phi", QUESTION, *SHORT, *words).out.strip()


def answer(said: str) -> str:
    return "\n".join(line for line in said.splitlines() if not line.startswith("note: "))


def test_other_adapters_from_the_next_question_on(environment: dict[str, str], phi: Phi, folder: Path) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi", "--verbose", "--session", "s", *SHORT, columns=240) as talk:
        talk.begin()
        assert talk.say("/adapter").splitlines()[:2] == ["adapters: none", "those that fit tiny-phi: loud, other"]
        assert talk.say(QUESTION) == PARIS
        assert talk.say("/adapter loud").splitlines()[-1] == "adapters: loud"
        assert answer(talk.say("/retry")) == one_answer(phi, "loud")
        started = talk.printed.count("gguf at 1")
        for typed in ("loud:0.5", "none", "loud:0.25"):
            assert talk.say(f"/adapter {typed}") == f"adapters: {typed}"
        assert talk.printed.count("gguf at") == started  # no engine was started for it
        talk.say("/undo")
        assert answer(talk.say(QUESTION)) == one_answer(phi, "loud:0.25")
        assert "adapters   loud:0.25" in talk.say("/show")
        assert talk.say("/adapter other loud").splitlines()[-1] == "adapters: other, loud"
        talk.say("/undo")
        talk.say(QUESTION)
        assert talk.leave() == 0
    (turn,) = sessions_in(environment).get("s").dialogue.turns
    assert turn.answer is not None
    assert turn.answer.content.strip() == one_answer(phi, "other", "loud")


def test_what_cannot_be_used_leaves_those_before(environment: dict[str, str], phi: Phi, folder: Path) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi", "--adapter", "loud", *SHORT, columns=240) as talk:
        talk.begin()
        first = answer(talk.say(QUESTION))
        assert "8192 x 3072 in the adapter, but 384 x 128 in the model" in talk.say("/adapter wide")
        assert talk.say("/adapter lout").startswith("error: adapter 'lout' not found")
        (folder / "other.gguf").unlink()
        assert "the adapter other was added, but" in talk.say("/adapter other")
        assert talk.say("/adapter").splitlines()[:2] == ["adapters: loud", "others that fit tiny-phi: none"]
        talk.say("/undo")
        assert answer(talk.say(QUESTION)) == first
        assert talk.leave() == 0


def test_each_answer_can_be_made_again_and_the_last_adapters_go_on(
    environment: dict[str, str], phi: Phi, folder: Path
) -> None:
    said = []
    with TerminalTalk(environment, "chat", "tiny-phi", "--session", "s", *SHORT, columns=240) as talk:
        talk.begin()
        for typed in ("loud", "none", "loud:0.5", "other:2"):
            talk.say(f"/adapter {typed}")
            said.append(answer(talk.say(QUESTION)))
        assert talk.leave() == 0
    turns = sessions_in(environment).get("s").dialogue.turns
    found = [[one.typed_as(one.path.stem) for one in adapters_of_answer(turn.facts)] for turn in turns]
    assert found == [["loud"], [], ["loud:0.5"], ["other:2"]]
    for number, text in enumerate(said, 1):
        words = shlex.split(phi("sessions", "show", "s", "--reproduce", str(number)).out)
        assert answer(phi(*words[1:]).out.strip()) == text
    assert "adapter loud:0.5" in phi("sessions", "show", "s").out
    on = phi("chat", "-C", QUESTION, "--json", *SHORT).json["data"]["settings"]["adapters"]
    assert [(Path(one["path"]).stem, one["scale"]) for one in on] == [("other", 2.0)]
