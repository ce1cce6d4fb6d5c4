"""Adapters of an engine that runs, at other scales: nothing that was evaluated with others is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from phicli.engine.loaded_adapters import LoadedAdapters
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import Adapter, Done, LoadSettings, Sampling
from phicli.errors import EngineError
from tests.support.files import TINY_PHI
from tests.support.lora import Adapted, tensors, write_gguf

PROMPT = [5, 9, 100, 33, 7, 250]
FIRST, SECOND = tensors(seed=1), tensors(seed=2)
FACTOR, TOLERANCE = 2.0, 0.02


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("adapters")
    return write_gguf(folder / "first.gguf", FIRST), write_gguf(folder / "second.gguf", SECOND)


@pytest.fixture
def engine(starts_process: None, files: tuple[Path, Path], tmp_path: Path) -> Iterator[LlamaServerEngine]:
    both = (Adapter(files[0], 0.5), Adapter(files[1], 1.0))
    made = LlamaServerEngine(
        LoadSettings(TINY_PHI, 256, EngineSettings(threads=1), slot_folder=tmp_path, adapters=both)
    )
    yield made
    made.close()


def likelihood(engine: LlamaServerEngine) -> tuple[int, float, int]:
    """The first token that is generated, the logarithm of its probability, and the tokens that were cached."""
    events = list(engine.generate(PROMPT, Sampling(max_tokens=1, likeliest=1)))
    done = events[-1]
    assert isinstance(done, Done)
    (likely,) = [one for event in events[:-1] for one in getattr(event, "likely", ())]
    assert likely.token_id is not None
    assert likely.log_probability is not None
    return likely.token_id, likely.log_probability, done.usage.cached_tokens


def assert_computes(engine: LlamaServerEngine, first: float, second: float) -> None:
    token, found, cached = likelihood(engine)
    reference = Adapted().add(FIRST, FACTOR * first).add(SECOND, FACTOR * second).after(PROMPT)
    assert (token, cached) == (reference.argmax(), 0)
    assert found == pytest.approx(reference[token], abs=TOLERANCE)


def test_other_scales_without_another_process(engine: LlamaServerEngine, files: tuple[Path, Path]) -> None:
    likelihood(engine)
    process = engine.pid
    for adapters, scales in (
        ((Adapter(files[1], -1.0), Adapter(files[0])), (1.0, -1.0)),
        ((Adapter(files[0], 0.25),), (0.25, 0.0)),
        ((), (0.0, 0.0)),
    ):
        assert engine.use_adapters(adapters)
        assert_computes(engine, *scales)
    assert engine.pid == process


def test_a_state_that_is_saved_after_the_change_has_nothing_of_before(
    engine: LlamaServerEngine, files: tuple[Path, Path], tmp_path: Path
) -> None:
    likelihood(engine)
    assert engine.save_state(tmp_path / "before") == tuple(PROMPT)
    assert engine.use_adapters((Adapter(files[0]),))
    assert not set(engine.save_state(tmp_path / "after")) & set(PROMPT)


def test_the_same_scales_drop_nothing(engine: LlamaServerEngine, files: tuple[Path, Path]) -> None:
    likelihood(engine)
    assert engine.use_adapters((Adapter(files[1], 1.0), Adapter(files[0], 0.5)))
    assert likelihood(engine)[2] == len(PROMPT) - 1


def test_what_is_not_loaded_changes_nothing(
    engine: LlamaServerEngine, files: tuple[Path, Path], tmp_path: Path
) -> None:
    likelihood(engine)
    other = write_gguf(tmp_path / "other.gguf", SECOND)
    assert not engine.use_adapters((Adapter(files[0]), Adapter(other)))
    assert likelihood(engine)[2] == len(PROMPT) - 1


def test_after_a_failure_the_adapters_are_as_before(
    engine: LlamaServerEngine, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise EngineError("the engine refused")

    likelihood(engine)
    with monkeypatch.context() as patched:
        patched.setattr(engine, "_begin_anew", fails)
        with pytest.raises(EngineError):
            engine.use_adapters((Adapter(files[0], 3.0),))
    token, found, _ = likelihood(engine)
    reference = Adapted().add(FIRST, FACTOR * 0.5).add(SECOND, FACTOR).after(PROMPT)
    assert found == pytest.approx(reference[token], abs=TOLERANCE)


def test_an_engine_that_has_ended_has_loaded_nothing(engine: LlamaServerEngine) -> None:
    assert engine.has_loaded(())
    engine.close()
    assert not engine.has_loaded(())


def test_a_file_that_was_changed_is_another_adapter(files: tuple[Path, Path], tmp_path: Path) -> None:
    path, link = tmp_path / "mine.gguf", tmp_path / "link.gguf"
    path.write_bytes(files[0].read_bytes())
    link.symlink_to(path)
    loaded = LoadedAdapters((Adapter(path), Adapter(files[1], 0.5)))
    assert loaded.scales_for((Adapter(link, 2.0),)) == (2.0, 0.0)
    path.write_bytes(files[1].read_bytes() + b"\0")
    assert loaded.scales_for((Adapter(path),)) is None
    assert loaded.scales_for((Adapter(files[1]),)) == (0.0, 1.0)
    path.unlink()
    assert loaded.scales_for((Adapter(path),)) is None
    assert loaded.scales_for(()) == (0.0, 0.0)
