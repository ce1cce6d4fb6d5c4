"""Adapters of saved conversations: they come back, and the command that makes an answer again names them."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.files import TINY_PHI
from tests.support.lora import tensors, write_gguf
from tests.support.running import Phi
from tests.support.sessions import sessions_in
from tests.support.terminal_talk import TerminalTalk

QUESTION = "What is the capital of France?"
PARIS = "The capital of France is Paris.\n"
LOUD = tensors(seed=3, size=1.0)
SHORT = ("--temperature", "0", "--max-tokens", "12")


@pytest.fixture
def loud(phi: Phi, tmp_path: Path) -> Path:
    """An adapter called ``loud`` with which tiny-phi says something else."""
    path = write_gguf(tmp_path / "loud.gguf", LOUD)
    assert phi("adapters", "add", str(path)).code == 0
    return path


@pytest.fixture
def said(phi: Phi, loud: Path) -> str:
    """The first answer of the session ``talk``, which was made with the adapter."""
    answer = phi("chat", "tiny-phi", QUESTION, "--session", "talk", "--adapter", "loud", *SHORT).out
    assert answer != PARIS
    return answer


def adapters_of(phi: Phi, *words: str) -> list[dict[str, object]]:
    run = phi("chat", *words, QUESTION, "--no-save", "--json", *SHORT)
    assert run.code == 0, run.err
    found: list[dict[str, object]] = run.json["data"]["settings"].get("adapters", [])
    return found


def test_a_session_brings_its_adapters(phi: Phi, said: str, loud: Path) -> None:
    assert phi("chat", "--session", "talk", "--before", "1", "--no-save", QUESTION, *SHORT).out == PARIS
    assert adapters_of(phi, "--session", "talk") == [{"path": str(loud), "scale": 1.0}]
    assert adapters_of(phi, "-C", "--adapter", "loud:0.5") == [{"path": str(loud), "scale": 0.5}]
    assert adapters_of(phi, "--session", "talk", "--adapter", "none") == []


def test_the_last_answer_decides(phi: Phi, said: str) -> None:
    phi("chat", "--session", "talk", "--adapter", "none", QUESTION, *SHORT)
    assert adapters_of(phi, "--session", "talk") == []
    assert len(adapters_of(phi, "--session", "talk", "--before", "2")) == 1


def test_an_adapter_that_is_gone(phi: Phi, said: str, loud: Path) -> None:
    loud.unlink()
    gone = phi("chat", "--session", "talk", "and then?")
    assert gone.code == 3
    assert "the session talk was made with an adapter that cannot be used" in gone.err
    assert "phi chat --session talk --adapter none" in gone.err
    assert phi("chat", "--session", "talk", "--adapter", "none", "and then?", *SHORT).code == 0


def test_a_model_that_it_does_not_fit(phi: Phi, said: str, loud: Path, tmp_path: Path) -> None:
    write_gguf(loud, tensors(modules={"mlp.down_proj": ("ffn_down", 8192, 3072)}))
    run = phi("chat", "--session", "talk", "and then?", *SHORT)
    assert (run.code, "the adapters of the session do not fit tiny-phi" in run.err) == (0, True)


@pytest.mark.parametrize("adapter", ["loud", "loud:0.5"])
def test_the_command_makes_the_answer_again(phi: Phi, loud: Path, adapter: str) -> None:
    answer = phi("chat", "tiny-phi", QUESTION, "--session", "talk", "--adapter", adapter, *SHORT).out
    printed = phi("sessions", "show", "talk", "--reproduce", "1")
    words = shlex.split(printed.out)
    assert words[words.index("--adapter") + 1] == adapter
    assert phi(*words[1:]).out == answer


def test_the_command_leaves_out_an_adapter_of_an_earlier_answer(phi: Phi, said: str) -> None:
    answer = phi("chat", "--session", "talk", "--adapter", "none", QUESTION, *SHORT).out
    words = shlex.split(phi("sessions", "show", "talk", "--reproduce", "2").out)
    assert words[words.index("--adapter") + 1] == "none"
    assert phi(*words[1:]).out == answer


def test_an_adapter_without_a_name_is_its_path(phi: Phi, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "a: b.gguf", LOUD)
    phi("chat", "tiny-phi", QUESTION, "--session", "talk", "--adapter", f"{path}:2", *SHORT)
    words = shlex.split(phi("sessions", "show", "talk", "--reproduce", "1").out)
    assert words[words.index("--adapter") + 1] == f"{path}:2"
    path.unlink()
    assert f"the adapter {path} has been deleted" in phi("sessions", "show", "talk", "--reproduce", "1").err


def test_the_kv_cache_belongs_to_its_adapters(phi: Phi, loud: Path) -> None:
    long = "Tell me more. " * 8
    for scale, words in (("1", "restored"), ("0.5", "with other adapters")):
        phi("chat", "tiny-phi", long, "--session", f"s{scale}", "--adapter", "loud", *SHORT)
        on = phi("chat", "--session", f"s{scale}", "--adapter", f"loud:{scale}", "--verbose", "and?", *SHORT)
        assert words in on.err, on.err


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_in_a_terminal(environment: dict[str, str], phi: Phi, said: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.gguf"
    shutil.copy(TINY_PHI, copy)
    phi("chat", "tiny-phi", QUESTION, "--session", "bare", *SHORT)
    with TerminalTalk(environment, "chat", "tiny-phi", *SHORT, columns=240) as talk:
        talk.begin()
        assert "adapters" not in talk.say("/show")
        assert "the model is tiny-phi" in talk.say("/load talk")
        assert "adapters   loud" in talk.say("/show")
        talk.say(f"/model {copy}")
        assert "adapters   loud" in talk.say("/show")
        talk.say("/load bare")
        assert "adapters" not in talk.say("/show")
        assert talk.leave() == 0
    assert sessions_in(environment).get("bare").info.model == "tiny-phi"
