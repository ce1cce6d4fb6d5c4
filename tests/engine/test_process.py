"""The engine's process when things go wrong."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from phicli.engine.log_file import open_log
from phicli.engine.process import WorkerProcess
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import Chunk, LoadSettings, Sampling
from phicli.errors import EngineError
from tests.engine.conftest import QUESTION, TINY_PHI, tiny_settings
from tests.support.processes import gone
from tests.support.waiting import frame_of, wait_until

pytestmark = pytest.mark.process


def load(path: Path, log_dir: Path) -> None:
    engine = LlamaServerEngine(LoadSettings(path, 256, EngineSettings(threads=1)), log_dir=log_dir)
    try:
        engine.wait_ready()
    finally:
        engine.close()


def test_a_text_file_is_refused_with_the_engines_reason(tmp_path: Path) -> None:
    path = tmp_path / "text.gguf"
    path.write_text("hello, I am no model")
    with pytest.raises(EngineError, match=r"could not load.*invalid magic characters") as caught:
        load(path, tmp_path)
    assert caught.value.exit_code == 6
    assert "phi chat tiny-phi" in caught.value.hint_for("chat")
    assert Path((caught.value.data or {})["engine_log"]).read_text()


def test_an_unknown_architecture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(TINY_PHI.read_bytes().replace(b"phi3", b"phi9"))
    with pytest.raises(EngineError, match=r"unknown model architecture: 'phi9'") as caught:
        load(path, tmp_path)
    assert "xllamacpp" in caught.value.hint


def test_the_engine_is_given_another_name(tmp_path: Path) -> None:
    """A harmful one shows that it arrives, and what is said where it does not help."""
    settings = LoadSettings(TINY_PHI, 256, EngineSettings(threads=1), model_name="Phi-3")
    engine = LlamaServerEngine(settings, log_dir=tmp_path)
    try:
        with pytest.raises(EngineError, match="error loading model vocabulary") as caught:
            engine.wait_ready()
    finally:
        engine.close()
    assert "its vocabulary is not Phi-3's" in caught.value.hint


def test_a_healthy_engine_leaves_no_log(tmp_path: Path) -> None:
    load(TINY_PHI, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_log_folder_that_cannot_be_written_does_not_matter() -> None:
    load(TINY_PHI, Path("/proc/no-such-folder"))


@pytest.mark.parametrize("writable", [True, False])
def test_nor_does_a_computer_without_a_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, writable: bool
) -> None:
    """As where the only disk is full; the engine's log then goes where it can, or nowhere."""
    (tmp_path / "file").write_text("a file in the way")
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("tempfile._candidate_tempdir_list", lambda: [str(tmp_path / "file")])
    load(TINY_PHI, tmp_path / "logs" if writable else Path("/proc/no-such-folder"))


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_interruption_while_it_ends_leaves_no_log(tmp_path: Path) -> None:
    engine = LlamaServerEngine(tiny_settings(), log_dir=tmp_path)
    engine.wait_ready()
    os.kill(engine.pid, signal.SIGSTOP)
    main, waits = threading.current_thread(), subprocess.Popen.wait.__code__

    def press() -> None:
        wait_until(lambda: waits in {frame.f_code for frame, _ in traceback.walk_stack(frame_of(main))})
        os.kill(os.getpid(), signal.SIGINT)

    pressing = threading.Thread(target=press)
    pressing.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            engine.close()
        assert list(tmp_path.iterdir()) == []
    finally:
        os.kill(engine.pid, signal.SIGCONT)
        engine.close()
        pressing.join()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_engine_is_told_as_out_of_memory(tmp_path: Path) -> None:
    engine = LlamaServerEngine(tiny_settings(), log_dir=tmp_path)
    prompt = engine.tokenize(QUESTION, parse_special=True)
    events = engine.generate(prompt, Sampling())
    for event in events:
        if isinstance(event, Chunk):
            break
    os.kill(engine.pid, signal.SIGKILL)
    killed = "killed, most likely because the system ran out of memory"
    with pytest.raises(EngineError, match=killed):  # all of the answer may have come: then the next one meets nobody
        list(itertools.chain(events, engine.generate(prompt, Sampling())))
    with pytest.raises(EngineError, match="killed"):
        engine.tokenize("x", parse_special=False)
    engine.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_crash_is_told_with_its_signal(tmp_path: Path) -> None:
    engine = LlamaServerEngine(tiny_settings(), log_dir=tmp_path)
    engine.wait_ready()
    os.kill(engine.pid, signal.SIGSEGV)
    assert gone(engine.pid)
    with pytest.raises(EngineError, match="crashed with SIGSEGV"):
        engine.tokenize("x", parse_special=False)
    engine.close()


def test_closing_ends_the_process(tmp_path: Path) -> None:
    engine = LlamaServerEngine(tiny_settings(), log_dir=tmp_path)
    engine.wait_ready()
    engine.close()
    engine.close()
    assert gone(engine.pid)


def test_a_process_that_was_never_used_ends_too(tmp_path: Path) -> None:
    process = WorkerProcess(tmp_path)
    process.close()
    assert gone(process.pid)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the kernel's parent-death signal")
@pytest.mark.parametrize("wait", [True, False], ids=["ready", "loading"])
def test_the_engine_dies_with_a_killed_parent(tmp_path: Path, wait: bool) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from phicli.engine.server_engine import LlamaServerEngine\n"
        "from tests.engine.conftest import tiny_settings\n"
        f"engine = LlamaServerEngine(tiny_settings(), log_dir=Path({str(tmp_path)!r}))\n"
        f"{'engine.wait_ready()' if wait else ''}\n"
        "print(engine.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait(60)
    parent.stdout.close()
    assert gone(pid)


def test_the_engine_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    """Linux's parent-death signal comes with the end of the thread, not of the process."""
    with ThreadPoolExecutor(1) as pool:
        engine = pool.submit(LlamaServerEngine, tiny_settings(), log_dir=tmp_path).result()
    try:
        engine.wait_ready()
        assert not gone(engine.pid, within_s=0.2)
        assert engine.tokenize("x", parse_special=False)
    finally:
        engine.close()


def test_only_the_key_opens_the_server(tmp_path: Path) -> None:
    import http.client

    process = WorkerProcess(tmp_path)
    try:
        process.load(tiny_settings())
        host = process.wait_ready().removeprefix("http://")
        for key in ("", "Bearer wrong"):
            connection = http.client.HTTPConnection(host, timeout=60)
            connection.request("POST", "/completion", '{"prompt": "x"}', {"Authorization": key} if key else {})
            assert connection.getresponse().status == 401
            connection.close()
    finally:
        process.close()


def test_the_temporary_folder_stands_in_for_one_that_cannot_even_be_looked_at(tmp_path: Path) -> None:
    path, log = open_log(tmp_path / ("x" * 300))
    log.close()
    assert path is not None
    assert path.parent == Path(tempfile.gettempdir())
    path.unlink()
