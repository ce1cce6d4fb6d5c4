"""Adapters that PEFT saved: the engine computes with them what transformers and PEFT computed.

The references were written by ``python -m training.tiny_phi.adapter_reference``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
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
from tests.support.gguf_kinds import untied_tiny_phi
from tests.support.requantised import requantise

DATA = Path(__file__).parent / "data"
FOLDERS = ("tiny_phi_adapter", "tiny_phi_adapter_embedding")
"""One of all linear layers, and one of the token embedding and the output layer."""
SCALES = (0.0, 0.5, 1.0)
TOLERANCE = 0.02


def records_of(folder: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((DATA / folder / "reference.json").read_text(encoding="utf-8"))["records"]
    return found


@dataclass(frozen=True)
class Converted:
    """An adapter, the model that it was made for, and what PEFT computed."""

    adapter: Path
    model: Path
    records: list[dict[str, Any]]


@pytest.fixture(scope="module", params=FOLDERS)
def converted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Converted:
    folder = tmp_path_factory.mktemp("adapter")
    write_adapter(read_peft(DATA / request.param), folder / "adapter.gguf", name="of the tests")
    model = TINY_PHI
    if request.param != FOLDERS[0]:  # in F32: values of this embedding lose more in F16
        model = requantise(untied_tiny_phi(folder / "f16.gguf"), folder / "f32.gguf", "F32")
    return Converted(folder / "adapter.gguf", model, records_of(request.param))


@pytest.fixture(scope="module", params=SCALES)
def scaled(
    request: pytest.FixtureRequest, starts_process: None, converted: Converted
) -> Iterator[tuple[list[dict[str, Any]], Any]]:
    adapter = Adapter(converted.adapter, request.param)
    engine = LlamaServerEngine(LoadSettings(converted.model, 256, EngineSettings(threads=1), adapters=(adapter,)))
    yield [one for one in converted.records if one["scale"] == request.param], engine
    engine.close()


def check(engine: Any, record: dict[str, Any]) -> None:
    found = engine.score(record["prompt"], record["top"][0][0], likeliest=60).likeliest
    for token, log_probability in record["top"]:
        assert found[token] == pytest.approx(log_probability, abs=TOLERANCE)


@pytest.mark.parametrize("prompt", range(3))
def test_the_engine_computes_what_peft_computed(scaled: tuple[list[dict[str, Any]], Any], prompt: int) -> None:
    records, engine = scaled
    check(engine, records[prompt])


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_scales_of_the_reference_differ(folder: str) -> None:
    """Or the tests above would show nothing."""
    records = records_of(folder)
    first = {scale: dict(next(one["top"] for one in records if one["scale"] == scale)) for scale in SCALES}
    for one, other in ((0.0, 0.5), (0.5, 1.0)):
        both = first[one].keys() & first[other].keys()
        assert max(abs(first[one][token] - first[other][token]) for token in both) > 10 * TOLERANCE


def test_a_merged_model_computes_the_same(starts_process: None, converted: Converted, tmp_path: Path) -> None:
    what = Merge(read_header(converted.model), "tiny-phi", read_adapter(converted.adapter), "it")
    merge(what, tmp_path / "merged.gguf", on_bytes=lambda done, total: None)
    engine = LlamaServerEngine(LoadSettings(tmp_path / "merged.gguf", 256, EngineSettings(threads=1)))
    try:
        for record in (one for one in converted.records if one["scale"] == 1.0):
            check(engine, record)
    finally:
        engine.close()
