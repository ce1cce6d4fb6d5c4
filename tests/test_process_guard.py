"""The marker ``process`` comes from fixtures, and unmarked tests start nothing."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from tests.support.process_guard import ProcessGuard
from tests.support.running import Phi

COMMAND = [sys.executable, "--version"]


@pytest.fixture
def guard(pytestconfig: pytest.Config) -> ProcessGuard:
    found = pytestconfig.pluginmanager.get_plugin("process-guard")
    assert isinstance(found, ProcessGuard)
    return found


def test_a_process_in_an_unmarked_test_is_refused_with_what_to_do(guard: ProcessGuard) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"add @pytest\.mark\.process"):
        subprocess.run(COMMAND, check=True)
    assert guard.take() == [str(COMMAND)]


def test_an_attempt_that_the_code_swallows_or_another_thread_makes_is_kept_for_the_end(guard: ProcessGuard) -> None:
    def start() -> None:
        with pytest.raises(pytest.fail.Exception):
            subprocess.Popen(COMMAND)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert guard.take() == [str(COMMAND)]


@pytest.mark.process
def test_a_marked_test_may_start_one(guard: ProcessGuard) -> None:
    subprocess.run(COMMAND, check=True, capture_output=True)
    assert guard.take() == []


def test_a_fixture_that_starts_processes_marks_the_test(phi: Phi, request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("process")


def test_other_fixtures_do_not(guard: ProcessGuard, request: pytest.FixtureRequest) -> None:
    assert not request.node.get_closest_marker("process")
