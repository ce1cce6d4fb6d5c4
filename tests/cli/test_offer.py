"""``phi chat`` on a model that is not here: a person is asked, a script is told."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.files import TINY_PHI
from tests.support.hub import LoopbackHub
from tests.support.pulling import final_files
from tests.support.running import Phi

pty = pytest.importorskip("pty")
QUESTION = "What is the capital of France?"
ANSWER = "The capital of France is Paris."


class Person:
    """Sits at a terminal: standard input and standard error of ``phi``; standard output is a pipe."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self.screen = ""
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "phicli", *arguments], stdin=slave, stderr=slave, stdout=subprocess.PIPE,
            env=environment | {"TERM": "xterm", "COLUMNS": "80"}, start_new_session=True, text=True,
            preexec_fn=lambda: _control(slave),  # noqa: PLW1509 - no thread runs here
        )  # fmt: skip
        os.close(slave)

    def wait_for(self, text: str, *, times: int = 1) -> None:
        until = time.monotonic() + 30
        while self.screen.count(text) < times:
            assert time.monotonic() < until, self.screen
            self._read()

    def type(self, text: str) -> None:
        self.type_bytes(text.encode())

    def type_bytes(self, data: bytes) -> None:
        os.write(self._master, data)

    def end(self) -> tuple[int, str]:
        """Exit code and standard output."""
        while self._read():
            pass
        out, _ = self._process.communicate(timeout=60)
        os.close(self._master)
        return self._process.returncode, out

    def _read(self) -> bool:
        if not select.select([self._master], [], [], 0.2)[0]:
            return self._process.poll() is None
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self.screen += data.decode(errors="replace")
        return bool(data)


def _control(slave: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)


@pytest.fixture
def person(hub: LoopbackHub, environment: dict[str, str]) -> Person:
    hub.add_repo("some/tiny", {"tiny-Q4_K_M.gguf": TINY_PHI})
    return Person(environment | {"HF_HUB_OFFLINE": ""} | hub.environment, "chat", "some/tiny", QUESTION)


@pytest.mark.parametrize("word", ["y", "", "YES", "what?\ny"])
def test_yes_downloads_and_answers(person: Person, word: str) -> None:
    person.wait_for("Download some/tiny, 1.9 MiB? [Y/n]")
    person.type(f"{word}\n")
    assert person.end() == (0, f"{ANSWER}\n")
    assert "is ready" in person.screen


def test_no_is_no(person: Person, folder: Path) -> None:
    person.wait_for("[Y/n]")
    person.type("n\n")
    assert person.end() == (3, "")
    assert "phi pull some/tiny" in person.screen
    assert final_files(folder) == {}


@pytest.mark.parametrize(("key", "code"), [("\x03", 130), ("\x04", 3)], ids=["Ctrl-C", "Ctrl-D"])
def test_leaving_without_an_answer(person: Person, folder: Path, key: str, code: int) -> None:
    person.wait_for("[Y/n]")
    person.type(key)
    assert person.end() == (code, "")
    assert "Traceback" not in person.screen
    assert final_files(folder) == {}


def test_a_script_is_told(hub: LoopbackHub, online: Phi) -> None:
    hub.add_repo("some/tiny", {"tiny-Q4_K_M.gguf": TINY_PHI})
    told = online("chat", "some/tiny", QUESTION)
    assert told.code == 3
    assert "phi pull some/tiny" in told.err
    assert not list(hub.requests)
