"""What reaches a terminal, and what does not."""

from __future__ import annotations

import io
import json

import pytest

from phicli.engine.read_ahead import ReadSoFar
from phicli.errors import NotFoundError, OutputClosedError
from phicli.ui.envelope import print_error
from phicli.ui.status import StatusLine, loading_says
from phicli.ui.terminal import Terminal


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Gone(io.StringIO):
    """A pipe whose reader has left."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def screen(*, colour: bool = False) -> Terminal:
    return Terminal(Screen(), Screen(), Screen(), colour)


def shown(stream: object) -> str:
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


def test_a_terminal_gets_no_control_characters_and_a_pipe_gets_all() -> None:
    terminal = screen()
    terminal.write("a\x1b]0;title\x07b\r\n\tc")
    assert shown(terminal.stdout) == "a\ufffd]0;title\ufffdb\n\tc"
    pipe = Terminal(io.StringIO(), io.StringIO(), io.StringIO(), colour=False)
    pipe.write("a\x1bb")
    assert shown(pipe.stdout) == "a\x1bb"


def test_messages_are_cleaned_too() -> None:
    terminal = screen()
    print_error(terminal, "chat", NotFoundError("no \x1b[2J such", "try \x9b"), as_json=False)
    assert "\x1b" not in shown(terminal.stderr)
    assert "\x9b" not in shown(terminal.stderr)


FORGED = "a.gguf\nerror: all is well \u202efgug.b\u2066\u200f \x85\u2028 c"


def test_a_name_cannot_forge_a_line_or_turn_its_direction() -> None:
    terminal = screen()
    terminal.say(f"  {FORGED}")
    terminal.alarm("error:", FORGED)
    terminal.ask(FORGED)
    lines = shown(terminal.stderr).split("\n")
    assert [line.count("fgug.b") for line in lines] == [1, 1, 1]
    assert lines[0] == "  a.gguf error: all is well \ufffdfgug.b\ufffd\ufffd    c"
    print_error(terminal, "pull", NotFoundError(FORGED, FORGED), as_json=False)
    assert not set(shown(terminal.stderr)) & set("\u202e\u2066\u200f\x85\u2028")


def test_data_is_one_line_on_a_terminal_and_as_it_is_in_a_pipe() -> None:
    terminal = screen()
    terminal.write_line(FORGED)
    assert shown(terminal.stdout).count("\n") == 1
    assert "\u202e" not in shown(terminal.stdout)
    pipe = Terminal(io.StringIO(), io.StringIO(), io.StringIO(), colour=False)
    pipe.write_line(FORGED)
    assert shown(pipe.stdout) == f"{FORGED}\n"


def test_an_answer_keeps_what_writing_from_right_to_left_needs() -> None:
    terminal = screen()
    terminal.write("\u05d0\u200f\n\u2067b\u2069")
    assert shown(terminal.stdout) == "\u05d0\u200f\n\u2067b\u2069"


def test_json_escapes_what_turns_the_direction() -> None:
    terminal = screen()
    print_error(terminal, "pull", NotFoundError(FORGED), as_json=True)
    assert not set(shown(terminal.stdout)) & set("\u202e\u2066\u200f")
    assert json.loads(shown(terminal.stdout))["error"]["message"].replace("\ufffd", "\x85") == FORGED


def test_colour_only_where_it_is_wanted() -> None:
    plain, coloured = screen(), screen(colour=True)
    for terminal in (plain, coloured):
        terminal.whisper("hm")
        print_error(terminal, "chat", NotFoundError("no"), as_json=False)
    assert "\x1b" not in shown(plain.stderr)
    assert "\x1b[2mhm\x1b[22m" in shown(coloured.stderr)


def test_no_color_and_dumb_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", Screen())
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert Terminal.current().colour
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Terminal.current().colour
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not Terminal.current().colour


def test_a_reader_that_left_is_told_apart_from_other_errors() -> None:
    with pytest.raises(OutputClosedError):
        Terminal(io.StringIO(), Gone(), io.StringIO(), colour=False).write("x")
    Terminal(io.StringIO(), io.StringIO(), Gone(), colour=False).say("nobody reads this, and that is fine")


def test_the_status_line_waits_before_it_shows_and_takes_any_name(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("phicli.ui.status.monotonic", lambda: now)
    terminal = screen()
    with StatusLine(terminal) as status:
        status.update("loading [/b].gguf")
        now = 0.4
        status.update("loading [/b].gguf")
        assert shown(terminal.stderr) == ""
        now = 0.6
        status.update("loading [/b].gguf")
        status.update("loading [/b].gguf")
    assert "loading [/b].gguf" in shown(terminal.stderr)


def test_a_model_that_loads_says_how_far_it_is_read_where_it_comes_from_the_disk() -> None:
    far = ReadSoFar(1_210_000_000, 2_490_000_000, 820_000_000, 2.0)
    assert loading_says("phi-4-mini", 2.2, far) == "reading phi-4-mini from disk: 1.2 of 2.5 GB, 410 MB/s"
    assert len(loading_says("a-very-long-name-" * 9, 2.2, far)) < 78  # beside the spinner in 80 columns


@pytest.mark.parametrize("read", [(0, 0, 0, 0.0), (10**9, 2 * 10**9, 0, 0.0), (2 * 10**9, 2 * 10**9, 2 * 10**9, 5.0)])
def test_a_model_that_is_in_memory_says_how_long_it_loads(read: tuple[int, int, int, float]) -> None:
    assert loading_says("phi-4-mini", 2.2, ReadSoFar(*read)) == "loading phi-4-mini: 2 s"


def test_the_status_line_is_silent_off_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("phicli.ui.status.monotonic", lambda: now)
    pipe = Terminal(io.StringIO(), io.StringIO(), io.StringIO(), colour=False)
    with StatusLine(pipe) as status:
        status.update("loading")
        now = 9.0
        status.update("loading")
    assert shown(pipe.stderr) == ""
