"""Lines that nobody waits for."""

from __future__ import annotations

import io
import threading

from phicli.ui.log_lines import LogLines
from phicli.ui.terminal import Terminal
from tests.support.waiting import wait_until


class Held(io.StringIO):
    """A stream that takes nothing until it is released, as a terminal after Ctrl-S."""

    def __init__(self) -> None:
        super().__init__()
        self.released, self.asked = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.asked.set()
        self.released.wait(60)
        return super().write(text)


def printed_to(stream: io.StringIO) -> Terminal:
    return Terminal(io.StringIO(), io.StringIO(), stream, colour=False, dumb=False)


def test_all_lines_are_printed_in_order_at_the_end() -> None:
    stream = io.StringIO()
    with LogLines(printed_to(stream)) as lines:
        for number in range(500):
            lines.add(f"line {number}")
    assert stream.getvalue().splitlines() == [f"line {number}" for number in range(500)]


def test_a_terminal_that_is_held_holds_nobody_up() -> None:
    stream = Held()
    with LogLines(printed_to(stream)) as lines:
        lines.add("first")
        assert stream.asked.wait(60)
        for number in range(3000):
            lines.add(f"line {number}")
        stream.released.set()
        wait_until(lambda: "line 998" in stream.getvalue())
        lines.add("last")
    printed = stream.getvalue().splitlines()
    assert printed[0] == "first"
    assert printed[-2:] == ["2000 lines were left out", "last"]


def test_lines_that_cannot_be_printed_do_not_keep_the_program() -> None:
    stream = Held()
    with LogLines(printed_to(stream)) as lines:
        lines.add("never")
        assert stream.asked.wait(60)
    assert stream.getvalue() == ""
    stream.released.set()
