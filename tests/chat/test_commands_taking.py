"""``/copy`` and ``/export``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from phicli.chat.dialogue import Dialogue
from phicli.chat.repl import run_repl
from phicli.chat.talk import ExportForm, Talk
from phicli.errors import UsageError
from tests.chat.test_repl import Screen
from tests.fakes.scripted_model import Lab, echo

ANSWER = "Two:\n```python\nprint(1)\nprint(2)\n```\n```\nx\n```\n"


@dataclass(frozen=True)
class Block:
    language: str
    text: str


class Exports:
    """Remembers what would be written."""

    def __init__(self, error: UsageError | None = None) -> None:
        self.written: list[tuple[str, str, str, int]] = []
        self._error = error

    def write(self, path: Path, form: ExportForm, name: str, dialogue: Dialogue) -> None:
        if self._error is not None:
            raise self._error
        self.written.append((path.name, form, name, len(dialogue.turns)))


class Choosing(Screen):
    """A person who chooses this."""

    def __init__(self, choice: int | None, *lines: str) -> None:
        super().__init__(*lines)
        self._choice = choice

    def choose(self, question: str, choices: Sequence[str]) -> int | None:
        self.told += [question, *choices]
        return self._choice


def blocks(text: str) -> list[Block]:
    return [Block(*found) for found in re.findall(r"```(\w*)\n(.*?)```", text, re.DOTALL)]


def copied(*lines: str, answer: str = ANSWER) -> Screen:
    screen = Screen(*lines)
    run_repl(Talk(Lab(lambda _: f"{answer}<|end|>").session, screen, code_blocks=blocks))
    return screen


def test_the_last_answer_is_copied_as_the_model_wrote_it() -> None:
    screen = copied("hello", "/copy")
    assert (screen.copied, screen.told) == ([ANSWER], ["8 lines copied"])


def test_a_code_block_is_copied_without_its_fences() -> None:
    screen = copied("hello", "/copy 1", "/copy 2")
    assert screen.copied == ["print(1)\nprint(2)\n", "x\n"]
    assert screen.told == ["code block 1 copied: 2 lines of python", "code block 2 copied: 1 line"]


@pytest.mark.parametrize("number", ["0", "3", "999999"])
def test_a_block_that_is_not_there_names_those_that_are(number: str) -> None:
    screen = copied("hello", f"/copy {number}")
    assert screen.copied == []
    assert screen.errors[0].message == f"the last answer has no code block {number}"
    assert screen.errors[0].hint == "1: 2 lines of python; 2: 1 line"


def test_nothing_is_copied_where_there_is_nothing() -> None:
    assert "no question" in copied("/copy").errors[0].message
    assert "no code" in str(copied("hello", "/copy 1", answer="no").errors[0].hint)
    assert "empty" in copied("hello", "/copy", answer="").errors[0].message
    lab, screen = Lab(echo, first=64, limit=128), Screen("y" * 199, "/copy")
    run_repl(Talk(lab.session, screen))
    assert screen.errors[1].message == "the last question has no answer"


def exported(screen: Screen, exports: Exports) -> None:
    run_repl(Talk(Lab(echo).session, screen, exports=exports))


@pytest.mark.parametrize(
    ("line", "name", "form"),
    [
        ("/export", "conversation.md", "markdown"),
        ("/export talk.MD", "talk.MD", "markdown"),
        ("/export talk", "talk", "markdown"),
        ("/export talk.json", "talk.json", "json"),
        ("/export talk.jsonl", "talk.jsonl", "lines"),
        ('/export "my talk.md"', "my talk.md", "markdown"),
    ],
)
def test_the_ending_is_the_form(
    line: str, name: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    screen, exports = Screen("hello", line), Exports()
    exported(screen, exports)
    assert exports.written == [(name, form, "conversation", 1)]
    assert screen.told == [f"1 turn written to {tmp_path / name}"]


def test_an_unknown_ending_and_an_empty_conversation_are_errors() -> None:
    screen, exports = Screen("/export", "hello", "/export talk.pdf"), Exports()
    exported(screen, exports)
    assert [error.exit_code for error in screen.errors] == [2, 2]
    assert ".jsonl" in str(screen.errors[1].hint)
    assert exports.written == []


@pytest.mark.parametrize(("choice", "written"), [(None, []), (0, ["talk-3.md"]), (1, ["talk.md"])])
def test_nothing_is_overwritten_without_a_question(choice: int | None, written: list[str], tmp_path: Path) -> None:
    (tmp_path / "talk.md").write_text("old")
    (tmp_path / "talk-2.md").write_text("old")
    screen, exports = Choosing(choice, "hello", f"/export {tmp_path / 'talk.md'}"), Exports()
    exported(screen, exports)
    assert [name for name, *_ in exports.written] == written
    assert "already exists" in screen.told[0]
    assert ("nothing was written" in screen.told[-1]) == (not written)


def test_a_folder_gets_a_file_with_the_name_of_the_session(tmp_path: Path) -> None:
    screen, exports = Screen("hello", f"/export {tmp_path}"), Exports()
    exported(screen, exports)
    assert screen.told == [f"1 turn written to {tmp_path / 'conversation.md'}"]


def test_a_file_that_cannot_be_written_is_an_error_and_the_conversation_goes_on() -> None:
    screen = Screen("hello", "/export talk.md", "more")
    exported(screen, Exports(UsageError("talk.md cannot be written", "choose another file")))
    assert (len(screen.errors), screen.answers) == (1, ["HELLO", "MORE"])
