"""What Tab offers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from phicli.chat.commands.table import BY_NAME
from phicli.chat.files.candidates import begun_mention, files_for
from phicli.ui.repl.completion import candidates_for


def names(kind: str, beginning: str) -> Sequence[str]:
    known = {"model": ("phi-4", "phi-4-mini", "tiny-phi")}
    return [name for name in known.get(kind, ()) if name.startswith(beginning)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "to do.txt").touch()
    (tmp_path / "notes" / "plan.md").touch()
    (tmp_path / ".hidden").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_commands_and_their_arguments() -> None:
    assert candidates_for("/un", names) == (3, ["/undo"])
    assert candidates_for("/model phi", names) == (3, ["phi-4", "phi-4-mini"])
    assert candidates_for("/MODEL t", names)[1] == ["tiny-phi"]
    assert candidates_for("/file no", names) == (2, ["notes/"])
    assert candidates_for("/undo phi", names) == (0, [])


def test_words_of_an_argument() -> None:
    for name, command in BY_NAME.items():
        for word in command.argument.words:
            assert word in candidates_for(f"{name} {word[:1]}", names)[1]


def test_a_slash_in_another_line_is_no_command() -> None:
    assert candidates_for("one\n/un", names) == (0, [])


def test_files_behind_the_mark_of_a_mention() -> None:
    assert candidates_for("read @no", names) == (2, ["notes/"])
    assert candidates_for("read @notes/", names) == (6, ["notes/plan.md", '"notes/to do.txt"'])
    assert candidates_for('read @"notes/t', names) == (8, ['"notes/to do.txt"'])
    assert candidates_for("read @notes/to\\ d", names)[1] == ['"notes/to do.txt"']
    assert candidates_for("mail me@no", names) == (0, [])


def test_the_argument_of_a_command_needs_no_quotes() -> None:
    assert candidates_for("/file notes/to", names)[1] == ["notes/to do.txt"]
    assert candidates_for("/file 'notes/to", names)[1] == ["'notes/to do.txt'"]


def test_hidden_files_only_when_they_are_meant_and_no_error_without_the_folder() -> None:
    assert files_for("", spaces=True) == ["notes/"]
    assert files_for(".h", spaces=True) == [".hidden"]
    assert files_for("nowhere/x", spaces=True) == []
    assert begun_mention("no mention") is None
