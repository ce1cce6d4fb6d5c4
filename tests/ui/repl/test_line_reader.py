"""A person types at the prompt."""

from __future__ import annotations

import stat
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("Windows has no such terminals", allow_module_level=True)

from phicli.ui.repl.line_reader import LineReader
from tests.support.keyboards import TypingPerson, line_reader, typing_person
from tests.support.waiting import wait_until

LONG = "a line of a long text\n" * 30_000 + "end"


@pytest.fixture
def person() -> Iterator[TypingPerson]:
    with typing_person() as person:
        yield person


@pytest.mark.parametrize(
    ("keys", "question"),
    [
        ("one\r", "one"),
        ("one\rtwo\rthree\r", "one\ntwo\nthree"),
        ("\x1b[200~one\r\ntwo\n\x1b[201~\r", "one\ntwo\n"),
        ('"""\rone\rtwo\r"""\r', "one\ntwo"),
        ("你好 \u05d0\u05d1 e\u0301\r", "你好 \u05d0\u05d1 e\u0301"),
    ],
)
def test_what_arrives_at_once_is_one_question(person: TypingPerson, keys: str, question: str) -> None:
    with line_reader(person) as reader:
        person.press(keys)
        assert reader.read() == question


@pytest.mark.parametrize(
    ("keys", "question"),
    [
        (["one", "\n", "two", "\r"], "one\ntwo"),
        (["one", "\x1b\r", "two", "\r"], "one\ntwo"),
        (["one\\", "\r", "two", "\r"], "one\ntwo"),
        (["a \\\\", "\r"], "a \\\\"),
        (['"""one', "\r", "two\\", "\r", 'three"""', "\r"], "one\ntwo\\\nthree"),
        (["ab\x1b[Dc", "\r"], "acb"),
    ],
)
def test_lines_that_are_typed_one_after_another(person: TypingPerson, keys: list[str], question: str) -> None:
    with line_reader(person) as reader:
        assert _typed(person, reader, keys) == question


def _typed(person: TypingPerson, reader: LineReader, bursts: list[str]) -> str:
    """What is read when a person types this."""
    typing = threading.Thread(target=person.press_at_the_prompt, args=[bursts])
    typing.start()
    try:
        return reader.read()
    finally:
        typing.join()


@pytest.mark.parametrize("marks", [("\x1b[200~", "\x1b[201~"), ("", "")], ids=["bracketed", "raw"])
def test_a_long_paste_is_sent_whole_and_not_saved(person: TypingPerson, tmp_path: Path, marks: tuple[str, str]) -> None:
    path = tmp_path / "history"
    with line_reader(person, history=path) as reader:
        pasting = threading.Thread(target=person.press, args=[f"{marks[0]}{LONG}{marks[1]}\r".replace("\n", "\r")])
        pasting.start()
        assert reader.read() == LONG
        pasting.join()
    assert path.read_bytes() == b""


def test_a_long_paste_whose_name_was_changed_is_not_sent_without_its_text(person: TypingPerson) -> None:
    with line_reader(person) as reader:
        text = "line\n" * 300 + "end"
        keys = [f"\x1b[200~{text}\x1b[201~", "\x1b[D", "!", "\r", "\x1b[D", "\x7f", "\x1b[F", "\r"]
        assert _typed(person, reader, keys) == text


def test_a_text_to_change_stands_in_the_line(person: TypingPerson) -> None:
    with line_reader(person) as reader:
        person.press("!\r")
        assert reader.read("one\ntwo") == "one\ntwo!"


def test_backspace_deletes_a_long_paste_as_a_whole(person: TypingPerson) -> None:
    with line_reader(person) as reader:
        assert _typed(person, reader, ["x", f"\x1b[200~{LONG[:20_000]}\x1b[201~", "\x7f", "\r"]) == "x"


def test_entries_of_several_lines_come_back_whole_in_another_conversation(person: TypingPerson, tmp_path: Path) -> None:
    path = tmp_path / "state" / "history"
    with line_reader(person, history=path) as reader:
        person.press("one\rtwo\r")
        reader.read()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with line_reader(person, history=path) as reader:
        assert _typed(person, reader, ["\x1b[A", "\x1b[A", "\r"]) == "one\ntwo"


def test_a_history_that_others_could_read_is_closed_to_them(person: TypingPerson, tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.touch(mode=0o644)
    with line_reader(person, history=path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_suggestion_from_the_history_is_taken_with_the_right_arrow(person: TypingPerson) -> None:
    with line_reader(person) as reader:
        person.press("What is the capital of France?\r")
        reader.read()
        assert _typed(person, reader, ["What", "\x1b[C", "\r"]) == "What is the capital of France?"


def test_ctrl_d_ends_and_ctrl_c_interrupts(person: TypingPerson) -> None:
    with line_reader(person) as reader:
        with pytest.raises(KeyboardInterrupt):
            _typed(person, reader, ["abc", "\x03"])
        with pytest.raises(EOFError):
            _typed(person, reader, ["\x04"])


@pytest.mark.process
@pytest.mark.parametrize(
    ("script", "question", "told"),
    [
        ('echo "changed" > "$1"', "changed", []),
        ("exit 1", "before", ["failed with exit code 1; the line is as before"]),
        (': > "$1"', "before", ["the editor left no text; the line is as before"]),
    ],
)
def test_ctrl_g_opens_an_editor(
    person: TypingPerson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, question: str, told: list[str]
) -> None:
    editor, was_open = tmp_path / "editor", tmp_path / "was-open"
    editor.write_text(f"#!/bin/sh\ntouch '{was_open}'\n{script}\n")
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    lines: list[str] = []

    def typing() -> None:
        person.press_at_the_prompt(["before", "\x07"])
        wait_until(was_open.exists)  # the terminal is the editor's now
        person.press_at_the_prompt(["\r"])

    with line_reader(person, tell=lines.append) as reader, ThreadPoolExecutor(1) as keys:
        typed = keys.submit(typing)
        assert reader.read() == question
        typed.result()
    assert [line[-len(end) :] for line, end in zip(lines, told, strict=True)] == told


def test_typed_ahead_lines_are_questions_in_turn_and_a_paste_is_one(person: TypingPerson) -> None:
    with line_reader(person) as reader:
        person.press("first\r")
        assert reader.read() == "first"
        person.press_apart(["second\r", "a paste\rof two lines\r", "not sent"])
        assert reader.read() == "second"
        assert reader.read() == "a paste\nof two lines"
        person.press("\r")
        assert reader.read() == "not sent"


def test_a_terminal_that_is_closed_is_the_end(person: TypingPerson) -> None:
    with line_reader(person) as reader:
        person.press("typed")
        person.hang_up()
        with pytest.raises(EOFError):
            reader.read()


def test_a_terminal_that_is_closed_at_the_prompt_is_the_end(person: TypingPerson) -> None:
    with line_reader(person) as reader:
        closing = threading.Thread(target=lambda: (person.press_at_the_prompt(["typed"]), person.hang_up()))
        closing.start()
        with pytest.raises(EOFError):
            reader.read()
        closing.join()


def test_the_terminal_is_left_as_it_was_found(person: TypingPerson) -> None:
    before = person.modes
    with line_reader(person) as reader:
        person.press("one\r")
        reader.read()
        assert person.modes != before
    assert person.modes == before
