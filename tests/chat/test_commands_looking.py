"""``/show`` and ``/tokens``."""

from __future__ import annotations

from collections.abc import Sequence

from phicli.chat.dialogue import Attachment, Dialogue
from phicli.chat.repl import run_repl
from phicli.chat.talk import Talk
from phicli.engine.types import Sampling
from tests.chat.test_repl import Screen
from tests.fakes.scripted_model import Lab, echo

FILE = Attachment("a.txt", "some words\n")


class Models:
    """A model that cannot be changed."""

    name = "fake"

    def change(self, name: str) -> None:
        raise AssertionError(name)

    def facts(self) -> Sequence[tuple[str, str]]:
        return [("model", "fake"), ("memory", "1.00 GiB at most")]

    def ignored(self, sampling: Sampling) -> Sequence[str]:
        return ["this has no effect"] if sampling.min_p == 0.5 else []


def rows(text: str) -> dict[str, str]:
    """The values of an aligned table by their labels; every value must begin in the same column."""
    lines = text.splitlines()
    column = max(len(line) - len(line.partition("  ")[2].lstrip()) for line in lines)
    assert all(line[column - 2 : column] == "  " and line[column] != " " for line in lines if "," not in line)
    return {line[:column].strip(): line[column:].strip() for line in lines}


def test_show_has_the_model_the_context_the_settings_and_the_files_that_wait() -> None:
    lab = Lab(echo, system="Be brief.")
    screen = Screen("/show", "hello", "/set temperature 0.5", "/show")
    run_repl(Talk(lab.session, screen, models=Models(), pending=[FILE]))
    before, after = rows(screen.told[0]), rows(screen.told[-1])
    assert (before["model"], before["memory"], before["session"]) == ("fake", "1.00 GiB at most", "not saved")
    assert (before["turns"], before["system"]) == ("0", "Be brief.")
    assert "a.txt" in before["files"]
    assert "temperature 0," in before["settings"]
    assert "of 4,096 tokens used" in after["context"]
    assert "temperature 0.5," in after["settings"]
    assert after["changed"].startswith("temperature ")
    assert "files" not in after


def test_tokens_of_all_parts_are_those_of_the_prompt() -> None:
    lab = Lab(echo, system="Be brief.")
    screen = Screen("hello", "/tokens")
    talk = Talk(lab.session, screen, pending=[Attachment("first.txt", "abc")])
    talk.ask("hello")
    talk.pending = (FILE, Attachment("", "piped"))
    screen = Screen("/tokens")
    talk.screen = screen
    run_repl(talk)
    lines = [line.rsplit(maxsplit=1) for line in screen.told[0].splitlines()]
    counts = {label.strip(): int(count.replace(",", "")) for label, count in lines[:-1]}
    total = counts.pop("total")
    assert list(counts) == [
        "prompt format", "system message", "first.txt", "1 turn", "a.txt (waits)", "piped text (waits)",
    ]  # fmt: skip
    assert sum(counts.values()) == total
    messages = lab.session.dialogue.messages()
    assert total > lab.model.count(messages)
    assert "4,096 tokens" in screen.told[0]


def test_tokens_of_a_conversation_that_begins() -> None:
    lab, screen = Lab(echo), Screen("/tokens")
    run_repl(Talk(lab.session, screen))
    assert screen.told[0].splitlines()[0].startswith("prompt format")
    assert not lab.session.dialogue.turns


def test_tokens_of_a_file_that_is_far_too_long_are_estimated() -> None:
    lab, screen = Lab(echo, first=64, limit=128), Screen("/tokens")
    run_repl(Talk(lab.session, screen, pending=[Attachment("log.txt", "word " * 4000)]))
    assert "about" in screen.told[0]
    assert "only 128" in screen.told[0]


def test_ctrl_c_ends_the_counting_and_the_conversation_goes_on() -> None:
    lab, screen = Lab(echo), Screen("/tokens", "hello")

    class Interrupted:
        name, quant, context_tokens = "fake", None, 4096

        def count(self, *_: object, **__: object) -> int:
            lab.session.model = lab.model
            raise KeyboardInterrupt

    lab.session.model = Interrupted()  # type: ignore[assignment]
    run_repl(Talk(lab.session, screen))
    assert (screen.told, screen.answers) == (["(stopped)"], ["HELLO"])


def test_a_summary_and_turns_that_are_not_sent_are_told_apart() -> None:
    lab = Lab(echo)
    run_repl(Talk(lab.session, Screen("one", "two", "three")))
    dialogue = lab.session.dialogue
    lab.session.become(Dialogue(None, dialogue.turns, 2, "They counted."))
    screen = Screen("/tokens")
    run_repl(Talk(lab.session, screen))
    labels = [line.rsplit(maxsplit=1)[0].strip() for line in screen.told[0].splitlines()]
    assert labels[:3] == ["prompt format", "summary", "1 turn"]


def test_a_setting_that_the_engine_ignores_is_said_to_have_no_effect() -> None:
    screen = Screen("/set min-p 0.4", "/set min-p 0.5")
    run_repl(Talk(Lab(echo).session, screen, models=Models()))
    assert screen.told == ["min-p: 0.4", "min-p: 0.5", "note: this has no effect"]
