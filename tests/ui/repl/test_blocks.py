"""Questions of several lines."""

from __future__ import annotations

import pytest

from phicli.ui.repl.blocks import continues, is_open, question_of


@pytest.mark.parametrize(
    ("text", "is_open_"),
    [
        ('"""', True),
        ('"""one', True),
        ('"""one\ntwo', True),
        ('"""one\n"""two', True),
        ('"""one"""', False),
        ('""""""', False),
        ('"""\none\n"""  ', False),
        ('one """', False),
        ('one\n"""two', False),
    ],
)
def test_a_block_is_open_until_a_line_ends_with_the_marks(text: str, is_open_: bool) -> None:
    assert is_open(text) is is_open_


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("one", "one"),
        ('"""one\ntwo"""', "one\ntwo"),
        ('"""\n  one\ntwo\n"""\n', "  one\ntwo"),
        ('"""Reads files."""\nimport os\n', '"""Reads files."""\nimport os\n'),
        ('"""a"""\ncode\n"""', '"""a"""\ncode\n"""'),
        ('"""\n/exit\n"""', "//exit"),
        ('"""open', '"""open'),
        ('""""""', ""),
    ],
)
def test_the_marks_of_a_block_are_not_sent_and_a_python_file_is_no_block(text: str, question: str) -> None:
    assert question_of(text) == question


@pytest.mark.parametrize(("text", "goes_on"), [("a\\", True), ("a\\\\", False), ("a", False), ("", False)])
def test_a_backslash_at_the_end_asks_for_another_line(text: str, goes_on: bool) -> None:
    assert continues(text) is goes_on
