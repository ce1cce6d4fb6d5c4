"""``/adapter``: which lines are one, what it says, and what Tab offers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from phicli.adapters.registry import RegisteredAdapter, remember
from phicli.chat.commands.line import Order, Question, read_line
from phicli.chat.commands.table import BY_NAME
from phicli.chat.repl import run_repl
from phicli.errors import NotFoundError
from phicli.ui.repl.completion import candidates_for
from tests.chat.test_repl import Screen
from tests.fakes.scripted_model import Lab, echo
from tests.fakes.talk import FakeModels, talk_of


class Adapting(FakeModels):
    """A model that ``loud`` and ``style`` fit; ``asked`` is what was typed."""

    def __init__(self, *used: str, fitting: Sequence[str] = ("loud", "style")) -> None:
        self._used, self._fitting = tuple(used), fitting
        self.asked: list[tuple[str, ...]] = []

    def change_adapters(self, typed: Sequence[str]) -> None:
        self.asked.append(tuple(typed))
        if "gone" in typed:
            raise NotFoundError("adapter 'gone' not found", "see your adapters: phi adapters list")
        self._used = () if [*typed] == ["none"] else tuple(typed)

    def adapters(self) -> Sequence[str]:
        return self._used

    def other_adapters(self) -> Sequence[str]:
        used = {one.partition(":")[0] for one in self._used}
        return [name for name in self._fitting if name not in used]


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An adapter called ``loud`` has been added; the folder that was changed to."""
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "home"))
    remember(RegisteredAdapter("loud", tmp_path / "loud.gguf", "x", None, None, 1, 1))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "argument",
    ["", "loud", "unknown", "none", "loud:0.5", "LOUD unknown", "unknown loud", "a:0.5 b:-2", "a.gguf b", "./a b",
     '"my file.gguf:0.5" loud', '"my file.gguf"', '"/home/my'],
)  # fmt: skip
def test_what_is_an_argument_reaches_the_command_as_it_was_typed(known: Path, argument: str) -> None:
    assert read_line(f"/adapter {argument}".strip(), BY_NAME) == Order(BY_NAME["/adapter"], argument)


@pytest.mark.parametrize(
    "line",
    ["/adapter pattern in Java", "/adapter pattern?", "/adapter for my laptop: which one?", "/adapters in Java?",
     "/adapter loud or not?"],
)  # fmt: skip
def test_anything_else_is_a_question(known: Path, line: str) -> None:
    assert isinstance(read_line(line, BY_NAME), Question)


def test_a_file_with_spaces_that_is_there_needs_no_quotes(known: Path) -> None:
    (known / "two words").touch()
    models = Adapting()
    run_repl(talk_of(Lab(echo).session, Screen("/adapter two words"), models=models))
    assert models.asked == [("two words",)]


def test_it_shows_what_is_used_and_what_fits(known: Path) -> None:
    screen, models = Screen("/adapter", "/adapter loud:0.5", "/adapter", '/adapter "a b.gguf" loud'), Adapting()
    run_repl(talk_of(Lab(echo).session, screen, models=models))
    how = "to use others: /adapter NAME[:SCALE]; to use none: /adapter none"
    assert screen.told == [
        "adapters: none", "those that fit fake: loud, style", how,
        "adapters: loud:0.5",
        "adapters: loud:0.5", "others that fit fake: style", how,
        "adapters: a b.gguf, loud",
    ]  # fmt: skip
    assert models.asked == [("loud:0.5",), ("a b.gguf", "loud")]


def test_without_any_it_says_how_to_add_one() -> None:
    screen = Screen("/adapter")
    run_repl(talk_of(Lab(echo).session, screen, models=Adapting(fitting=())))
    assert screen.told[1:] == [
        "those that fit fake: none", "to add one, in a shell: phi adapters add FOLDER-OR-FILE.gguf",
    ]  # fmt: skip


def test_an_error_changes_nothing_and_the_conversation_goes_on(known: Path) -> None:
    screen, models = Screen("one", "/adapter loud", "/adapter gone", "/adapter none", "two"), Adapting()
    lab = Lab(echo)
    run_repl(talk_of(lab.session, screen, models=models))
    assert screen.told == ["adapters: loud", "adapters: none"]
    assert [error.exit_code for error in screen.errors] == [3]
    assert [turn.question for turn in lab.session.dialogue.turns] == ["one", "two"]


def test_every_command_is_named_in_the_help() -> None:
    from phicli.chat.commands.table import COMMANDS, help_text

    assert [one.name for one in COMMANDS if one.name not in help_text()] == []
    assert help_text().count("/sessions") == 1


def test_tab_completes_the_last_name(known: Path) -> None:
    (known / "with space").mkdir()

    def names(kind: str, beginning: str) -> Sequence[str]:
        assert kind == "adapter"
        return [name for name in ("loud", "lower") if name.startswith(beginning)]

    assert candidates_for("/adapter ", names) == (0, ["none", "loud", "lower"])
    assert candidates_for("/adapter lou", names) == (3, ["loud"])
    assert candidates_for("/adapter loud:0.5 lo", names) == (2, ["loud", "lower"])
    assert candidates_for('/adapter "a b" n', names) == (1, ["none"])
    assert candidates_for("/adapter loud ./w", names) == (3, ['"./with space/'])
    assert candidates_for('/adapter "./with s', names) == (9, ['"./with space/'])
