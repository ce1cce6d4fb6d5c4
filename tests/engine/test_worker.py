"""The engine's own process: the stacks of its threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from phicli.engine.process import WORKER

pytestmark = pytest.mark.process

_SIZE = """
import ctypes, runpy, threading
runpy.run_path(WORKER, run_name="worker")["deepen_stacks"]()

def tell():
    libc, attributes, size = ctypes.CDLL(None), ctypes.create_string_buffer(128), ctypes.c_size_t()
    libc.pthread_self.restype = ctypes.c_ulong
    libc.pthread_getattr_np(ctypes.c_ulong(libc.pthread_self()), attributes)
    libc.pthread_attr_getstacksize(attributes, ctypes.byref(size))
    print(size.value)

thread = threading.Thread(target=tell)
thread.start()
thread.join()
"""


_LATE = """
import os, runpy, threading, time

def late():
    time.sleep(0.3)
    os.write(2, b"0.1 E the reason\\n")

threading.Thread(target=late).start()
runpy.run_path(WORKER, run_name="worker")["finish_log"]()
os._exit(3)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks glibc")
def test_threads_have_stacks_larger_than_usual() -> None:
    """Those of llama.cpp have overflowed 8 MiB."""
    script = f"WORKER = {str(WORKER)!r}\n{_SIZE}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 1 << 27


def test_the_log_is_waited_for_before_a_failure_is_reported(tmp_path: Path) -> None:
    """llama.cpp writes it in a thread of its own, which ends with the process."""
    log = tmp_path / "log"
    with log.open("wb") as file:
        subprocess.run([sys.executable, "-c", _LATE.replace("WORKER", repr(str(WORKER)))], stderr=file, check=False)
    assert log.read_text() == "0.1 E the reason\n"
