"""The quality of a real model made by others, SmolLM2-135M-Instruct: sensible, and the same by another route."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import pytest

from phicli.bench.quality.measure import measure_quality
from phicli.bench.quality.scoring import Extent, Reading, read
from phicli.bench.quality.text import passage
from phicli.bench.quality.types import Quality
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import LoadSettings
from phicli.records.run import Subject

pytestmark = pytest.mark.model

SETTINGS = EngineSettings(2)
FEW = Extent(tokens=24, context_tokens=32)


@dataclass(frozen=True)
class Distribution:
    """The natural logarithms of the probabilities of all tokens of the vocabulary, by id."""

    logarithms: dict[int, float]

    @property
    def total(self) -> float:
        return math.fsum(math.exp(value) for value in self.logarithms.values())

    @property
    def first(self) -> int:
        return max(self.logarithms, key=self.logarithms.__getitem__)


def distribution(engine: LlamaServerEngine, prompt: tuple[int, ...]) -> Distribution:
    """What comes after ``prompt``: no token is forced, nothing is cached, and the whole vocabulary is told."""
    body = {"prompt": list(prompt), "n_predict": 1, "temperature": 0, "n_probs": 1 << 20, "cache_prompt": False}
    top = engine._post("/completion", body)["completion_probabilities"][0]["top_logprobs"]
    return Distribution({int(one["id"]): float(one["logprob"]) for one in top})


@pytest.fixture(scope="module")
def itself(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Quality, Quality]:
    """The file beside a copy of itself that is a little longer, and so the reference."""
    copy = tmp_path_factory.mktemp("copy") / smollm2.name
    copy.write_bytes(smollm2.read_bytes() + bytes(32))
    subjects = [Subject("smollm2", "Q4_1", None, path, path.stat().st_size) for path in (smollm2, copy)]
    first, second = measure_quality(subjects, SETTINGS)
    return first, second


def test_a_file_predicts_as_itself(itself: tuple[Quality, Quality]) -> None:
    reference, same = itself
    assert reference.comparison is None
    assert same.comparison is not None
    assert same.comparison.kl_divergence.value == pytest.approx(0, abs=1e-5)
    assert same.comparison.top1_agreement.estimate == 1
    assert same.comparison.perplexity_ratio.value == pytest.approx(1, abs=1e-3)


def test_the_perplexity_is_that_of_a_small_model_that_knows_english(itself: tuple[Quality, Quality]) -> None:
    found = itself[0].perplexity
    assert 15 < found.value < 60
    assert found.standard_error is not None
    assert 0 < found.standard_error < found.value / 2


def test_probabilities_are_those_of_the_whole_vocabulary_asked_for_without_force(smollm2: Path) -> None:
    engine = LlamaServerEngine(LoadSettings(smollm2, 256, EngineSettings(threads=2)))
    try:
        reading = read(engine, passage(), FEW)
        places = range(FEW.context_tokens, FEW.total)
        expected = [distribution(engine, reading.ids[:place]) for place in places]
    finally:
        engine.close()
    truth = [one.logarithms[token] for one, token in zip(expected, _ids(reading), strict=True)]
    assert [one.total for one in expected] == pytest.approx([1] * FEW.tokens, abs=1e-3)
    # A prompt that is read at once is computed in another order than one that grows token by token.
    assert reading.losses == pytest.approx([-value for value in truth], abs=0.1)
    perplexity = math.exp(-math.fsum(truth) / FEW.tokens)
    assert math.exp(math.fsum(reading.losses) / FEW.tokens) == pytest.approx(perplexity, rel=0.02)
    firsts = [max(step.likeliest, key=step.likeliest.__getitem__) for step in reading.steps]
    same = sum(one.first == first for one, first in zip(expected, firsts, strict=True))
    assert same >= FEW.tokens - 1


def _ids(reading: Reading) -> tuple[int, ...]:
    return reading.ids[FEW.context_tokens :]
