"""What a terminal sends, as keys."""

from __future__ import annotations

import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

if sys.platform == "win32":
    pytest.skip("Windows has no such terminals", allow_module_level=True)

from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from phicli.ui.repl.keyboard import KeyParser

ENTER = KeyPress(Keys.ControlM, "\r")


def paste(text: str) -> KeyPress:
    return KeyPress(Keys.BracketedPaste, text)


def test_single_keys_are_single_keys() -> None:
    keys = KeyParser().keys(b"a\t\r")
    assert [key.key for key in keys] == ["a", Keys.ControlI, Keys.ControlM]
    assert KeyParser().keys(b"\n")[0].key == Keys.ControlJ
    assert KeyParser().keys(b"\x1b[A")[0].key == Keys.Up
    assert [key.key for key in KeyParser().keys(b"\x1b\r")] == [Keys.Escape, Keys.ControlM]


@pytest.mark.parametrize(
    ("burst", "keys"),
    [
        ("one\rtwo\r", [paste("one\rtwo"), ENTER]),
        ("one\rtwo", [paste("one\rtwo")]),
        ("one\r\ttwo\r\r", [paste("one\r\ttwo\r"), ENTER]),
        ("one\ntwo\n", [paste("one\ntwo\n")]),
    ],
)
def test_lines_that_arrive_at_once_are_one_paste_that_its_last_break_sends(burst: str, keys: list[KeyPress]) -> None:
    assert KeyParser().keys(burst.encode()) == keys


def test_a_report_of_the_terminal_does_not_cut_a_paste_and_makes_no_paste_of_enter() -> None:
    keys = KeyParser().keys(b"one\r\x1b[1;1Rtwo\r")
    assert [key for key in keys if key.key != Keys.CPRResponse] == [paste("one\r"), *KeyParser().keys(b"two\r")]
    assert [key.key for key in KeyParser().keys(b"\r\x1b[1;1R")] == [Keys.ControlM, Keys.CPRResponse]


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\x1b")), cuts=st.lists(st.integers(0, 200)))
def test_a_bracketed_paste_is_one_key_however_it_is_cut(text: str, cuts: list[int]) -> None:
    data = f"\x1b[200~{text}\x1b[201~".encode()
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    parser = KeyParser()
    keys = [key for start, end in pairwise(places) for key in parser.keys(data[start:end])]
    assert keys == [paste(text)]
    assert parser.keys(b"x")[0].key == "x"


def test_two_megabytes_are_one_key() -> None:
    lines = "a line of a long text\r" * 100_000
    assert KeyParser().keys(lines.encode()) == [paste(lines[:-1]), ENTER]


def test_escape_alone_is_a_key_when_nothing_follows() -> None:
    parser = KeyParser()
    assert parser.keys(b"\x1b") == []
    assert [key.key for key in parser.flushed()] == [Keys.Escape]
    assert parser.keys(b"[")[0].key == "["


def test_a_sequence_that_comes_in_two_bursts_is_one_key() -> None:
    parser = KeyParser()
    assert parser.keys(b"\x1b[") == []
    assert [key.key for key in parser.keys(b"Ax")] == [Keys.Up, "x"]


def test_a_character_that_comes_in_two_bursts_is_one_character() -> None:
    parser = KeyParser()
    assert parser.keys("你".encode()[:2]) == []
    assert parser.keys("你".encode()[2:])[0].key == "你"
