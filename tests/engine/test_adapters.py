"""Adapters beside a model: the engine computes what W + alpha / rank x B A gives, in every request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.engine.llama_server_program import NativeServerEngine, server_arguments
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.starting import CTRANSFORMERS, check_load
from phicli.engine.types import Adapter, Done, LoadSettings, Sampling
from phicli.errors import UsageError
from tests.support.files import TINY_PHI
from tests.support.lora import Adapted, tensors, write_gguf
from tests.support.wheel_server import install

PROMPT = [5, 9, 100, 33, 7, 250]
TOKENS = (10, 400, 1200)
FIRST, SECOND = tensors(seed=1), tensors(seed=2)
FACTOR = 2.0
"""alpha / rank, with the 8 and 4 of :func:`write_gguf`."""
TOLERANCE = 0.02


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("adapters")
    return write_gguf(folder / "first.gguf", FIRST), write_gguf(folder / "second, with a comma.gguf", SECOND)


def settings(*adapters: Adapter, slots: int = 1) -> LoadSettings:
    return LoadSettings(TINY_PHI, 256, EngineSettings(threads=1), slots=slots, adapters=adapters)


@pytest.fixture(scope="module", params=["package", "program"])
def engine(
    request: pytest.FixtureRequest, starts_process: None, tmp_path_factory: pytest.TempPathFactory,
    files: tuple[Path, Path],
) -> Iterator[LlamaServerEngine]:  # fmt: skip
    both = settings(Adapter(files[0], 0.5), Adapter(files[1], 1.0))
    if request.param == "package":
        made = LlamaServerEngine(both)
    else:
        made = NativeServerEngine(both, install(tmp_path_factory.mktemp("program")))
    yield made
    made.close()


def likelihood(engine: LlamaServerEngine, sampling: Sampling, prompt: Sequence[int] = PROMPT) -> tuple[int, float, int]:
    """The first token that is generated, the logarithm of its probability, and the tokens that were cached."""
    events = list(engine.generate(prompt, replace(sampling, max_tokens=1, likeliest=1)))
    done = events[-1]
    assert isinstance(done, Done)
    (likely,) = [one for event in events[:-1] for one in getattr(event, "likely", ())]
    assert likely.token_id is not None
    assert likely.log_probability is not None
    return likely.token_id, likely.log_probability, done.usage.cached_tokens


def expected(first: float, second: float) -> Adapted:
    return Adapted().add(FIRST, FACTOR * first).add(SECOND, FACTOR * second)


def test_all_adapters_count_at_their_scales(engine: LlamaServerEngine) -> None:
    reference = expected(0.5, 1.0).after(PROMPT)
    for token in TOKENS:
        assert engine.score(PROMPT, token, likeliest=1).log_probability == pytest.approx(
            reference[token], abs=TOLERANCE
        )


@pytest.mark.parametrize("scales", [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.25)])
def test_a_request_has_scales_of_its_own(engine: LlamaServerEngine, scales: tuple[float, float]) -> None:
    token, found, cached = likelihood(engine, Sampling(adapter_scales=scales))
    reference = expected(*scales).after(PROMPT)
    assert token == reference.argmax()
    assert found == pytest.approx(reference[token], abs=TOLERANCE)
    assert cached == 0  # what was evaluated with other scales is of no use


def test_a_request_without_scales_has_those_of_the_load(engine: LlamaServerEngine) -> None:
    likelihood(engine, Sampling(adapter_scales=(0.0, 0.0)))
    token, found, _ = likelihood(engine, Sampling())
    assert found == pytest.approx(expected(0.5, 1.0).after(PROMPT)[token], abs=TOLERANCE)
    assert likelihood(engine, Sampling())[2] == len(PROMPT) - 1


def test_a_request_must_name_every_adapter(engine: LlamaServerEngine) -> None:
    with pytest.raises(ValueError, match="1 scales for 2 adapters"):
        likelihood(engine, Sampling(adapter_scales=(1.0,)))


def test_slots_side_by_side_have_adapters_of_their_own(starts_process: None, files: tuple[Path, Path]) -> None:
    engine = LlamaServerEngine(settings(Adapter(files[0]), Adapter(files[1]), slots=2))
    try:
        scales = [(1.0, 0.0), (0.0, 1.0)] * 8
        with ThreadPoolExecutor(2) as threads:
            found = list(threads.map(lambda one: likelihood(engine, Sampling(adapter_scales=one))[:2], scales))
        for one, (token, log_probability) in zip(scales, found, strict=True):
            assert log_probability == pytest.approx(expected(*one).after(PROMPT)[token], abs=TOLERANCE)
    finally:
        engine.close()


def test_without_adapters_nothing_is_said_of_them() -> None:
    assert "--lora" not in server_arguments(settings())


def test_the_program_gets_the_files(files: tuple[Path, Path]) -> None:
    arguments = server_arguments(settings(Adapter(files[0]), Adapter(files[1])))
    given = [arguments[at + 1] for at, word in enumerate(arguments) if word == "--lora"]
    assert given == [str(files[0]), f'"{files[1]}"']


def test_an_engine_without_adapters_refuses_them(files: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match=r"ctransformers cannot use adapters \(LoRA\)") as caught:
        check_load(CTRANSFORMERS, settings(Adapter(files[0])))
    assert "--engine xllamacpp" in caught.value.hint


def test_a_saved_state_goes_on_with_the_same_adapters(
    starts_process: None, files: tuple[Path, Path], tmp_path: Path
) -> None:
    loaded = replace(settings(Adapter(files[0], 0.5)), slot_folder=tmp_path)
    prompts, reference = (PROMPT, [*PROMPT, 100, 7]), Adapted().add(FIRST, FACTOR * 0.5)
    first = LlamaServerEngine(loaded)
    likelihood(first, Sampling(), prompts[0])
    first.save_state(tmp_path / "state")
    first.close()
    second = LlamaServerEngine(loaded)
    try:
        assert second.restore_state(tmp_path / "state") == len(PROMPT)
        token, found, cached = likelihood(second, Sampling(), prompts[1])
        assert found == pytest.approx(reference.after(prompts[1])[token], abs=TOLERANCE)
        assert cached == len(PROMPT)
        token, found, cached = likelihood(second, Sampling(adapter_scales=(1.0,)), prompts[1])
        assert (cached, found) == (0, pytest.approx(expected(1.0, 0.0).after(prompts[1])[token], abs=TOLERANCE))
    finally:
        second.close()
