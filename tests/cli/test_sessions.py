"""``phi sessions list``, ``show``, ``search`` and ``rename`` as people use them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.chat.dialogue import Attachment, Dialogue, Turn
from phicli.chat.store.sessions import Sessions
from phicli.chat_format.types import Message, ToolCall
from tests.support.running import Phi
from tests.support.sessions import FACTS, aged, dialogue_of, sessions_in

COMMANDS = (["list"], ["show", "last"], ["search", "hello"], ["export", "last"], ["rename", "last", "new"])


@pytest.fixture
def sessions(environment: dict[str, str]) -> Sessions:
    return sessions_in(environment)


@pytest.fixture
def saved(sessions: Sessions) -> Sessions:
    """``old`` with two turns, and ``new``, which is newer and has everything in it that there can be."""
    sessions.create("old", "tiny-phi", dialogue_of(2))
    aged(sessions, "old", "2026-01-01T00:00:00+00:00")
    replies = (
        Message("assistant", "Let me see.", (ToolCall("add", {"a": 1}),)),
        Message("tool", "2"),
        Message("assistant", "Two."),
    )
    turns = (
        Turn("What is it?", (Attachment("a.txt", "x" * 2048),), replies),
        Turn("Why?", (), (Message("assistant", "Because."),), FACTS),
        Turn("And now?"),
    )  # fmt: skip
    sessions.create("new", "phi-4-mini:q4_k_m", Dialogue("Be brief.", turns, 1, "One and one were added."))
    return sessions


def test_nothing_was_saved_yet(phi: Phi, environment: dict[str, str]) -> None:
    done = phi("sessions", "list")
    assert (done.code, done.out, done.err) == (0, "", "no session has been saved yet; to start one: phi chat\n")
    assert phi("sessions", "ls", "--json").json["data"] == {"sessions": [], "more": False}
    assert phi("sessions", "search", "x").code == 0
    for command in COMMANDS[1:2] + COMMANDS[3:]:
        assert phi("sessions", *command).code == 3, command
    assert not Path(environment["PHI_HOME"]).exists(), "looking makes nothing"


def test_list(phi: Phi, saved: Sessions) -> None:
    heading, *rows = phi("sessions", "list").out.splitlines()
    assert heading.split() == ["NAME", "MODEL", "TURNS", "UPDATED", "TITLE"]
    assert [row.split()[:3] for row in rows] == [["new", "phi-4-mini:q4_k_m", "3"], ["old", "tiny-phi", "2"]]
    assert rows[1].split()[3:] == ["2026-01-01T00:00:00+00:00", "question", "1"]
    cut = phi("sessions", "list", "--limit", "1")
    assert len(cut.out.splitlines()) == 2
    assert "older sessions exist" in cut.err
    assert phi("sessions", "list", "--limit", "2").err == ""
    data = phi("sessions", "list", "--limit", "1", "--json").json["data"]
    assert data["more"] is True
    assert set(data["sessions"][0]) == {
        "session_id", "name", "model", "turns", "title", "created_at", "updated_at",
    }  # fmt: skip


@pytest.mark.parametrize("arguments", [["--limit", "0"], ["--limit", "x"], ["extra"]], ids=" ".join)
def test_list_with_nonsense(phi: Phi, arguments: list[str]) -> None:
    assert phi("sessions", "list", *arguments, "--json").json["error"]["code"] == "usage"


def test_show(phi: Phi, saved: Sessions) -> None:
    done = phi("sessions", "show", "NEW")
    assert (done.code, done.err) == (0, "")
    first, *lines = done.out.splitlines()
    assert first == "new: phi-4-mini:q4_k_m, 3 turns, just now"
    assert [line for line in lines if line.startswith("---")] == [
        "--- System message ---",
        "--- 1. Question; no longer sent to the model; attached: a.txt (2 KiB); the attachments are still sent ---",
        '--- 1. Answer; tool calls: add({"a": 1}) ---',
        "--- 1. Tool result ---",
        "--- 1. Answer ---",
        "--- Summary of turn 1; sent to the model in their place ---",
        "--- 2. Question ---",
        "--- 2. Answer; phi-4-mini:q4_k_m, xllamacpp 1, temperature 0.7, seed 42, 3 tokens; "
        "reasoning: 7 characters ---",
        "--- 3. Question ---",
        "--- 3. Answer; there is none yet ---",
    ]
    for text in ("Be brief.", "What is it?", "Let me see.", "Two.", "One and one were added.", "Because.", "And now?"):
        assert text in lines
    assert "xxx" not in done.out
    assert phi("sessions", "show", "last").out == done.out


def test_show_as_json_is_all_of_it(phi: Phi, saved: Sessions) -> None:
    data = phi("sessions", "show", "new", "--json").json["data"]
    assert (data["name"], data["turns"], data["on_overflow"]) == ("new", 3, None)
    assert [one["role"] for one in data["messages"]] == [
        "system", "user", "assistant", "tool", "assistant", "system", "user", "assistant", "user",
    ]  # fmt: skip
    assert data["messages"][1]["attachments"] == [{"name": "a.txt", "text": "x" * 2048}]


def test_a_name_that_is_not_there(phi: Phi, saved: Sessions) -> None:
    for command in (["show", "nwe"], ["export", "nwe"], ["rename", "nwe", "x"], ["rm", "nwe", "--yes"]):
        done = phi("sessions", *command)
        assert (done.code, done.out) == (3, ""), command
        assert "new" in done.err, "a close name is named"


def test_reproduce(phi: Phi, saved: Sessions) -> None:
    done = phi("sessions", "show", "new", "--reproduce", "2")
    assert done.code == 0
    assert done.out.startswith("phi chat phi-4-mini:q4_k_m --session new --before 2 --no-save ")
    assert done.out.endswith(" --no-stdin 'Why?'\n")
    assert "note: the answer was made with xllamacpp 1, but the engine is now" in done.err
    data = phi("sessions", "show", "new", "--reproduce", "2", "--json").json["data"]
    assert data["command"] == done.out.rstrip("\n")
    assert len(data["notes"]) == 2
    for number, says in (("1", "does not record how"), ("3", "has no answer"), ("4", "has 3"), ("0", "has 3")):
        refused = phi("sessions", "show", "new", "--reproduce", number)
        assert (refused.code, says in refused.err) == (2, True), refused.err
    assert phi("sessions", "show", "new", "--reproduce", "1", "--prompt", "1").code == 2


def test_the_prompt_is_what_the_model_read(phi: Phi, sessions: Sessions) -> None:
    turn = Turn("What?\n", (Attachment("é.txt", "a\tb\r\n漢\n"),), (Message("assistant", "b"),), FACTS)
    sessions.create("it's", "tiny-phi", Dialogue(turns=(turn,)))
    command = phi("sessions", "show", "it's", "--reproduce", "1").out
    first = shlex.split(command.partition(" | ")[0])
    assert first == ["phi", "sessions", "show", "it's", "--prompt", "1"]
    assert phi(*first[1:]).out == turn.text
    assert phi(*first[1:], "--json").json["data"] == {"turn": 1, "prompt": turn.text}


def test_search(phi: Phi, saved: Sessions) -> None:
    done = phi("sessions", "search", "Because")
    assert done.out == "new, turn 2, answer: Because.\n"
    (found,) = phi("sessions", "search", "because", "--json").json["data"]["results"]
    assert (found["name"], found["turn"], found["role"], found["excerpt"]) == ("new", 2, "assistant", "Because.")
    assert found["matches"] == [[0, 7]]
    assert len(phi("sessions", "search", "question", "2").out.splitlines()) == 1
    cut = phi("sessions", "search", "question", "--limit", "1")
    assert (len(cut.out.splitlines()), "more places exist" in cut.err) == (1, True)
    none = phi("sessions", "search", "elephant")
    assert (none.code, none.out, none.err) == (0, "", "no session contains 'elephant'\n")


@pytest.mark.parametrize("text", ['"', "*", "NEAR(", "a AND", "-x", "col:x", "'; --", "(", "^", "漢", "\x02a\x03"])
def test_a_search_text_is_only_text(phi: Phi, saved: Sessions, text: str) -> None:
    done = phi("sessions", "search", "--", text)
    assert done.code == 0
    assert "no session contains" in done.err or done.out


def test_rename(phi: Phi, saved: Sessions) -> None:
    done = phi("sessions", "rename", "last", "newest one")
    assert (done.code, done.out, done.err) == (0, "", "new is now newest one\n")
    assert saved.find("new") is None
    data = phi("sessions", "rename", "old", "older", "--json").json["data"]
    assert (data["old_name"], data["name"], data["turns"]) == ("old", "older", 2)
    assert phi("sessions", "rename", "older", "OLDER").code == 0
    for name in ("newest one", "last", "-x", "", "a\nb", "x" * 101):
        refused = phi("sessions", "rename", "older", "--", name)
        assert (refused.code, refused.err.count("\n")) == (2, 2), refused.err
    assert {info.name for info in saved.list()} == {"newest one", "OLDER"}


def test_a_damaged_file_is_set_aside(phi: Phi, saved: Sessions) -> None:
    Path(saved.path).write_bytes(b"garbage" * 1000)
    done = phi("sessions", "list")
    assert (done.code, done.out) == (0, "")
    assert "damaged" in done.err
    kept = [path for path in Path(saved.path).parent.iterdir() if "damaged" in path.name]
    assert [path.read_bytes() for path in kept] == [b"garbage" * 1000]


def test_names_and_titles_cannot_forge_lines(phi: Phi, sessions: Sessions) -> None:
    sessions.create("a", "/m/b\nNAME forged\x1b[2J\u202e.gguf", dialogue_of(1, about="\nforged \x1b[2J\u202e"))
    for command in (["list"], ["search", "forged"], ["rm", "a", "--dry-run"]):
        done = phi("sessions", *command)
        assert len(done.out.splitlines()) <= 2
        assert "\x1b" not in done.out
        assert "\u202e" not in done.out
        assert "\u202e" not in phi("sessions", *command, "--json").out


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminal")
@pytest.mark.parametrize("columns", [40, 80, 140])
@pytest.mark.parametrize("command", [["list"], ["show", "new"], ["search", "because"]], ids=" ".join)
def test_on_a_terminal(saved: Sessions, environment: dict[str, str], command: list[str], columns: int) -> None:
    saved.create(
        "漢字 a name that is rather long", "phi-4-mini-reasoning:q4_k_m", dialogue_of(12, about=" \x1b[2J" * 9)
    )
    text = on_a_terminal(["sessions", *command], environment | {"COLUMNS": str(columns)})
    assert "\x1b[2J" not in text
    assert max(map(len, text.splitlines())) <= columns or command[0] == "search"
    assert "just now" in " ".join(text.split()) or command[0] == "search"


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminal")
def test_texts_on_a_terminal_are_readable_and_harmless(sessions: Sessions, environment: dict[str, str]) -> None:
    text = "one\ttwo \x1b[2J\U0001f469\u200d\U0001f4bb\n\n```\n  code\n```"
    sessions.create("a", "tiny-phi", Dialogue(turns=(Turn("q", (), (Message("assistant", text),)),)))
    shown = on_a_terminal(["sessions", "show", "a"], environment).replace("\r\n", "\n")
    assert text.replace("\x1b", "\ufffd") in shown


def on_a_terminal(arguments: list[str], environment: dict[str, str]) -> str:
    """What ``phi`` writes to a terminal."""
    import pty

    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "phicli", *arguments],
        env={"COLUMNS": "80", "NO_COLOR": "1", "TERM": "xterm"} | environment,
        stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        os.close(theirs)
        found = b""
        try:
            while part := os.read(ours, 65536):
                found += part
        except OSError:  # what Linux says when the other side has been closed
            pass
    os.close(ours)
    assert process.returncode == 0
    return found.decode()


def test_completion_of_names(phi: Phi, saved: Sessions) -> None:
    saved.rename("old", "neon")
    done = phi(_PHI_COMPLETE="complete_bash", COMP_WORDS="phi sessions show ne", COMP_CWORD="3")
    assert done.out.split() == ["new", "neon"]
    words = phi(_PHI_COMPLETE="complete_bash", COMP_WORDS="phi sessions ", COMP_CWORD="2").out.split()
    assert words == ["list", "show", "search", "export", "import", "rename", "rm"]
    Path(saved.path).write_bytes(b"garbage" * 1000)
    assert phi(_PHI_COMPLETE="complete_bash", COMP_WORDS="phi sessions show ne", COMP_CWORD="3").out == ""


def test_a_list_loads_little(environment: dict[str, str], saved: Sessions) -> None:
    heavy = ("rich", "huggingface_hub", "psutil", "xllamacpp", "numpy", "phicli.answering.opening", "phicli.hub.cache")
    code = (
        "import sys; from phicli.app import main\n"
        "try: main(['sessions', 'list'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert len(done.stdout.splitlines()) == 4


def test_left_out_turns_of_a_dropped_conversation(phi: Phi, sessions: Sessions) -> None:
    sessions.create("a", "tiny-phi", replace(dialogue_of(3), left_out=2))
    lines = phi("sessions", "show", "a").out.splitlines()
    assert [line for line in lines if "no longer sent" in line] == [
        f"--- {number}. Question; no longer sent to the model ---" for number in (1, 2)
    ]
    assert json.loads(phi("sessions", "export", "a", "--json").out)["messages"][1]["left_out"] is True
