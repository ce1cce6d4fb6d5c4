"""A person types in a conversation: several lines, pastes, during an answer; Ctrl-Z, and a terminal that is closed."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.support.terminal_talk import TerminalTalk

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals"),
]
PARIS = "The capital of France is Paris."
WIDE = 240
"""Long paths stay on one line."""
ROME = "The capital of Italy is Rome."


def test_a_block_a_backslash_and_a_raw_paste_are_one_question_each(environment: dict[str, str]) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi", columns=WIDE) as talk:
        talk.begin()
        talk.type('"""What is the capital\rof France?"""\r')
        talk.wait_until(lambda: talk.lines[-2:] == [PARIS, ">>>"])
        talk.type("What is the capital\\")
        talk.wait_until(lambda: talk.lines[-1].endswith("\\"))
        talk.type("\r")
        talk.wait_until(lambda: talk.lines[-1] == "...")
        talk.type("of Italy?")
        talk.wait_until(lambda: talk.lines[-1].endswith("?"))
        talk.type("\r")
        talk.wait_until(lambda: talk.lines[-2:] == [ROME, ">>>"])
        talk.type("What is the capital of France?\rWhat is the capital of Italy?\r")
        talk.wait_until(lambda: len(talk.lines) > 9 and talk.asks())
        assert len([line for line in talk.lines if line.startswith(">>> ")]) == 3
        assert talk.leave() == 0


def test_what_is_typed_before_the_prompt_waits_and_is_not_shown_twice(environment: dict[str, str]) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi", columns=WIDE) as talk:
        talk.begin()
        talk.type("Write a very long story without an end about all the capitals")
        talk.wait_until(lambda: talk.typed.endswith("capitals"))
        talk.type("\r")
        talk.wait_until(lambda: not talk.typed.startswith(">>>"))
        talk.type("What is the capital of Italy?")
        talk.wait_until(lambda: talk.lines[-1] == ">>> What is the capital of Italy?")
        assert "\n".join(talk.lines).count("Italy") == 1
        talk.type("\r")
        talk.wait_until(lambda: talk.lines[-2:] == [ROME, ">>>"])
        assert talk.leave() == 0


def test_a_command_in_a_block_is_a_question(environment: dict[str, str]) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi", columns=WIDE) as talk:
        talk.begin()
        talk.type('"""\r/exit\r"""\r')
        talk.wait_until(lambda: len(talk.lines) > 5 and talk.asks())
        assert talk.leave() == 0


def test_tab_completes_a_file_with_a_space_in_its_name(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "my notes.txt").write_text("The capital of France")
    with TerminalTalk(environment, "chat", "tiny-phi", columns=WIDE) as talk:
        talk.begin()
        talk.type(f"@{tmp_path}/my")
        talk.wait_until(lambda: talk.typed.endswith("my"))
        talk.type("\t")
        talk.wait_until(lambda: talk.typed.endswith('my notes.txt"'))
        talk.type("\x03")
        talk.wait_until(talk.asks)
        assert talk.leave() == 0


def test_ctrl_z_keeps_the_line(environment: dict[str, str]) -> None:
    """No shell can continue this process, so the system does not stop it; what the keys do is the same."""
    with TerminalTalk(environment, "chat", "tiny-phi", columns=WIDE) as talk:
        talk.begin()
        talk.type("What is the capital")
        talk.wait_until(lambda: talk.typed.endswith("capital"))
        talk.type("\x1a")
        talk.type(" of Italy?")
        talk.wait_until(lambda: talk.typed.endswith("What is the capital of Italy?"))
        talk.type("\r")
        talk.wait_until(lambda: talk.lines[-2:] == [ROME, ">>>"])
        assert talk.leave() == 0


def test_a_terminal_that_is_closed_ends_it_without_a_word(environment: dict[str, str]) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi", columns=WIDE) as talk:
        talk.begin()
        talk.hang_up()
        assert talk.process.wait(60) in (141, -signal.SIGHUP)
