"""Templates in a terminal: a conversation, and ``phi templates edit``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from tests.support.editing import edited
from tests.support.running import Phi
from tests.support.terminal_talk import TerminalTalk

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals"),
]
CAPITAL = 'prompt = "What is the capital of {input}?"\n'
EDIT = ("templates", "edit")
PARIS = "The capital of France is Paris."


@pytest.fixture
def own(environment: dict[str, str]) -> Path:
    """The folder of a person's templates, which is not there yet."""
    return Path(environment["PHI_HOME"]) / "config" / "templates"


def test_the_first_question_of_a_conversation_is_the_input(environment: dict[str, str], own: Path) -> None:
    own.mkdir(parents=True)
    (own / "capital.toml").write_text(CAPITAL)
    with TerminalTalk(environment, "chat", "tiny-phi", "-T", "capital") as talk:
        assert "note: the first question is the input of the template capital" in talk.begin()
        assert talk.say("France") == PARIS
        assert talk.say("Who wrote Hamlet?") == "William Shakespeare wrote Hamlet."
        assert talk.say("/undo 2").splitlines()[0] == "removed: What is the capital of France?"
        assert talk.say("Who wrote Hamlet?") == "William Shakespeare wrote Hamlet.", "it is used once"
        assert talk.leave() == 0
    with TerminalTalk(environment, "chat", "-C", "-T", "capital") as talk:
        talk.begin()
        assert talk.say("France") == PARIS
        talk.type("/edit\r")
        talk.wait_until(lambda: talk.lines[-1] == ">>> What is the capital of France?")
        talk.type("\x7f" * len("France?") + "Spain?\r")
        talk.wait_until(lambda: talk.lines[-2:] == ["The capital of Spain is Madrid.", ">>>"])
        assert talk.leave() == 0


def test_a_template_without_a_prompt_holds_for_the_conversation(environment: dict[str, str], own: Path) -> None:
    own.mkdir(parents=True)
    (own / "short.toml").write_text('system = "Be brief."\nmax_tokens = 2\n')
    with TerminalTalk(environment, "chat", "tiny-phi", "-T", "short") as talk:
        assert "template" not in talk.begin()
        for _ in range(2):
            assert "cut off after 2 tokens" in talk.say("Who wrote Hamlet?")
        assert talk.leave() == 0


def editor(code: str) -> str:
    """An editor that runs ``code``, in which ``path`` is the file."""
    return shlex.join([sys.executable, "-c", f"import pathlib, sys; path = pathlib.Path(sys.argv[-1]); {code}"])


def test_a_new_template(environment: dict[str, str], own: Path, phi: Phi) -> None:
    shows = own.parent / "shown"
    code, screen = edited(
        environment, *EDIT, "capital", editor=editor(f"pathlib.Path({str(shows)!r}).write_bytes(path.read_bytes())")
    )
    assert (code, screen) == (0, "nothing was saved, because the text was not changed\n")
    assert list(own.iterdir()) == []
    lines = shows.read_text().splitlines()
    assert all(line.startswith("#") for line in lines)
    (own / "example.toml").write_text("\n".join(line[2:] for line in lines[2:]))
    assert phi("templates", "show", "example").code == 0, "without the # it is a template"
    code, screen = edited(environment, *EDIT, "capital", editor=editor(f"path.write_text({CAPITAL!r})"))
    assert code == 0
    assert str(own / "capital.toml") in screen
    assert (own / "capital.toml").read_text() == CAPITAL
    assert sorted(path.name for path in own.iterdir()) == ["capital.toml", "example.toml"]


def test_a_built_in_template_is_copied_when_it_was_changed(environment: dict[str, str], own: Path, phi: Phi) -> None:
    before = phi("templates", "show", "commit").out
    assert edited(environment, *EDIT, "commit", editor="true") == (
        0,
        "nothing was saved, because the text was not changed\n",
    )
    assert not (own / "commit.toml").exists()
    assert edited(environment, *EDIT, "commit", "--json", editor=editor("path.open('a').write('seed = 1\\n')"))[0] == 0
    assert phi("templates", "show", "commit").out == f"{before}seed = 1\n"


def test_a_draft_with_an_error_is_not_used_and_not_lost(environment: dict[str, str], own: Path, phi: Phi) -> None:
    own.mkdir(parents=True)
    target = own.parent / "dotfiles.toml"
    target.write_text(CAPITAL)
    (own / "capital.toml").symlink_to(target)
    broken = f"{CAPITAL}sede = 1\n"
    code, screen = edited(environment, *EDIT, "capital", editor=editor(f"path.write_text({broken!r})"))
    assert code == 2
    assert "line 2: sede is not a key of a template" in screen
    assert "to correct it: phi templates edit capital" in screen
    assert phi("chat", "tiny-phi", "-T", "capital", "France").out == f"{PARIS}\n", "the one before is still used"
    code, screen = edited(
        environment, *EDIT, "capital", editor=editor("path.write_text(path.read_text().replace('d', 'e'))")
    )
    assert code == 2
    assert "continuing the draft of capital" in screen
    code, screen = edited(
        environment, *EDIT, "capital", editor=editor("path.write_text(path.read_text().replace('seee', 'seed'))")
    )
    assert code == 0
    assert (own / "capital.toml").is_symlink()
    assert target.read_text() == f"{CAPITAL}seed = 1\n"
    assert [path.name for path in own.iterdir()] == ["capital.toml"]


def test_an_editor_that_fails(environment: dict[str, str], own: Path) -> None:
    code, screen = edited(environment, *EDIT, "capital", editor="no-such-editor")
    assert code == 2
    assert "the editor 'no-such-editor' cannot be run: no such file" in screen
    assert "EDITOR=nano phi templates edit capital" in screen
    code, screen = edited(environment, *EDIT, "capital", editor="false")
    assert (code, "the editor false failed with exit code 1" in screen.replace("'", "")) == (2, True)
    code, screen = edited(environment, *EDIT, "capital", editor=editor("import os; os.kill(os.getpid(), 15)"))
    assert (code, "was ended by SIGTERM" in screen) == (2, True)
    assert "run the command again" in screen
    assert list(own.iterdir()) == []
    code, screen = edited(environment, *EDIT, "capital", editor=editor(f"path.write_text({CAPITAL!r}); sys.exit(1)"))
    assert (code, "the draft is saved: " in screen) == (2, True)
    assert [path.name for path in own.iterdir()] == [".capital.draft.toml"], "what was written is not lost"
    assert edited(environment, *EDIT, "capital", editor=editor("path.unlink()"))[0] == 0
    assert list(own.iterdir()) == []
