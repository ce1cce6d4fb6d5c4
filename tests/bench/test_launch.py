from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from phicli.bench.launch import find_llama_server, load_settings, start
from phicli.bench.measuring.energy import EnergyMeter
from phicli.bench.measuring.measure import Stopwatch
from phicli.engine.build import engine_build
from phicli.errors import EngineError, NotFoundError
from phicli.records.run import BenchSettings, Subject
from tests.support.files import TINY_PHI

TINY = Subject("tiny-phi", "F16", "tiny-phi", TINY_PHI, TINY_PHI.stat().st_size)


def test_a_real_engine_is_measured() -> None:
    """The model is random: unless it is told not to it ends whenever it likes."""
    with start(TINY, BenchSettings(threads=1), 512) as engine:
        assert engine.build == engine_build()
        assert engine.load_ms > 0
        assert Path(f"/proc/{engine.pid}").exists() or not Path("/proc/self").exists()
        watch = Stopwatch(engine, EnergyMeter())
        read = watch.read_prompt(300)
        assert 0 < read.prompt_ms <= read.ttft_ms
        assert watch.read_prompt(300).prompt_ms > 0
        assert watch.decode(64).decode_ms > 0
        deep = watch.decode(64, 400)
        assert deep.decode_ms > 0
        assert deep.decode_ms < deep.took_s * 1000 * 1.5
        pid = engine.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_context_is_used_to_the_last_token() -> None:
    with start(TINY, BenchSettings(threads=1), 256) as engine:
        watch = Stopwatch(engine, EnergyMeter())
        watch.read_prompt(255)
        watch.decode(20, 235)
        with pytest.raises(EngineError, match="ended after 21 of 22 tokens"):
            watch.decode(21, 235)


def test_settings_reach_the_engine() -> None:
    settings = BenchSettings(3, batch_tokens=64, kv_type="q8_0", flash_attention="on", repack=True, gpu_layers=7)
    found = load_settings(TINY, settings, 1024, slots=4)
    assert (found.threads, found.batch_tokens, found.kv_type, found.flash_attention) == (3, 64, "q8_0", "on")
    assert (found.repack, found.gpu_layers, found.context_tokens, found.slots) == (True, 7, 1024, 4)
    assert not found.warmup


def test_a_file_that_cannot_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(TINY_PHI.read_bytes()[:100_000])
    subject = Subject("broken", None, None, path, 100_000)
    with pytest.raises(EngineError, match="could not load"), start(subject, BenchSettings(threads=1), 256):
        pass


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "llama-server"
    path.write_text("#!/bin/sh\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_binary_on_path(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(program.parent))
    assert find_llama_server() == program
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotFoundError, match="no llama-server on PATH"):
        find_llama_server()


def test_the_binary_that_is_given(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert find_llama_server(program) == program
    with pytest.raises(NotFoundError, match="no program at"):
        find_llama_server(program.parent / "other")
    with pytest.raises(NotFoundError, match="no program at"):
        find_llama_server(program.parent)
    monkeypatch.setenv("PATH", str(program.parent))
    assert find_llama_server(Path("llama-server")) == program
