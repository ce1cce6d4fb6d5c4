"""Kernels are saved complete and tested, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from phicli.engine.kernels import Kernels, damage_of, folder_of, kernels_folder, read_manifest, saved_kernels
from phicli.errors import DoesNotFitError, EngineError
from phicli.kernels.saving import alone, forbids_programs, keep, put, sealed, temporary_folder
from tests.support.disks import small_file_system


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))
    return tmp_path / "phi"


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "libggml-cpu-zen4.so"
    path.write_bytes(b"code" * 1000)
    return path


def kernels_at(path: Path, ratio: float = 2.0) -> Kernels:
    return sealed(Kernels(path, "zen4", "1.2.3", "a processor", ("AVX512F",), 0, "", ratio, 1.1, "abc"))


def everything(home: Path) -> set[str]:
    return {str(path.relative_to(home)) for path in home.rglob("*")}


def test_saved_kernels_are_complete_and_private(home: Path, module: Path) -> None:
    with alone() as staging:
        saved = keep(kernels_at(put(module, staging)))
    assert saved_kernels() == (saved,)
    assert saved.path.parent == folder_of("1.2.3", "zen4", "a processor")
    assert damage_of(saved) == ""
    assert saved.sources_sha256 == "abc"
    if os.name == "posix":
        assert saved.path.stat().st_mode & 0o777 == 0o600
        assert saved.path.parent.stat().st_mode & 0o777 == kernels_folder().stat().st_mode & 0o777 == 0o700


def test_a_new_build_takes_the_place_of_the_old_one(home: Path, module: Path) -> None:
    for ratio in (2.0, 3.0):
        with alone() as staging:
            keep(kernels_at(put(module, staging), ratio))
    (saved,) = saved_kernels()
    assert saved.prompt_ratio == 3.0
    assert {path.name for path in kernels_folder().iterdir()} == {".lock", saved.path.parent.name}


def test_a_build_that_ends_early_leaves_nothing(home: Path, module: Path) -> None:
    def interrupted() -> None:
        with alone() as staging:
            put(module, staging)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not home.exists()


def test_what_a_killed_build_left_goes_with_the_next(home: Path) -> None:
    left = kernels_folder() / ".new-abc" / "kernels"
    left.mkdir(parents=True)
    (left / "libggml-cpu-zen4.so").write_bytes(b"half")
    with alone():
        assert not left.exists()
    assert everything(home) == {"data", "data/engines"}


def test_the_temporary_folder_of_a_killed_build_goes_with_the_next(home: Path, tmp_path: Path) -> None:
    killed, other = tmp_path / "phi-build-abc", tmp_path / "other"
    for number, folder in enumerate((killed, other)):
        (folder / "sources").mkdir(parents=True)
        left = kernels_folder() / f".new-{number}"
        left.mkdir(parents=True)
        (left / "temporary").write_text(str(folder))
    with alone() as staging, temporary_folder(staging) as temporary:
        assert not killed.exists()
        assert other.exists(), "no build made it"
        assert (staging / "temporary").read_text() == str(temporary)
    assert not temporary.exists()


def test_only_one_build_runs_at_a_time(home: Path) -> None:
    with (
        alone(),
        pytest.raises(EngineError, match="another phi engine build is running") as caught,
        alone(),
    ):
        pass
    assert "phi engine list" in caught.value.hint
    with alone():
        pass


@pytest.mark.process
def test_a_full_disk_keeps_the_old_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Path) -> None:
    with small_file_system(tmp_path / "disk", "size=64k") as disk:
        monkeypatch.setenv("PHI_HOME", str(disk))
        with alone() as staging:
            saved = keep(kernels_at(put(module, staging)))
        module.write_bytes(bytes(1 << 20))
        with pytest.raises(DoesNotFitError, match="is full"), alone() as staging:
            put(module, staging)
        assert read_manifest(saved.path.parent) == saved
        assert {path.name for path in kernels_folder().iterdir()} == {".lock", saved.path.parent.name}


@pytest.mark.process
def test_a_build_that_cannot_be_moved_leaves_the_old_one_in_its_place(home: Path, module: Path) -> None:
    with alone() as staging:
        saved = keep(kernels_at(put(module, staging)))
    with alone() as staging, small_file_system(staging / "kernels", "size=1m") as disk:
        (disk / module.name).write_bytes(b"new")
        with pytest.raises(OSError, match="busy"):
            keep(kernels_at(disk / module.name))  # the root of a file system cannot be renamed
        assert saved_kernels() == (saved,)
    assert saved_kernels() == (saved,)


@pytest.mark.process
def test_a_file_system_without_programs_is_known(tmp_path: Path) -> None:
    assert not forbids_programs(tmp_path)
    with small_file_system(tmp_path / "disk", "size=64k,noexec") as disk:
        assert forbids_programs(disk)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "file"))
    with pytest.raises(OSError, match="engines"), alone():
        pass
