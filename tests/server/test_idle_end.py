"""A failure that nobody foresaw does not keep a server that nobody uses."""

from __future__ import annotations

import threading

import pytest

from phicli.server.idle_end import watch
from phicli.server.uses import Uses


def test_a_bug_is_reported_and_the_server_ends_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hides:
        hidden = 0

        def hide(self) -> None:
            self.hidden += 1
            if self.hidden == 1:
                raise ValueError("a path")

        def show(self) -> None:
            pass

        def is_lost(self) -> bool:
            return False

    monkeypatch.setattr("phicli.server.idle_end.SETTLE_S", 0.01)
    bugs: list[str] = []
    ends = threading.Event()
    watch(Uses(), set, Hides(), ends.set, after_s=0.01, listening=[], on_bug=bugs.append)
    assert ends.wait(60)
    assert [bug.partition(",")[0] for bug in bugs] == ["unexpected ValueError in hide"]


def test_a_watch_that_is_ended_while_the_server_is_hidden_touches_it_no_more() -> None:
    """The server closes, and its place belongs to the next one."""
    done: list[str] = []
    hidden = threading.Event()

    class Hides:
        def hide(self) -> None:
            done.append("hide")
            hidden.set()

        def show(self) -> None:
            done.append("show")

        def is_lost(self) -> bool:
            return False

    stop = watch(Uses(), lambda: {1} if done else (), Hides(), lambda: None, after_s=0.01, listening=[])
    assert hidden.wait(60)
    stop()
    assert done == ["hide", "show"]
    assert not [thread for thread in threading.enumerate() if thread.name == "phi-idle-end"]
