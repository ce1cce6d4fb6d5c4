"""A text in a person's editor."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from phicli.errors import UsageError
from phicli.ui.repl import editor
from phicli.ui.repl.editor import edited

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="the editors are shell scripts"),
]
Use = Callable[[str], None]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Use:
    def use(script: str) -> None:
        path = tmp_path / "my editor"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("VISUAL", f"'{path}' --wait")

    return use


def test_the_text_comes_back_as_it_was_left(use: Use) -> None:
    use('[ "$1" = --wait ] && echo "in two lines" >> "$2"')
    assert edited("a question") == "a question\nin two lines"


def test_only_the_owner_can_read_the_file_and_it_is_removed(use: Use, tmp_path: Path) -> None:
    use(f'ls -l "$2" | cut -c1-10 > "{tmp_path}/mode"; echo "$2" > "{tmp_path}/name"')
    edited("a question")
    assert (tmp_path / "mode").read_text().strip() == "-rw-------"
    assert not Path((tmp_path / "name").read_text().strip()).exists()


@pytest.mark.parametrize(
    ("script", "says"),
    [("exit 3", "failed with exit code 3"), (': > "$2"', "left no text"), ('rm "$2"', "failed: No such file")],
)
def test_an_editor_that_fails_or_leaves_nothing_is_an_error(use: Use, script: str, says: str) -> None:
    use(script)
    with pytest.raises(UsageError, match=says):
        edited("a question")


def test_an_editor_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "no-such-editor")
    with pytest.raises(UsageError, match="no-such-editor failed"):
        edited("")


def test_without_an_editor_the_error_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.setattr(editor, "_COMMON", ())
    with pytest.raises(UsageError, match="set EDITOR"):
        edited("")
