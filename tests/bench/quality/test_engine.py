"""Quality measured by the real engine on tiny-phi: against NumPy, and against worse copies of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from phicli.bench.quality.measure import measure_quality
from phicli.bench.quality.scoring import QUICK, USUAL, Extent, divergence, read
from phicli.bench.quality.text import passage
from phicli.bench.quality.types import Quality
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import LoadSettings, Sampling
from phicli.errors import ContextExceededError, EngineError
from phicli.records.run import Subject
from tests.support.files import TINY_PHI
from tests.support.requantised import requantise
from tests.support.tiny_phi_numpy import TinyPhi

pytestmark = pytest.mark.process

SETTINGS = EngineSettings(1)
_TOLERANCE = 0.06
"""Of a log-probability: the engine computes with F16 keys and values."""


def tiny(path: Path, quant: str) -> Subject:
    return Subject("tiny-phi", quant, "tiny-phi", path, path.stat().st_size)


@pytest.fixture(scope="module")
def worse(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("quants")
    return {quant: requantise(TINY_PHI, folder / f"tiny-phi.{quant}.gguf", quant) for quant in ("Q8_0", "Q4_0")}


@pytest.fixture(scope="module")
def found(worse: dict[str, Path]) -> dict[str, Quality]:
    subjects = [tiny(path, quant) for quant, path in worse.items()]
    measured = measure_quality([*subjects, tiny(TINY_PHI, "F16")], SETTINGS)
    return {str(one.subject.quant): one for one in measured}


@pytest.fixture
def engine() -> Iterator[LlamaServerEngine]:
    made = LlamaServerEngine(LoadSettings(TINY_PHI, 256, EngineSettings(threads=1)))
    yield made
    made.close()


@pytest.mark.parametrize(("context_tokens", "extent"), [(256, QUICK), (512, USUAL)], ids=["short", "long"])
def test_probabilities_are_those_of_numpy(context_tokens: int, extent: Extent) -> None:
    engine = LlamaServerEngine(LoadSettings(TINY_PHI, context_tokens, EngineSettings(threads=1)))
    try:
        reading = read(engine, passage(), extent)
    finally:
        engine.close()
    rows = TinyPhi(TINY_PHI, context_tokens).log_probabilities(reading.ids)[extent.context_tokens - 1 : -1]
    expected = [row[token] for row, token in zip(rows, reading.ids[extent.context_tokens :], strict=True)]
    assert reading.losses == pytest.approx([-value for value in expected], abs=_TOLERANCE)
    assert np.exp(np.mean(reading.losses)) == pytest.approx(np.exp(-np.mean(expected)), rel=1e-2)
    for row, step in zip(rows, reading.steps, strict=True):
        assert len(step.likeliest) == 256
        assert list(step.likeliest.values()) == pytest.approx([row[token] for token in step.likeliest], abs=_TOLERANCE)


def test_tokens_that_end_inside_a_character_have_probabilities_too(engine: LlamaServerEngine) -> None:
    """The server reports none with them; the file is not damaged."""
    ids = engine.tokenize("x 𓀀 дом नमः", parse_special=False)
    steps = [engine.score(ids[:place], ids[place], likeliest=8) for place in range(1, len(ids))]
    rows = TinyPhi(TINY_PHI, 256).log_probabilities(ids)
    assert [step.token_id for step in steps] == list(ids[1:])
    assert all(len(step.likeliest) == 8 for step in steps)
    expected = [row[token] for row, token in zip(rows, ids[1:], strict=False)]
    assert [step.log_probability for step in steps] == pytest.approx(expected, abs=_TOLERANCE)


def test_perplexity_is_that_of_numpy(found: dict[str, Quality], worse: dict[str, Path]) -> None:
    ids = _ids()
    for quant, path in {"F16": TINY_PHI, **worse}.items():
        rows = TinyPhi(path, 512).log_probabilities(ids)[USUAL.context_tokens - 1 : -1]
        losses = [-row[token] for row, token in zip(rows, ids[USUAL.context_tokens :], strict=True)]
        # Q8_0 and Q4_0 are multiplied with activations that are rounded to 8 bits
        assert found[quant].perplexity.value == pytest.approx(
            np.exp(np.mean(losses)), rel=0.01 if quant == "F16" else 0.1
        )


def test_divergence_is_near_that_of_the_whole_vocabulary(found: dict[str, Quality], worse: dict[str, Path]) -> None:
    ids = _ids()
    p, q = (
        TinyPhi(path, 512).log_probabilities(ids)[USUAL.context_tokens - 1 : -1] for path in (TINY_PHI, worse["Q4_0"])
    )
    whole = float(np.mean((np.exp(p) * (p - q)).sum(axis=1)))
    comparison = found["Q4_0"].comparison
    assert comparison is not None
    assert comparison.kl_divergence.value == pytest.approx(whole, rel=0.15)


def test_a_coarser_quantisation_is_farther_from_the_reference(found: dict[str, Quality]) -> None:
    fine, coarse = found["Q8_0"].comparison, found["Q4_0"].comparison
    assert fine is not None
    assert coarse is not None
    assert fine.reference.quant == coarse.reference.quant == "F16"
    assert fine.kl_divergence.high is not None
    assert coarse.kl_divergence.low is not None
    assert 0 < fine.kl_divergence.high < 0.01 < coarse.kl_divergence.low
    assert fine.top1_agreement.low is not None
    assert coarse.top1_agreement.high is not None
    assert fine.top1_agreement.low > 0.9 > coarse.top1_agreement.high
    assert fine.perplexity_ratio.value == pytest.approx(1, abs=0.03)


def test_the_engine_evaluates_one_token_a_request(engine: LlamaServerEngine) -> None:
    ids = engine.document(passage())
    for place in range(20, 24):
        engine.score(ids[:place], ids[place], likeliest=4)
    *_, done = engine.generate(ids[:24], Sampling(max_tokens=1))
    assert done.usage.cached_tokens == 23  # type: ignore[union-attr]


def test_the_forced_token_does_not_change_what_is_likely(engine: LlamaServerEngine) -> None:
    ids = engine.document(passage())[:32]
    first, second = (engine.score(ids, token, likeliest=8) for token in (5, 900))
    assert (first.token_id, second.token_id) == (5, 900)
    assert first.log_probability != second.log_probability
    assert divergence(first, second) == pytest.approx(0, abs=1e-6)


def test_a_full_context_is_refused(engine: LlamaServerEngine) -> None:
    with pytest.raises(ContextExceededError, match="256"):
        engine.score([5] * 256, 5, likeliest=4)


def test_an_engine_that_is_killed_is_an_engine_error(engine: LlamaServerEngine) -> None:
    engine.wait_ready()
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="killed"):
        engine.score([5, 6], 7, likeliest=4)


def test_weights_that_are_not_finite_are_an_engine_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    content = bytearray(TINY_PHI.read_bytes())
    content[-4096:] = b"\xff\x7f" * 2048  # F16 NaNs in the last matrix
    broken.write_bytes(content)
    with pytest.raises(EngineError, match="tiny-phi:f16: "):
        list(measure_quality([tiny(broken, "F16")], SETTINGS, extent=Extent(4, 4)))


def _ids() -> tuple[int, ...]:
    engine = LlamaServerEngine(LoadSettings(TINY_PHI, 256, EngineSettings(threads=1)))
    try:
        return engine.document(passage())[: USUAL.total]
    finally:
        engine.close()
