"""A session that is left: processes that are killed, that come too early, or two at a time; real engines."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from phicli.answering.kept_states import GoingOn, await_saving, remove_state
from phicli.answering.state_records import states_folder
from phicli.engine.leaving import taken
from tests.answering.going_on import SESSION, Talk, begun, flip, folders, home
from tests.support.processes import gone
from tests.support.waiting import wait_until

__all__ = ["home"]
pytestmark = pytest.mark.process
NEXT = "How many legs does a spider have?"
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere it has no parent to die with")


@LINUX
def test_a_worker_that_is_killed_while_it_saves_does_no_harm() -> None:
    """At different moments; almost always the state before is still there then."""
    talk = begun()
    for number in range(12):
        talk.ask(f"Question {number}?", waits=False)
        time.sleep(0.003 * number)
        with contextlib.suppress(ProcessLookupError):  # it had saved everything already
            os.kill(talk.pid, signal.SIGKILL)
        assert gone(talk.pid)
        expected = talk.afresh(NEXT)
        again = Talk(said=talk.said, used_tokens=talk.used_tokens)
        assert again.ask(NEXT, keeps=False).token_ids == expected.token_ids


_LEAVES = """
import os, signal, sys
from tests.answering.going_on import SESSION, Talk, begun, flip, folders, home
import phicli.answering.opening as opening
if {killed_after_keep}:
    keep = opening.OpenModel.keep_state
    def keep_and_die(self, session_id):
        keep(self, session_id)
        os.kill(os.getpid(), signal.SIGKILL)
    opening.OpenModel.keep_state = keep_and_die
else:
    def die(self, session_id):
        print(self.engines[-1].pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    opening.OpenModel.keep_state = die
Talk().ask("What is phi?")
"""


def left(*, killed_after_keep: bool) -> str:
    code = _LEAVES.format(killed_after_keep=killed_after_keep)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    return ended.stdout


@LINUX
def test_phi_that_is_killed_when_it_has_handed_the_state_over() -> None:
    left(killed_after_keep=True)
    wait_until(Talk().place.record.exists)
    wait_until(lambda: folders() == [])
    assert Talk().place.read() is not None


@LINUX
def test_phi_that_is_killed_before_leaves_no_state_and_no_process() -> None:
    pid = int(left(killed_after_keep=False))
    assert gone(pid)
    assert not Talk().place.state.exists()


def test_a_session_that_is_removed_while_its_state_is_saved_leaves_nothing() -> None:
    talk = begun()
    lock = taken(talk.place.lock, wait_s=10)
    assert lock is not None
    talk.ask(NEXT, goes_on=False, waits=False)
    remove_state(SESSION)
    os.close(lock)
    assert gone(talk.pid, 60)
    assert list(states_folder().iterdir()) == []


def test_nobody_waits_for_ever_for_a_process_that_saves() -> None:
    talk = begun()
    lock = taken(talk.place.lock, wait_s=10)
    assert lock is not None
    await_saving(GoingOn(SESSION, talk.said, talk.used_tokens), wait_s=0.2)
    flip(talk.place.state)
    engine = talk.ask(NEXT, keeps=False)
    assert engine.usage.cached_tokens == 0
    assert talk.place.state.exists()  # that process may be about to replace it
    os.close(lock)


def test_two_processes_that_leave_one_session_leave_one_state() -> None:
    talk = begun()
    first = Talk(said=talk.said, used_tokens=talk.used_tokens)
    second = Talk(said=talk.said, used_tokens=talk.used_tokens)
    first.ask(NEXT, waits=False)
    second.ask("Who are you?", waits=False)
    assert gone(first.pid, 60)
    assert gone(second.pid, 60)
    answer = second.ask("And a cat?")
    assert "was restored" in second.note
    assert answer.usage.cached_tokens > 0
    assert folders() == []


def test_a_session_that_was_removed() -> None:
    begun()
    remove_state(SESSION)
    assert list(states_folder().iterdir()) == []
    remove_state(SESSION)
    remove_state("../../elsewhere")
