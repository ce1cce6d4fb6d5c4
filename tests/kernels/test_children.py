"""The programs of a build: their lines, their end, and that nothing of them stays."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from phicli.errors import EngineError
from phicli.kernels.children import run
from tests.support.processes import gone
from tests.support.waiting import wait_until

pytestmark = pytest.mark.process


def test_lines_of_both_streams_arrive_in_order() -> None:
    lines: list[str] = []
    code = "import sys; print('one', flush=True); print('two', file=sys.stderr, flush=True); sys.exit(3)"
    ended = run([sys.executable, "-c", code], on_line=lines.append)
    assert lines == ["one", "two"]
    assert (ended.code, ended.lines, ended.late) == (3, ("one", "two"), False)
    assert ended.how == "failed with exit code 3"


def test_variables_are_added_and_there_is_no_input() -> None:
    code = "import os, sys; print(os.environ['PHI_X'], bool(os.environ.get('PATH')), repr(sys.stdin.read()))"
    assert run([sys.executable, "-c", code], environment={"PHI_X": "y"}).lines == ("y True ''",)


def test_a_signal_is_named() -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    assert run([sys.executable, "-c", code]).how == "crashed with SIGSEGV"


def test_a_program_that_takes_too_long_is_ended() -> None:
    ended = run([sys.executable, "-c", "import time; time.sleep(600)"], limit_s=0.5)
    assert ended.late
    assert ended.how == "did not end in time"


def test_a_program_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no-such-program cannot be started"):
        run([tmp_path / "no-such-program"])
    (tmp_path / "text").write_text("no program")
    with pytest.raises(EngineError, match="cannot be started"):
        run([tmp_path / "text"])


def test_an_interruption_ends_the_program_and_what_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import os, pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(pids)!r}).write_text(f'{{os.getpid()}} {{child.pid}}')\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([sys.executable, "-c", code], on_line=interrupt)
    assert all(gone(int(pid)) for pid in pids.read_text().split())


def test_several_run_at_a_time(tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=run, args=([sys.executable, "-c", f"open({str(tmp_path / name)!r}, 'w')"],))
        for name in ("one", "two")
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: {path.name for path in tmp_path.iterdir()} == {"one", "two"})
    for thread in threads:
        thread.join()
