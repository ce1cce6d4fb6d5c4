"""The command of ``phi sessions show --reproduce`` makes the same answer: it is run as it was printed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.chat.dialogue import Attachment
from tests.support.running import Phi
from tests.support.sessions import sessions_in

HOT = ("--no-keep-state", "--temperature", "4", "--top-k", "0", "--top-p", "1", "--min-p", "0", "--max-tokens", "16")
"""Any token can be next, so that no two seeds give the same answer."""

pytestmark = pytest.mark.skipif(
    shutil.which("bash") is None or sys.platform == "win32", reason="the command is for a POSIX shell"
)


def run(command: str, environment: dict[str, str], folder: Path) -> str:
    """What ``command`` prints in a shell whose ``phi`` is this checkout's."""
    (folder / "programs").mkdir(exist_ok=True)
    program = folder / "programs" / "phi"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m phicli "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", command],
        env=environment | {"PATH": f"{program.parent}:{environment['PATH']}"},
        input=b"not a part of the prompt", capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout.decode()


def test_the_same_seed_gives_the_same_answer(phi: Phi, environment: dict[str, str], tmp_path: Path) -> None:
    long = 'it\'s "a" $HOME\n\ttext\n' * 40
    answers = [phi("chat", "tiny-phi", "Who are you?", "--session", "my talk", *HOT).out]
    answers.append(phi("chat", "--session", "my talk", *HOT, stdin=long.encode()).out)
    answers.append(phi("chat", "--session", "my talk", *HOT[:-1], "8", "--", "-n\nwhy?").out)
    before = sessions_in(environment).get("my talk")
    assert [turn.question for turn in before.dialogue.turns][::2] == ["Who are you?", "-n\nwhy?"]
    for number, answer in enumerate(answers, 1):
        printed = phi("sessions", "show", "my talk", "--reproduce", str(number))
        assert printed.out.startswith("phi sessions show") == (number == 2)
        assert "note:" not in printed.err
        assert run(printed.out, environment, tmp_path) == answer
    assert sessions_in(environment).get("my talk") == before, "nothing is saved"


def test_attachments_come_from_the_session(phi: Phi, environment: dict[str, str], tmp_path: Path) -> None:
    attached = (Attachment("a file.txt", "one\r\ntwo\n"), Attachment("", "piped\n\n"))
    prompt = "File a file.txt:\n<file>\none\r\ntwo\n</file>\n\npiped\n\nWhat is it?"
    answer = phi("chat", "tiny-phi", "--session", "a", *HOT, stdin=prompt.encode()).out
    sessions = sessions_in(environment)
    saved = sessions.get("a")
    turn = replace(saved.dialogue.turns[0], question="What is it?", attachments=attached)
    assert turn.text == prompt
    sessions.update(saved, replace(saved.dialogue, turns=(turn,)), model="tiny-phi", on_overflow=None)
    printed = phi("sessions", "show", "a", "--reproduce", "1")
    assert "the attachments come from the session" in printed.err
    assert run(printed.out, environment, tmp_path) == answer
