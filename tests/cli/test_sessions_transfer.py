"""``phi sessions export`` and ``import`` as people use them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phicli.chat.dialogue import Attachment, Dialogue, Turn
from phicli.chat.store.sessions import Sessions
from phicli.chat_format.types import Message
from tests.support.disks import small_file_system
from tests.support.running import Phi
from tests.support.sessions import dialogue_of, sessions_in

HELLO = [{"role": "user", "content": "Hello there"}, {"role": "assistant", "content": "Hi!"}]


@pytest.fixture
def sessions(environment: dict[str, str]) -> Sessions:
    return sessions_in(environment)


@pytest.fixture
def saved(sessions: Sessions) -> Sessions:
    attached = Turn("Look", (Attachment("a.txt", "text of a\n"),), (Message("assistant", "I see"),))
    dialogue = replace(dialogue_of(2), left_out=1, summary="One question.")
    sessions.create("talk", "tiny-phi", dialogue.with_turn(attached))
    return sessions


def write(path: Path, data: Any) -> str:
    path.write_text(json.dumps(data))
    return str(path)


def test_the_forms_of_an_export(phi: Phi, saved: Sessions) -> None:
    text = phi("sessions", "export", "talk").out
    assert text.startswith("# talk\n\nModel: tiny-phi, 3 turns\n")
    assert "text of a" in text
    assert phi("sessions", "export", "talk", "--markdown").out == text
    data = phi("sessions", "export", "last", "--json").json
    assert set(data) == {"name", "model", "messages"}
    assert (data["name"], data["model"], len(data["messages"])) == ("talk", "tiny-phi", 8)
    openai = phi("sessions", "export", "talk", "--openai").json
    assert set(openai) == {"messages"}
    assert openai["messages"][-2]["content"] == "File a.txt:\n<file>\ntext of a\n</file>\n\nLook"
    assert phi("sessions", "export", "talk", "--openai", "--json").code == 2


def test_an_export_into_a_file(phi: Phi, saved: Sessions, tmp_path: Path) -> None:
    path = tmp_path / "my talk.json"
    done = phi("sessions", "export", "talk", "--json", "--output", str(path))
    assert done.json["data"] == {"name": "talk", "path": str(path), "turns": 3}
    assert path.read_text() == phi("sessions", "export", "talk", "--json").out
    again = phi("sessions", "export", "talk", "-o", str(path))
    assert (again.code, "--force" in again.err) == (2, True)
    forced = phi("sessions", "export", "talk", "-o", str(path), "--force")
    assert (forced.out, forced.err) == ("", f"3 turns of talk written to {path}\n")
    assert path.read_text().startswith("# talk")
    assert phi("sessions", "export", "talk", "-o", str(tmp_path)).code == 2
    assert phi("sessions", "export", "talk", "-o", str(tmp_path / "no" / "file")).code == 2


def test_an_export_to_a_full_disk_leaves_nothing_half(phi: Phi, saved: Sessions, tmp_path: Path) -> None:
    with small_file_system(tmp_path / "disk", "size=4k") as disk:
        (disk / "filler").write_bytes(b"x" * 4096)
        done = phi("sessions", "export", "talk", "--output", str(disk / "talk.md"))
        assert (done.code, [path.name for path in disk.iterdir()]) == (5, ["filler"])


def test_there_and_back(phi: Phi, saved: Sessions) -> None:
    text = phi("sessions", "export", "talk", "--json").out
    taken = phi("sessions", "import", "-", stdin=text.encode())
    assert (taken.code, taken.out) == (2, "")
    assert "talk" in taken.err
    done = phi("sessions", "import", "-", "--as", "copy", stdin=text.encode())
    assert done.code == 0
    assert done.err == "imported 3 turns as copy for tiny-phi; to continue: phi chat --session copy\n"
    assert saved.get("copy").dialogue == saved.get("talk").dialogue
    assert saved.get("copy").info.session_id != saved.get("talk").info.session_id


def test_import_of_openai_messages(phi: Phi, sessions: Sessions, tmp_path: Path) -> None:
    path = write(tmp_path / "x.json", {"messages": HELLO})
    data = phi("sessions", "import", path, "--model", "phi-4-mini", "--json").json["data"]
    assert (data["name"], data["model"], data["turns"]) == ("hello-there", "phi-4-mini", 1)
    again = phi("sessions", "import", path, "--model", "phi-4-mini", "--json").json["data"]
    assert again["name"] == "hello-there-2"
    lines = "\n".join(map(json.dumps, [*HELLO, HELLO[0]])).encode()
    done = phi("sessions", "import", "-", "--as", "lines", "--model", "tiny-phi", stdin=lines)
    assert "note: 1 question without an answer: not sent to the model" in done.err
    assert sessions.get("lines").dialogue == Dialogue(
        turns=(Turn("Hello there", (), (Message("assistant", "Hi!"),)), Turn("Hello there"))
    )


def test_which_model_an_import_is_for(phi: Phi, file: Path, tmp_path: Path) -> None:
    def model(*arguments: str, **more: str) -> str:
        return str(phi("sessions", "import", *arguments, "--json", **more).json["data"]["model"])

    plain = write(tmp_path / "plain.json", HELLO)
    none = phi("sessions", "import", plain)
    assert (none.code, "--model phi-4-mini" in none.err) == (2, True)
    foreign = write(tmp_path / "foreign.json", {"model": "gpt-4o", "messages": HELLO})
    assert phi("sessions", "import", foreign).code == 2
    own = write(tmp_path / "own.json", {"model": "phi-4", "messages": HELLO})
    assert model(own) == "phi-4"
    assert model(own, "--model", "phi-4-mini:q4_k_m") == "phi-4-mini:q4_k_m"
    assert model(plain, PHI_MODEL="phi-3-mini-4k") == "phi-3-mini-4k"
    file.write_text('model = "tiny-phi"\n')
    assert model(plain) == "tiny-phi"
    said = phi("sessions", "import", foreign)
    assert "note: the model in the file cannot be used: " in said.err
    assert "the session is for tiny-phi" in said.err
    wrong = phi("sessions", "import", plain, "--model", "phi-4-min")
    assert (wrong.code, "phi-4-mini" in wrong.err) == (3, True)


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b"", 2, "standard input is empty"),
        (b"hello", 2, "standard input is not JSON"),
        (b'[{"role": "assistant", "content": "x"}]', 2, "message 1"),
        (b'[{"role": "user", "content": "\\ud800"}]', 2, "message 1 has \\ud800 alone"),
        (b'{"name": "-x", "messages": [{"role": "user", "content": "x"}]}', 2, "-x"),
        (b'{"name": "last", "messages": [{"role": "user", "content": "x"}]}', 2, "last"),
    ],
)
def test_what_cannot_be_imported(phi: Phi, sessions: Sessions, content: bytes, code: int, says: str) -> None:
    done = phi("sessions", "import", "-", "--model", "tiny-phi", stdin=content)
    assert (done.code, done.out) == (code, "")
    assert says in done.err
    assert "→" in done.err
    assert sessions.list() == ()


def test_files_that_cannot_be_imported(phi: Phi, tmp_path: Path) -> None:
    assert phi("sessions", "import", str(tmp_path / "none")).code == 3
    assert phi("sessions", "import", str(tmp_path)).code == 2
    os.mkfifo(tmp_path / "pipe")
    assert phi("sessions", "import", str(tmp_path / "pipe")).code == 2, "it does not wait"


def test_a_terminal_is_no_file(environment: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "phicli", "sessions", "import", "-"],
        env=environment, stdin=theirs, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert (done.returncode, b"is a terminal" in done.stderr) == (2, True)


def test_an_import_onto_a_full_disk_or_a_read_only_home(phi: Phi, tmp_path: Path) -> None:
    big = write(tmp_path / "x.json", [{"role": "user", "content": "x" * 3_000_000}])
    with small_file_system(tmp_path / "disk", "size=1m") as disk:
        full = phi("sessions", "import", big, "--model", "tiny-phi", PHI_HOME=str(disk))
        assert (full.code, "full" in full.err) == (5, True)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        small = write(tmp_path / "x.json", HELLO)
        refused = phi("sessions", "import", small, "--model", "tiny-phi", PHI_HOME=str(disk))
        assert (refused.code, refused.out) == (2, "")
