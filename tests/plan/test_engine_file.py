"""The file that an engine gets: the model's own, or one that is written for it, once."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phicli.engine.starting import CTRANSFORMERS, DEFAULT_ENGINE, LLAMA_SERVER
from phicli.engine.types import Sampling
from phicli.errors import DoesNotFitError, NotFoundError, UnsupportedModelError, UsageError
from phicli.gguf_file.header import read_header
from phicli.gguf_file.types import GgufHeader
from phicli.hub.hashing import sha256_of
from phicli.paths import cache_dir
from phicli.plan.engine_file import file_for_engine, require_runs, sampling_notices
from tests.support.disks import small_file_system
from tests.support.files import TINY_PHI
from tests.support.lookback import write_lookback


@pytest.fixture
def header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GgufHeader:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "home"))
    path = tmp_path / "model.gguf"
    write_lookback(path)
    return read_header(path)


def written() -> list[Path]:
    return sorted(path for path in cache_dir().rglob("*") if path.is_file())


@pytest.mark.parametrize("engine", [DEFAULT_ENGINE, LLAMA_SERVER])
def test_other_engines_get_the_file_itself(header: GgufHeader, engine: str) -> None:
    assert file_for_engine(engine, header) == header.path
    assert file_for_engine(engine, read_header(TINY_PHI)) == TINY_PHI
    assert written() == []


def test_it_is_written_once(header: GgufHeader) -> None:
    told: list[tuple[str, int, int]] = []
    path = file_for_engine(CTRANSFORMERS, header, lambda *progress: told.append(progress))
    assert written() == [path]
    assert path.is_relative_to(cache_dir() / "ctransformers")
    new = read_header(path)
    assert new.architecture == "llama"
    assert new.metadata["phi.source_sha256"] == sha256_of(header.path)
    assert [what for what, *_ in (told[0], told[-1])] == ["hashing model.gguf", "writing model.gguf for ctransformers"]
    assert told[-1][1] == told[-1][2]
    before, told[:] = path.stat(), []
    assert file_for_engine(CTRANSFORMERS, header, lambda *progress: told.append(progress)) == path
    assert path.stat() == before
    assert told == []


def test_another_content_is_another_file(header: GgufHeader, tmp_path: Path) -> None:
    first = file_for_engine(CTRANSFORMERS, header)
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(header.path.read_bytes())
    assert file_for_engine(CTRANSFORMERS, read_header(copy)) == first
    write_lookback(header.path, quant="Q8_0")
    second = file_for_engine(CTRANSFORMERS, read_header(header.path))
    assert written() == sorted([first, second])


@pytest.mark.parametrize("damage", [lambda content: content[:-100], lambda _: b"", lambda _: b"something else"])
def test_a_damaged_one_is_written_again(header: GgufHeader, damage: Any) -> None:
    path = file_for_engine(CTRANSFORMERS, header)
    content = path.read_bytes()
    path.write_bytes(damage(content))
    assert file_for_engine(CTRANSFORMERS, header).read_bytes() == content


def test_the_file_of_another_model_in_its_place_is_written_again(header: GgufHeader, tmp_path: Path) -> None:
    path = file_for_engine(CTRANSFORMERS, header)
    content = path.read_bytes()
    other = tmp_path / "other.gguf"
    write_lookback(other, quant="Q8_0")
    file_for_engine(CTRANSFORMERS, read_header(other)).replace(path)
    assert file_for_engine(CTRANSFORMERS, header).read_bytes() == content
    path.write_bytes(header.path.read_bytes())
    assert file_for_engine(CTRANSFORMERS, header).read_bytes() == content


@pytest.mark.parametrize("error", [KeyboardInterrupt, DoesNotFitError("full")], ids=str)
def test_a_failure_leaves_nothing(header: GgufHeader, error: BaseException) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if what.startswith("writing") and done > total / 2:
            assert written()
            raise error

    with pytest.raises(type(error) if isinstance(error, Exception) else KeyboardInterrupt):
        file_for_engine(CTRANSFORMERS, header, stop)
    assert written() == []


def test_two_that_write_it_at_a_time_do_not_disturb_each_other(header: GgufHeader) -> None:
    """Processes of two containers can have the same number."""
    inner: list[Path] = []

    def meanwhile(what: str, done: int, total: int) -> None:
        if what.startswith("writing") and not inner:
            inner.append(Path())
            inner[0] = file_for_engine(CTRANSFORMERS, header)
            inner.append(inner[0].rename(inner[0].with_suffix(".first")))

    path = file_for_engine(CTRANSFORMERS, header, meanwhile)
    assert inner[0] == path
    assert inner[1].read_bytes() == path.read_bytes()
    assert written() == sorted([path, inner[1]])


def test_what_killed_processes_left_behind_goes(header: GgufHeader) -> None:
    folder = cache_dir() / "ctransformers"
    folder.mkdir(parents=True)
    old, fresh = folder / "a.gguf.1.part", folder / "b.gguf.2.part"
    for path in (old, fresh):
        path.touch()
    os.utime(old, (0, 0))
    path = file_for_engine(CTRANSFORMERS, header)
    assert written() == sorted([fresh, path])


@pytest.mark.process
def test_a_disk_that_is_too_small(header: GgufHeader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_file_system(tmp_path / "small", "size=1m") as folder:
        monkeypatch.setenv("PHI_HOME", str(folder))
        with pytest.raises(DoesNotFitError, match=r"needs .* on disk, but .* has only") as caught:
            file_for_engine(CTRANSFORMERS, header)
        assert "PHI_HOME" in caught.value.hint
        assert written() == []


@pytest.mark.process
def test_a_disk_that_is_full_meanwhile(header: GgufHeader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_file_system(tmp_path / "small", "size=5m") as folder:
        monkeypatch.setenv("PHI_HOME", str(folder))

        def fill(what: str, done: int, total: int) -> None:
            if what.startswith("writing") and not (folder / "filler").exists():
                (folder / "filler").write_bytes(bytes(3 << 20))

        with pytest.raises(DoesNotFitError, match="is full"):
            file_for_engine(CTRANSFORMERS, header, fill)
        assert written() == []


def test_a_folder_that_cannot_be_made(header: GgufHeader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "model.gguf"))
    with pytest.raises(UsageError, match="cannot be written"):
        file_for_engine(CTRANSFORMERS, header)


def test_a_model_that_has_gone(header: GgufHeader) -> None:
    header.path.unlink()
    with pytest.raises(NotFoundError):
        file_for_engine(CTRANSFORMERS, header)


def test_other_models_are_refused_with_the_engine_that_runs_them(header: GgufHeader) -> None:
    require_runs(CTRANSFORMERS, header)
    tiny = read_header(TINY_PHI)
    require_runs(DEFAULT_ENGINE, tiny)
    for refused in (lambda: require_runs(CTRANSFORMERS, tiny), lambda: file_for_engine(CTRANSFORMERS, tiny)):
        with pytest.raises(UnsupportedModelError, match=r"cannot run tiny-phi\.gguf: it uses LongRoPE") as caught:
            refused()
        assert caught.value.hint.endswith("--engine xllamacpp")
    assert written() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"min_p": 0.1}, "sample with min-p"),
        ({"mirostat": 2}, "sample with Mirostat"),
        ({"xtc_probability": 0.5}, "sample with XTC"),
        ({"samplers": ("temperature", "top_k")}, "change the order of the samplers"),
    ],
)
def test_a_sampler_without_effect_is_told(change: dict[str, Any], words: str) -> None:
    hot = Sampling(**{"temperature": 0.7, "min_p": 0, **change})
    assert sampling_notices(CTRANSFORMERS, hot) == (f"ctransformers cannot {words}: this has no effect",)
    assert sampling_notices(DEFAULT_ENGINE, hot) == ()
    assert sampling_notices(CTRANSFORMERS, replace(hot, temperature=0)) == ()


def test_plain_sampling_needs_no_notice() -> None:
    assert sampling_notices(CTRANSFORMERS, Sampling(temperature=0.7, min_p=0)) == ()
