"""Ctrl-C at ``phi bench``: what is said is true, and nothing that was measured is lost."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.support import native
from tests.support.running import Phi
from tests.support.waiting import wait_until

SHORT = ("-p", "32", "-n", "4", "-r", "2")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")


def test_an_interruption_while_the_engine_loads_says_that_nothing_was_measured(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """The engine is a program that says forever that it loads."""
    binary = native.install(tmp_path)
    command = [sys.executable, "-m", "phicli", "bench", "tiny-phi", *SHORT, "--json"]
    command += ["--engine", "llama-server", "--llama-server", str(binary)]
    loading = environment | {"FAKE_SERVER": json.dumps({"loads": 1 << 30})}
    with subprocess.Popen(command, env=loading, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        engine = serving(process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert json.loads(out)["error"]["message"] == "interrupted before anything was measured"
    assert json.loads(out)["error"]["hint"] == ""
    assert not engine.is_running()


def test_an_interruption_while_another_process_has_the_history_loses_no_result(
    phi: Phi, environment: dict[str, str]
) -> None:
    assert phi("bench", "tiny-phi", *SHORT).code == 0
    command = [sys.executable, "-m", "phicli", "bench", "tiny-phi", *SHORT, "--json"]
    path = Path(environment["PHI_HOME"]) / "data" / "runs.sqlite"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            waits_for_the_history(process, path)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=100)
    assert process.returncode == 130, err
    envelope = json.loads(out)
    assert "some may not be saved" in envelope["error"]["hint"]
    (run,) = envelope["data"]["runs"]
    assert run["complete"]


def serving(process: subprocess.Popen[bytes]) -> psutil.Process:
    """The server that ``process`` started; asking it for its version was another process."""
    parent = psutil.Process(process.pid)
    while process.poll() is None:
        for child in parent.children():
            try:
                if "--version" not in child.cmdline() and child.net_connections():
                    return child
            except psutil.Error:
                continue
        time.sleep(0.01)
    raise AssertionError(f"it ended with {process.returncode}")


def waits_for_the_history(process: subprocess.Popen[bytes], path: Path) -> None:
    """Return when the engine of ``process`` came and went, and it has opened the history to save the result."""
    parent = psutil.Process(process.pid)
    wait_until(lambda: bool(parent.children()))
    wait_until(lambda: not parent.children() and str(path) in {file.path for file in parent.open_files()})
