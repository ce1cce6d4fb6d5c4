"""The state of a beginning that one slot has evaluated, copied to all slots."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import LoadSettings
from phicli.errors import EngineError
from tests.support.files import TINY_PHI

SLOTS = 4
TEXT = "The quick brown fox jumps over the lazy dog and runs away. " * 100


@pytest.fixture
def smollm2_settings(smollm2: Path) -> LoadSettings:
    return LoadSettings(smollm2, 1280, EngineSettings(threads=2), slots=SLOTS)


def of_tiny_phi(context_tokens: int) -> LoadSettings:
    return LoadSettings(TINY_PHI, context_tokens, EngineSettings(threads=2), slots=SLOTS)


def answered(engine: LlamaServerEngine, prompt: tuple[int, ...], slot: int) -> tuple[list[int], int]:
    """The greedy tokens after ``prompt`` in a slot, and how many tokens of the prompt it had."""
    body: dict[str, Any] = {"prompt": list(prompt), "n_predict": 12, "temperature": 0, "ignore_eos": True}
    reply = engine._post("/completion", body | {"id_slot": slot, "return_tokens": True})
    return reply["tokens"], reply["timings"]["cache_n"]


def check_all_slots(settings: LoadSettings, folder: Path, tokens: int) -> None:
    """Each slot goes on exactly as an engine whose only slot has evaluated the beginning itself."""
    alone, shared = (
        LlamaServerEngine(replace(settings, slots=1)),
        LlamaServerEngine(replace(settings, slot_folder=folder)),
    )
    try:
        beginning = shared.tokenize(TEXT, parse_special=False)[:tokens]
        prompt = (*beginning, *shared.tokenize(" Tell me: what is it?", parse_special=False))
        assert answered(alone, beginning, 0)[1] == 0
        expected = answered(alone, prompt, 0)
        assert expected[1] >= tokens
        shared.share(beginning, folder / "state")
        assert [answered(shared, prompt, slot) for slot in range(SLOTS)] == [(expected[0], tokens)] * SLOTS
    finally:
        alone.close()
        shared.close()


@pytest.mark.process
@pytest.mark.parametrize(("context_tokens", "tokens"), [(256, 200), (512, 300)])
def test_all_slots_go_on_from_it(tmp_path: Path, context_tokens: int, tokens: int) -> None:
    check_all_slots(of_tiny_phi(context_tokens), tmp_path, tokens)


@pytest.mark.model
def test_all_slots_go_on_from_a_thousand_tokens(smollm2_settings: LoadSettings, tmp_path: Path) -> None:
    check_all_slots(smollm2_settings, tmp_path, 1000)


@pytest.mark.process
def test_without_a_folder_for_states_the_slots_stay_usable(tmp_path: Path) -> None:
    engine = LlamaServerEngine(of_tiny_phi(256))
    try:
        prompt = engine.tokenize(TEXT, parse_special=False)[:100]
        with pytest.raises(EngineError):
            engine.share(prompt, tmp_path / "state")
        assert len({tuple(answered(engine, prompt, slot)[0]) for slot in range(SLOTS)}) == 1
    finally:
        engine.close()
