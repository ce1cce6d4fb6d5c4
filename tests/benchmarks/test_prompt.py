"""The time to the first prompt, of programs that ask and of one that does not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals"),
]


def program(path: Path, body: str) -> str:
    """A program in the place of ``phi``."""
    path.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_the_clock_stops_at_the_prompt(tmp_path: Path, starts_process: None) -> None:
    from benchmarks.prompt import first_prompt

    asks = program(tmp_path / "phi", 'time.sleep(0.2); print(sys.argv, end=" >>> ", flush=True); time.sleep(60)')
    asked = first_prompt(asks, os.environ)
    assert 0.2 <= asked.wall_s < 50
    assert 0 < asked.cpu_s < asked.wall_s + 1


def test_a_program_that_ends_without_a_prompt_is_an_error(tmp_path: Path, starts_process: None) -> None:
    from benchmarks.prompt import first_prompt

    with pytest.raises(RuntimeError, match="does not ask: no model"):
        first_prompt(program(tmp_path / "phi", 'print("no model")'), os.environ)
