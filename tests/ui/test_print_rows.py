"""One function prints a table: by Rich on a terminal, as aligned text in a pipe."""

from __future__ import annotations

import io

from phicli.ui.tables import Column, print_rows, wrapped
from phicli.ui.terminal import Terminal
from tests.ui.test_terminal import screen, shown

NAME, SIZE, WORDS = Column("name"), Column("size", right=True), Column("words")
ROWS = [{"name": "a", "size": "12 MiB", "words": "x" * 200}, {"name": "long", "size": "3 MiB", "words": ""}]
LAYOUTS = ((NAME, SIZE, WORDS), (NAME, SIZE))


def pipe() -> Terminal:
    return Terminal(io.StringIO(), io.StringIO(), io.StringIO(), False)


def test_a_pipe_gets_all_columns() -> None:
    terminal = pipe()
    print_rows(terminal, LAYOUTS, ROWS, above=["about\x1b"], below=["note"])
    lines = shown(terminal.stdout).splitlines()
    assert lines[0].startswith("about")
    assert "\x1b" not in lines[0]
    assert lines[1:3] == ["", "NAME    SIZE  WORDS"]
    assert lines[3] == f"a     12 MiB  {'x' * 200}"
    assert lines[4:] == ["long   3 MiB  -", "", "note"]


def test_a_pipe_may_have_columns_of_its_own() -> None:
    terminal = pipe()
    print_rows(terminal, LAYOUTS, ROWS, plain=(SIZE, NAME))
    assert shown(terminal.stdout).splitlines() == ["  SIZE  NAME", "12 MiB  a", " 3 MiB  long"]


def test_a_terminal_gets_the_columns_that_fit() -> None:
    terminal = screen()
    print_rows(terminal, LAYOUTS, ROWS, below=["note"])
    lines = [line.split() for line in shown(terminal.stdout).splitlines()]
    assert lines == [["name", "size"], ["a", "12", "MiB"], ["long", "3", "MiB"], [], ["note"]]


def test_a_table_that_keeps_its_columns_wraps_them() -> None:
    from phicli.ui.canvas import Canvas

    terminal = screen()
    Canvas(terminal, width=20).paint([wrapped(("a", "b"), [("one\ntwo", "y" * 30), ("", "z")], right=(0,))])
    lines = shown(terminal.stdout).splitlines()
    assert lines[0].split() == ["a", "b"]
    assert lines[1].startswith("one two  ")
    assert lines[-1].split() == ["-", "z"]
