"""The engine's own process: the stacks of its threads."""

from __future__ import annotations

import subprocess
import sys

import pytest

from phicli.engine.process import WORKER

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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks glibc")
def test_threads_have_stacks_that_are_large_enough_for_recursive_tokenizing() -> None:
    """The tokenizer of llama.cpp has overflowed a stack of 8 MiB."""
    script = f"WORKER = {str(WORKER)!r}\n{_SIZE}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 1 << 27
