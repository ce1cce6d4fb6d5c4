"""The REPL's loop with a scripted person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from phicli.answering.types import Answer, Event
from phicli.chat.commands.table import COMMANDS
from phicli.chat.repl import run_repl
from phicli.chat.screen import Thinking
from phicli.chat.talk import Talk
from phicli.errors import PhiError
from tests.fakes.scripted_engine import ScriptedEngine
from tests.fakes.scripted_model import Lab, echo


class Screen:
    """Types the lines given; an exception among them is raised instead."""

    def __init__(self, *lines: str | type[BaseException], stop_after: int | None = None) -> None:
        self._lines = iter(lines)
        self._stop_after = stop_after
        self.told: list[str] = []
        self.offered: list[str] = []
        self.answers: list[str] = []
        self.errors: list[PhiError] = []
        self.stats = False
        self.thinking: Thinking = "hide"
        self.copied: list[str] = []
        self.revealed: list[str] = []

    def read(self, text: str = "") -> str:
        self.offered.append(text)
        line = next(self._lines, EOFError)
        if isinstance(line, str):
            return line
        raise line

    def show(self, events: Iterator[Event]) -> None:
        for count, event in enumerate(events):
            if isinstance(event, Answer):
                self.answers.append(event.text)
            if self._stop_after is not None and count >= self._stop_after:
                self._stop_after = None
                raise KeyboardInterrupt

    def choose(self, question: str, choices: Sequence[str]) -> int | None:
        self.told.append(question)
        return len(choices) - 1

    def tell(self, text: str) -> None:
        self.told.append(text)

    def copy(self, text: str) -> None:
        self.copied.append(text)

    def reveal(self, reasoning: str) -> None:
        self.revealed.append(reasoning)

    def fail(self, error: PhiError) -> None:
        self.errors.append(error)


def test_lines_are_sent_until_ctrl_d() -> None:
    lab, screen = Lab(echo), Screen("one", "  ", "two", EOFError, "three")
    run_repl(Talk(lab.session, screen))
    assert screen.answers == ["ONE", "TWO"]


def test_ctrl_c_at_the_prompt_does_not_leave() -> None:
    lab, screen = Lab(echo), Screen(KeyboardInterrupt, "one")
    run_repl(Talk(lab.session, screen))
    assert screen.answers == ["ONE"]
    assert "Ctrl-D" in screen.told[0]


def test_ctrl_c_in_an_answer_stops_the_answer_only() -> None:
    lab, screen = Lab(echo), Screen("hello", "two", stop_after=2)
    run_repl(Talk(lab.session, screen))
    assert screen.answers == ["TWO"]
    assert [m.content for m in lab.session.dialogue.messages()] == ["hello", "HE", "two", "TWO"]


def test_system_shows_sets_and_removes() -> None:
    lab, screen = Lab(echo), Screen("/system", "one", "/system be brief", "/system", "two", "/system -", "three")
    run_repl(Talk(lab.session, screen))
    assert lab.engines[0].prompts == [
        "<|user|>one<|end|><|assistant|>",
        "<|system|>be brief<|end|><|user|>two<|end|><|assistant|>",
        "<|user|>three<|end|><|assistant|>",
    ]
    assert "be brief" in screen.told


def test_clear_forgets() -> None:
    lab, screen = Lab(echo), Screen("one", "/clear", "two")
    run_repl(Talk(lab.session, screen))
    assert lab.engines[0].prompts[1] == "<|user|>two<|end|><|assistant|>"


def test_a_double_slash_sends_a_slash() -> None:
    lab, screen = Lab(echo), Screen("//etc/passwd", "/HELP")
    run_repl(Talk(lab.session, screen))
    assert screen.answers == ["/ETC/PASSWD"]
    assert "/clear" in screen.told[0]


def test_ctrl_c_while_obeying_ctrl_c_does_not_leave() -> None:
    class Nervous(Screen):
        def tell(self, text: str) -> None:
            super().tell(text)
            if len(self.told) == 1:
                raise KeyboardInterrupt

    lab, screen = Lab(echo), Nervous(KeyboardInterrupt, "one")
    run_repl(Talk(lab.session, screen))
    assert screen.answers == ["ONE"]


def test_every_way_to_leave() -> None:
    for word in ("/exit", "/bye", "/quit"):
        lab, screen = Lab(echo), Screen(word, "never")
        run_repl(Talk(lab.session, screen))
        assert screen.answers == []


def test_help_names_every_command_and_typing_mistakes_are_not_sent() -> None:
    lab, screen = Lab(echo), Screen("/help", "/claer", "/nonsense", "/save")
    run_repl(Talk(lab.session, screen))
    assert all(command.usage in screen.told[0] for command in COMMANDS)
    assert "did you mean /clear?" in screen.told[1]
    assert "/help" in screen.told[2]
    assert "/save NAME" in screen.told[3]
    assert lab.engines[0].prompts == []


def test_an_engine_that_dies_does_not_end_the_conversation() -> None:
    engines = iter([ScriptedEngine(echo, dies_after=1), ScriptedEngine(echo)])
    lab, screen = Lab(echo, make=lambda _: next(engines)), Screen("hello", "again")
    run_repl(Talk(lab.session, screen))
    assert [error.exit_code for error in screen.errors] == [6]
    assert screen.answers == ["AGAIN"]
