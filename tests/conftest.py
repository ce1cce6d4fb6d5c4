"""Fixtures for all tests: ``phi`` as a process, a hub on the loopback interface, and the engine on a vocabulary."""

import os
import signal

import pytest
from hypothesis import settings

from tests.support.bytecode import keep_bytecode
from tests.support.certificates import authority
from tests.support.hub.fixtures import hub
from tests.support.kernels import tests_home
from tests.support.leftovers import LeftoverGuard
from tests.support.lending import lender
from tests.support.prepared import prepared
from tests.support.process_guard import ProcessGuard, starts_process
from tests.support.pulling import folder, online
from tests.support.running import environment, phi
from tests.support.servers import serve, server
from tests.support.smollm2 import smollm2
from tests.support.storyteller import story_file, storyteller
from tests.support.tokenizing import tokenizing_engine

__all__ = [
    "authority", "environment", "folder", "hub", "lender", "online", "phi", "prepared", "serve", "server", "smollm2",
    "starts_process", "story_file", "storyteller", "tests_home", "tokenizing_engine",
]  # fmt: skip

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a shell: the programs that tests interrupt would inherit the deafness.
    signal.signal(signal.SIGINT, signal.default_int_handler)
for ignored in ("SIGHUP", "SIGQUIT"):  # the same for tests that are started by nohup, or in the background
    if hasattr(signal, ignored) and signal.getsignal(getattr(signal, ignored)) is signal.SIG_IGN:
        signal.signal(getattr(signal, ignored), signal.SIG_DFL)
settings.register_profile("phi", deadline=None)  # no test is about the time that it takes
settings.load_profile("phi")
os.environ.pop("COLUMNS", None)  # set where tests run in several processes; terminals of tests have widths of their own


def pytest_configure(config: pytest.Config) -> None:
    keep_bytecode(config)
    config.pluginmanager.register(ProcessGuard(), "process-guard")
    config.pluginmanager.register(LeftoverGuard(), "leftover-guard")
