"""More threads than the engine takes, and more than the machine has processors."""

from __future__ import annotations

import pytest

from phicli.engine.settings import MOST_THREADS
from phicli.hardware.cpu import usable_processors
from phicli.hardware.threads import notice_threads
from tests.support.running import Phi

SHORT = ("-p", "8", "-n", "2", "-r", "1")
HERE = len(usable_processors())


@pytest.mark.parametrize("command", [["bench", "tiny-phi", *SHORT], ["chat", "tiny-phi", "hi"]], ids=lambda one: one[0])
def test_more_than_the_engine_takes_are_refused(phi: Phi, command: list[str]) -> None:
    done = phi(*command, "--threads", str(MOST_THREADS + 1))
    assert done.code == 2
    assert "--threads" in done.err
    assert str(MOST_THREADS) in done.err
    assert done.out == ""


@pytest.mark.parametrize("command", [["bench", "tiny-phi", *SHORT], ["chat", "tiny-phi", "hi"]], ids=lambda one: one[0])
def test_more_than_there_are_processors_is_told_in_one_line(phi: Phi, command: list[str]) -> None:
    done = phi(*command, "--threads", str(HERE + 1))
    assert done.code == 0, done.err
    assert f"{HERE + 1} threads are more than the {HERE} logical processor" in done.err
    assert done.err.count("threads are more") == 1
    assert "threads are more" not in phi(*command, "--threads", str(HERE + 1), "--quiet").err
    assert "threads are more" not in phi(*command, "--threads", str(HERE)).err


def test_the_most_of_a_list_counts() -> None:
    said: list[str] = []
    notice_threads((), said.append)
    notice_threads((1, HERE), said.append)
    assert said == []
    notice_threads((HERE + 2, 1, HERE + 7), said.append)
    assert len(said) == 1
    assert said[0].startswith(f"{HERE + 7} threads")
