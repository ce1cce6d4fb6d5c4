from __future__ import annotations

import os
from pathlib import Path

import pytest

from phicli.bench.launch import start
from phicli.bench.measuring.energy import EnergyMeter
from phicli.bench.measuring.measure import Stopwatch
from phicli.engine.settings import EngineSettings
from phicli.engine.starting import build_of
from phicli.errors import EngineError, IntegrityError
from phicli.records.run import Subject
from tests.support.files import TINY_PHI

pytestmark = pytest.mark.process

TINY = Subject("tiny-phi", "F16", "tiny-phi", TINY_PHI, TINY_PHI.stat().st_size)


def test_a_real_engine_is_measured() -> None:
    """The model is random: unless it is told not to it ends whenever it likes."""
    with start(TINY, EngineSettings(threads=1), 512) as engine:
        assert engine.build == build_of()
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
    with start(TINY, EngineSettings(threads=1), 256) as engine:
        watch = Stopwatch(engine, EnergyMeter())
        watch.read_prompt(255)
        watch.decode(20, 235)
        with pytest.raises(EngineError, match="ended after 21 of 22 tokens"):
            watch.decode(21, 235)


def test_a_file_that_cannot_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(TINY_PHI.read_bytes()[:100_000])
    subject = Subject("broken", None, None, path, 100_000)
    with pytest.raises(IntegrityError, match="truncated"), start(subject, EngineSettings(threads=1), 256):
        pass
