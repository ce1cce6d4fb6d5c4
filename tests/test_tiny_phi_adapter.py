"""An adapter that PEFT saved: the engine computes with it what transformers and PEFT computed.

The reference was written by ``python -m training.tiny_phi.adapter_reference``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phicli.adapters.converting import write_adapter
from phicli.adapters.merging import Merge, merge
from phicli.adapters.peft import read_peft
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import Adapter, LoadSettings
from phicli.gguf_file.adapter import read_adapter
from phicli.gguf_file.header import read_header
from tests.support.files import TINY_PHI

FOLDER = Path(__file__).parent / "data" / "tiny_phi_adapter"
RECORDS: list[dict[str, Any]] = json.loads((FOLDER / "reference.json").read_text(encoding="utf-8"))["records"]
SCALES = (0.0, 0.5, 1.0)
TOLERANCE = 0.02


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("adapter") / "adapter.gguf"
    write_adapter(read_peft(FOLDER), path, name="of the tests")
    return path


@pytest.fixture(scope="module", params=SCALES)
def scaled(request: pytest.FixtureRequest, starts_process: None, converted: Path) -> Iterator[tuple[float, Any]]:
    adapter = Adapter(converted, request.param)
    engine = LlamaServerEngine(LoadSettings(TINY_PHI, 256, EngineSettings(threads=1), adapters=(adapter,)))
    yield request.param, engine
    engine.close()


@pytest.mark.parametrize("prompt", range(3))
def test_the_engine_computes_what_peft_computed(scaled: tuple[float, Any], prompt: int) -> None:
    scale, engine = scaled
    record = [one for one in RECORDS if one["scale"] == scale][prompt]
    found = engine.score(record["prompt"], record["top"][0][0], likeliest=60).likeliest
    for token, log_probability in record["top"]:
        assert found[token] == pytest.approx(log_probability, abs=TOLERANCE)


def test_the_scales_of_the_reference_differ() -> None:
    """Or the tests above would show nothing."""
    first = {scale: dict(next(one["top"] for one in RECORDS if one["scale"] == scale)) for scale in SCALES}
    for one, other in ((0.0, 0.5), (0.5, 1.0)):
        both = first[one].keys() & first[other].keys()
        assert max(abs(first[one][token] - first[other][token]) for token in both) > 10 * TOLERANCE


def test_a_merged_model_computes_the_same(starts_process: None, converted: Path, tmp_path: Path) -> None:
    what = Merge(read_header(TINY_PHI), "tiny-phi", read_adapter(converted), "it")
    merge(what, tmp_path / "merged.gguf", on_bytes=lambda done, total: None)
    engine = LlamaServerEngine(LoadSettings(tmp_path / "merged.gguf", 256, EngineSettings(threads=1)))
    try:
        for record in (one for one in RECORDS if one["scale"] == 1.0):
            found = engine.score(record["prompt"], record["top"][0][0], likeliest=60).likeliest
            for token, log_probability in record["top"]:
                assert found[token] == pytest.approx(log_probability, abs=TOLERANCE)
    finally:
        engine.close()
