"""``kill -9`` at any moment of a batch."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="fork and SIGKILL")
@pytest.mark.parametrize("name", ["out.jsonl", "out.csv"])
def test_a_batch_that_is_killed_at_any_moment_loses_nothing_and_asks_nothing_twice(tmp_path: Path, name: str) -> None:
    seed = str(random.randrange(1 << 30))
    command = [sys.executable, "-m", "tests.batch.killed_batches", str(tmp_path), "50", seed, name]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert ended.returncode == 0, (command, ended.stderr)
