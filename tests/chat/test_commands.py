"""The commands of the REPL: which lines they are, and what they do to a conversation."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.chat.commands.line import Mistake, Order, Question, read_line
from phicli.chat.commands.table import BY_NAME, COMMANDS
from phicli.chat.dialogue import Attachment
from phicli.chat.repl import run_repl
from tests.chat.test_repl import Screen
from tests.fakes.scripted_engine import ScriptedEngine
from tests.fakes.scripted_model import Lab, echo
from tests.fakes.talk import talk_of


def said(lab: Lab) -> list[tuple[str, str | None]]:
    return [(turn.question, turn.answer.content if turn.answer else None) for turn in lab.session.dialogue.turns]


def test_every_command_and_alias_stands_once_in_the_table() -> None:
    names = [name for command in COMMANDS for name in command.names]
    assert len(names) == len(set(names)) == len(BY_NAME)


@pytest.mark.parametrize(
    "line",
    [
        "/clear the table in SQL: how?",
        "/exit codes of bash?",
        "/help me",
        "/etc/hosts what is it?",
        "/etc/hosts",
        "/undo the last commit in git: how?",
        "/undo 2 commits",
        "/retry with exponential backoff in Go",
        "/model of a car: what is it?",
        "/file system of Linux?",
        "/save the whales",
        "/new\nline",
        "/nonsense with words",
    ],
)
def test_a_command_followed_by_something_else_is_a_question(line: str) -> None:
    assert read_line(line, BY_NAME) == Question(line)


@pytest.mark.parametrize(
    ("line", "name", "argument"),
    [
        ("/undo", "/undo", ""),
        ("/UNDO 3", "/undo", "3"),
        ("/quit", "/exit", ""),
        ("/clear", "/new", ""),
        ("/system answer in JSON, please", "/system", "answer in JSON, please"),
        ("/model phi-4-mini:q4_k_m", "/model", "phi-4-mini:q4_k_m"),
        ('/save "my trip"', "/save", "my trip"),
        ("/file -", "/file", "-"),
    ],
)
def test_a_command_with_its_argument_is_obeyed(line: str, name: str, argument: str) -> None:
    assert read_line(line, BY_NAME) == Order(BY_NAME[name], argument)


def test_a_path_with_spaces_is_an_argument_where_it_exists(tmp_path: Path) -> None:
    path = tmp_path / "two words.txt"
    assert isinstance(read_line(f"/file {path}", BY_NAME), Question)
    path.write_text("text")
    assert read_line(f"/file {path}", BY_NAME) == Order(BY_NAME["/file"], str(path))


def test_two_slashes_send_one_and_unknown_words_are_mistakes() -> None:
    assert read_line("//help", BY_NAME) == Question("/help")
    assert read_line("/udno", BY_NAME) == Mistake("unknown command: /udno; did you mean /undo?")
    assert read_line("/", BY_NAME) == Mistake("unknown command: /; see all commands: /help")


def test_undo_removes_turns_from_the_end() -> None:
    lab, screen = Lab(echo), Screen("one", "two", "three", "/undo", "/undo 9", "/undo")
    run_repl(talk_of(lab.session, screen))
    assert said(lab) == []
    assert screen.told == [
        "removed: three",
        "the conversation has 2 turns",
        "removed: one",
        "removed: two",
        "the conversation is empty",
    ]
    assert [error.message for error in screen.errors] == ["no question has been asked yet"]


def test_undo_0_is_an_error_and_removes_nothing() -> None:
    lab, screen = Lab(echo), Screen("one", "/undo 0")
    run_repl(talk_of(lab.session, screen))
    assert said(lab) == [("one", "ONE")]
    assert screen.errors[0].exit_code == 2


def test_undo_works_when_the_context_is_full() -> None:
    lab, screen = Lab(echo, first=64, limit=128), Screen("y" * 199, "/undo", "short")
    run_repl(talk_of(lab.session, screen))
    assert [error.exit_code for error in screen.errors] == [7]
    assert said(lab) == [("short", "SHORT")]


def test_retry_asks_again_with_the_answer_replaced() -> None:
    lab, screen = Lab(echo), Screen("one", "/retry", "/retry")
    run_repl(talk_of(lab.session, screen))
    assert screen.answers == ["ONE", "ONE", "ONE"]
    assert said(lab) == [("one", "ONE")]
    assert len(set(lab.engines[0].prompts)) == 1


def test_retry_after_a_failure_answers_the_question() -> None:
    engines = iter([ScriptedEngine(echo, dies_after=1), ScriptedEngine(echo)])
    lab, screen = Lab(echo, make=lambda _: next(engines)), Screen("hello", "/retry")
    run_repl(talk_of(lab.session, screen))
    assert said(lab) == [("hello", "HELLO")]


def test_edit_offers_the_question_and_sends_the_changed_one_with_its_files() -> None:
    lab, screen = Lab(echo), Screen("helo", "/edit", "hello", "more")
    talk = talk_of(lab.session, screen, pending=[Attachment("a.txt", "the file")])
    run_repl(talk)
    assert screen.offered == ["", "", "helo", "", ""]
    assert [(turn.question, len(turn.attachments)) for turn in lab.session.dialogue.turns] == [
        ("hello", 1),
        ("more", 0),
    ]
    assert "the file" in lab.engines[0].prompts[1]
    assert "helo<" not in lab.engines[0].prompts[2]


@pytest.mark.parametrize("answer", [KeyboardInterrupt, EOFError, "", "  "])
def test_an_edit_that_is_given_up_changes_nothing(answer: str | type[BaseException]) -> None:
    lab, screen = Lab(echo), Screen("one", "/edit", answer, "two")
    run_repl(talk_of(lab.session, screen))
    assert said(lab) == [("one", "ONE"), ("two", "TWO")]
    assert screen.told == ["the question was not changed"]


def test_a_command_without_what_it_needs_says_so_and_the_conversation_goes_on() -> None:
    lab, screen = Lab(echo), Screen("/edit", "/retry", "one")
    run_repl(talk_of(lab.session, screen))
    assert [error.exit_code for error in screen.errors] == [2, 2]
    assert all(error.hint for error in screen.errors)
    assert screen.answers == ["ONE"]


def test_files_that_wait_go_with_one_question_only() -> None:
    lab, screen = Lab(echo), Screen("/file", "one", "/file", "two")
    run_repl(talk_of(lab.session, screen, pending=[Attachment("a.txt", "xyz")]))
    assert [len(turn.attachments) for turn in lab.session.dialogue.turns] == [1, 0]
    assert screen.told == ["sent with the next question: a.txt", "no file yet; to add one: /file PATH"]
