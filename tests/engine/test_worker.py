"""The engine's own process: the stacks of its threads, and its last words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from phicli.engine.engine_process import WORKER
from phicli.engine.process import WorkerProcess
from phicli.engine.settings import EngineSettings
from phicli.engine.types import LoadSettings
from phicli.errors import EngineDiedError

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


_ENGINE = """
import os, sys

class Standing:
    def __init__(self, stdin):
        self.stdin = stdin

    def read(self, size):
        os.write(2, b"llama_model_load: the reason\\n0.00.002.000 E init: another line\\n")
        return self.stdin.read(size)

class Anything:
    def __getattr__(self, name):
        return self if not name.startswith("GGML") else 0

class CommonParams:
    def __init__(self):
        self.model, self.cpuparams, self.cpuparams_batch = Anything(), Anything(), Anything()
        self.sampling = Anything()

def Server(params):
    os.write(2, b"0.00.001.000 E ")  # a line of the log takes several writes, and a busy machine comes between them
    sys.stdin = Standing(sys.stdin)
    raise RuntimeError("Failed to init server")

ggml_type = llama_flash_attn_type = common_reasoning_format = type("Names", (), {"__getattr__": lambda *_: 0})()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks glibc")
def test_threads_have_stacks_larger_than_usual() -> None:
    """Those of llama.cpp have overflowed 8 MiB."""
    script = f"WORKER = {str(WORKER)!r}\n{_SIZE}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 1 << 27


def test_the_reason_is_read_when_the_log_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scripted engine that finishes its log only while the worker waits for the order to leave.

    A thread of llama.cpp writes the log, later than the error is known, and what it has not written is lost with the
    process.
    """
    (tmp_path / "xllamacpp.py").write_text(_ENGINE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = WorkerProcess(tmp_path / "logs")
    try:
        process.load(LoadSettings(tmp_path / "model.gguf", 256, EngineSettings(threads=1)))
        with pytest.raises(EngineDiedError) as caught:
            process.wait_ready()
    finally:
        process.close()
    said = "llama_model_load: the reason"
    assert caught.value.message == f"the engine could not load the model; the engine says: {said}"
