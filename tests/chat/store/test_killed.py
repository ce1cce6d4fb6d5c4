"""A process that is killed while it saves: the file can be read, and has all that was acknowledged."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from phicli.chat.store.sessions import Sessions
from tests.support.waiting import wait_until

MOMENTS = 200
SAVING = """
import os, sys
from pathlib import Path
from phicli.chat.dialogue import Attachment, Dialogue, Turn
from phicli.chat.store.saving import Saver
from phicli.chat.store.sessions import Sessions
from phicli.chat_format.types import Message

def save(path, name, file, most):
    said = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    saver = Saver(Sessions(Path(path)), None, name, "m", lambda text: os.write(said, f"told {text}\\n".encode()))
    dialogue = Dialogue("be brief")
    for number in range(most):
        question = Turn(f"question {number}", (Attachment("a.txt", f"words {number} " * 300),))
        for replies in ((), (Message("assistant", f"answer {number} " * 200, (), tuple(range(500))),)):
            turn = Turn(question.question, question.attachments, replies, {"seed": number})
            dialogue = Dialogue(dialogue.system, (*dialogue.turns[:number], turn))
            saver.changed(dialogue)
            os.write(said, f"{2 * number + len(replies)}\\n".encode())
        if number % 7 == 6:
            dialogue = dialogue.without_ids()
            saver.changed(dialogue)

for line in sys.stdin:
    child = os.fork()
    if not child:
        save(sys.argv[1], line.strip(), f"{sys.argv[1]}.{line.strip()}", int(sys.argv[2]))
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


class Saving:
    """A process that starts others, each of which saves a session of its own: starting Python anew takes longer."""

    def __init__(self, path: Path, turns: int = 100_000) -> None:
        self._path = path
        command = [sys.executable, "-c", SAVING, str(path), str(turns)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def begin(self, name: str) -> int:
        """The number of the process that saves the session ``name``."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{name}\n")
        self.process.stdin.flush()
        return int(self._line())

    def end(self, name: str) -> list[int]:
        """What that process acknowledged until it ended."""
        assert self._line() == "ended\n"
        return self.said(name)

    def said(self, name: str) -> list[int]:
        """What it has acknowledged so far."""
        file = Path(f"{self._path}.{name}")
        lines = file.read_text().splitlines() if file.exists() else []
        assert all(line.isdigit() for line in lines), lines
        return [int(line) for line in lines]

    def close(self) -> None:
        self.process.communicate(timeout=60)

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_at_random_moments(tmp_path: Path) -> None:
    path, chosen = tmp_path / "sessions.sqlite", random.Random(16)
    sessions = Sessions(path, on_notice=pytest.fail)
    interrupted = acknowledged = 0
    saving = Saving(path)
    for moment in range(MOMENTS):
        child = saving.begin(name := f"s{moment}")
        wait_until(lambda least=moment % 5, name=name: len(saving.said(name)) >= least)  # type: ignore[misc]
        time.sleep(chosen.uniform(0.0, 0.04))  # in the middle of what comes next, however fast the machine is
        os.kill(child, signal.SIGKILL)
        said = saving.end(name)
        interrupted += Path(f"{path}-journal").exists()
        acknowledged += len(said)
        require_all(sessions, name, said)
    saving.close()
    assert interrupted, "else no moment was inside a transaction"
    assert acknowledged


def require_all(sessions: Sessions, name: str, said: list[int]) -> None:
    saved = sessions.find(name)
    if saved is None:
        assert not said
        return
    turns = saved.dialogue.turns
    assert [turn.question for turn in turns] == [f"question {number}" for number in range(len(turns))]
    assert all(turn.replies for turn in turns[:-1])
    states = 2 * (len(turns) - 1) + len(turns[-1].replies)
    assert states >= max(said, default=0), "all that was acknowledged is there"
    assert states <= max(said, default=-1) + 1, "and at most the change that was being saved"
    found = sessions.search(f"words {len(turns) - 1} ", limit=1)
    assert found
    assert found[0].info.name == name


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_three_processes_that_save_at_the_same_time(tmp_path: Path) -> None:
    path, names = tmp_path / "sessions.sqlite", ("one", "two", "three")
    processes = {name: Saving(path, 10) for name in names}
    for name, saving in processes.items():
        saving.begin(name)
    for name, saving in processes.items():
        assert saving.end(name) == list(range(20))
        saving.close()
        assert Sessions(path).get(name).info.turns == 10
