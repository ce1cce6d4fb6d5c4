"""What is said before a model of a remote is asked, each thing once per run."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from phicli.commands.remotes import notices
from phicli.remotes.types import Remote, RemoteModelName
from phicli.ui.terminal import Terminal

LAB = Remote("lab", "http://127.0.0.1:8000/v1", "vllm")
Say = Callable[..., str]


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Say:
    """What is said of a model, on standard error."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr(notices, "_said", set())

    def run(named: RemoteModelName, *, quiet: bool = False) -> str:
        terminal = Terminal(io.StringIO(), io.StringIO(), io.StringIO(), colour=False)
        notices.say_of_remote(terminal, named, quiet=quiet)
        return str(terminal.stderr.getvalue())  # type: ignore[attr-defined]

    return run


def test_nothing_is_said_of_what_is_clear(say: Say) -> None:
    assert say(RemoteModelName(LAB, "phi-4")) == ""


def test_a_repository_of_the_same_name_is_named_once(say: Say, tmp_path: Path) -> None:
    (tmp_path / "hf" / "hub" / "models--lab--phi-4").mkdir(parents=True)
    words = say(RemoteModelName(LAB, "phi-4"))
    assert words.startswith("lab/phi-4 is the model of the remote lab, not the repository of that name")
    assert "https://huggingface.co/lab/phi-4" in words
    assert say(RemoteModelName(LAB, "phi-4")) == ""
    assert say(RemoteModelName(LAB, "phi-4-mini")) == ""


def test_where_text_goes_is_said_also_to_those_who_want_no_notices(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    far = RemoteModelName(Remote("far", "http://far.example/v1", "vllm", "LAB_KEY"), "phi-4")
    assert "far is another machine" in say(far, quiet=True)
    monkeypatch.setenv("LAB_KEY", "sk-very-secret-123")
    words = say(far)
    assert words == "the API key is sent to http://far.example/v1 unencrypted: anyone on the network can read it\n"
    assert say(far) == ""
