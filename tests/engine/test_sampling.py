"""A request says all of its sampling: nothing of the file's own sampling gets into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import Chunk, LoadSettings, Sampling
from tests.engine.conftest import QUESTION
from tests.support.files import TINY_PHI
from tests.support.requantised import requantise

pytestmark = pytest.mark.process


def answer(path: Path, sampling: Sampling) -> str:
    """What the engine generates with the file at ``path``."""
    engine = LlamaServerEngine(LoadSettings(path, 256, EngineSettings(threads=1)))
    try:
        prompt = engine.tokenize(QUESTION, parse_special=True)
        return "".join(event.text for event in engine.generate(prompt, sampling) if isinstance(event, Chunk))
    finally:
        engine.close()


def test_the_files_own_sampling_has_no_part_in_it(tmp_path: Path) -> None:
    own = {"general.sampling.penalty_repeat": 8.0, "general.sampling.temp": 3.0}
    changed = requantise(TINY_PHI, tmp_path / "changed.gguf", "F16", own)
    greedy = Sampling(ignore_eos=True, max_tokens=40)
    assert answer(changed, greedy) == answer(TINY_PHI, greedy)
    assert answer(changed, Sampling(repeat_penalty=8.0, ignore_eos=True, max_tokens=40)) != answer(TINY_PHI, greedy)
